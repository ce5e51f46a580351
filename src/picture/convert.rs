//! Conversion of predicted values to those of a file.

use super::alpha::straight_scale;
use super::builder::{to_u8, to_u16};
use super::color::{blend, linear_from_srgb, srgb_from_linear};
use super::{Depth, Space, Target};

/// Converts predicted pixels to those of a file: colour curve, channels, depth.
#[derive(Clone, Debug)]
pub struct Converter {
    channels: usize,
    /// Whether the values are linear and unbounded rather than sRGB in [0, 1].
    linear: bool,
    target: Target,
    /// The colour space of the values, if the file cannot name it.
    space: Option<Space>,
}

impl Converter {
    /// A converter for pixels with `channels` channels of a picture of `depth`.
    pub fn new(channels: usize, depth: Depth, target: Target) -> Self {
        Self { channels, linear: depth == Depth::F32, target, space: None }
    }

    /// Converts colours of `space` to sRGB.
    #[must_use]
    pub fn with_space(self, space: Option<Space>) -> Self {
        Self { space, ..self }
    }

    /// Whether colours are blended over white, since the file has no alpha.
    pub fn flattens(&self) -> bool {
        self.channels.is_multiple_of(2) && !self.target.channels.is_multiple_of(2)
    }

    /// Whether HDR values beyond the range of a screen are lost.
    pub fn clips(&self) -> bool {
        self.linear && self.target.depth != Depth::F32
    }

    /// Pixels with the file's channels, colour curve and alpha, as floats: (n, channels) ->
    /// (n, target channels).
    ///
    /// Integers in a file are sRGB-encoded and beside their alpha, floats linear and times alpha. If the file has no
    /// alpha, the picture is blended over white: in encoded values if both it and the file have them, like in browsers
    /// and editors, and otherwise in linear light.
    pub fn floats(&self, values: &[f32]) -> Vec<f32> {
        let encoded = self.space.as_ref().map(|space| {
            let mut encoded = values.to_vec();
            space.encode(&mut encoded, self.channels);
            encoded
        });
        let values = encoded.as_deref().unwrap_or(values);
        let to_linear = self.target.depth == Depth::F32;
        let curve = |v: f32| match (self.linear, to_linear) {
            (true, false) => srgb_from_linear(v),
            (false, true) => linear_from_srgb(v),
            _ => v,
        };
        let has_alpha = self.channels.is_multiple_of(2);
        let keeps_alpha = self.target.channels.is_multiple_of(2);
        let colors_out = self.target.channels - usize::from(keeps_alpha);
        let grey = self.channels < 3;
        let mut out = Vec::with_capacity(values.len() / self.channels * self.target.channels);
        for pixel in values.chunks_exact(self.channels) {
            let alpha = if has_alpha { pixel[self.channels - 1].clamp(0.0, 1.0) } else { 1.0 };
            for c in 0..colors_out {
                let color = pixel[if grey { 0 } else { c }];
                out.push(match (has_alpha, keeps_alpha) {
                    (true, false) if self.linear && to_linear => color + (1.0 - alpha),
                    (true, false) if to_linear => curve(color) * alpha + (1.0 - alpha),
                    (true, false) => blend(color, alpha, 1.0, self.linear),
                    (true, true) if self.linear && !to_linear => curve(color * straight_scale(alpha)),
                    (true, true) if !self.linear && to_linear => curve(color) * alpha,
                    _ => curve(color),
                });
            }
            if keeps_alpha {
                out.push(alpha);
            }
        }
        out
    }

    /// The same at the file's depth, in native byte order.
    pub fn bytes(&self, values: &[f32]) -> Vec<u8> {
        let floats = self.floats(values);
        match self.target.depth {
            Depth::U8 => floats.into_iter().map(to_u8).collect(),
            Depth::U16 => floats.into_iter().flat_map(|v| to_u16(v).to_ne_bytes()).collect(),
            Depth::F32 => floats.into_iter().flat_map(f32::to_ne_bytes).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Format;

    fn converter(format: Format, channels: usize, depth: Depth, bits: Option<u8>) -> Converter {
        Converter::new(channels, depth, Target::new(format, (channels, depth), bits).expect("a target"))
    }

    #[test]
    fn alpha_is_laid_over_white_where_the_file_has_none() {
        let jpeg = converter(Format::Jpeg, 4, Depth::U8, None);
        assert!(jpeg.flattens());
        assert_eq!(jpeg.bytes(&[1.0, 0.0, 0.5, 0.0, 0.2, 0.4, 0.6, 1.0]), [255, 255, 255, 51, 102, 153]);
        let grey = converter(Format::Jpeg, 2, Depth::U8, None);
        assert_eq!(grey.bytes(&[0.0, 0.2]), [204]);
    }

    #[test]
    fn grey_becomes_colour_where_the_file_has_no_grey() {
        assert_eq!(converter(Format::Qoi, 1, Depth::U8, None).bytes(&[0.2]), [51, 51, 51]);
        assert_eq!(converter(Format::Qoi, 2, Depth::U8, None).bytes(&[0.2, 0.4]), [51, 51, 51, 102]);
        assert_eq!(converter(Format::Png, 2, Depth::U8, None).bytes(&[0.2, 0.4]), [51, 102]);
    }

    #[test]
    fn floats_are_linear_and_integers_curved() {
        let floats = converter(Format::Tiff, 4, Depth::U8, Some(32)).floats(&[0.5, 0.0, 1.0, 0.5]);
        // 0.5 in sRGB is 0.21404 of linear light (IEC 61966-2-1); alpha has no curve.
        assert!((floats[0] - 0.5 * 0.214_04).abs() < 1e-5, "colour times alpha: {floats:?}");
        assert_eq!(floats[1..], [0.0, 0.5, 0.5]);
        let hdr = converter(Format::Png, 3, Depth::F32, None);
        assert!(hdr.clips());
        assert_eq!(hdr.bytes(&[7.0, 0.3, -1.0]), [255, 149, 0]);
        let kept = converter(Format::Exr, 1, Depth::F32, None);
        assert_eq!(kept.floats(&[7.0]), [7.0, 7.0, 7.0]);
    }

    #[test]
    fn floats_contain_alpha_and_integers_do_not() {
        // Half of 0.21404 is 0.10702 with an alpha of 0.5; light without opacity stays light in floats.
        let pixels = [0.107_03, 0.0, 0.5, 0.5, 3.0, 3.0, 3.0, 0.0];
        let png = converter(Format::Png, 4, Depth::F32, None);
        assert_eq!(png.bytes(&pixels), [128, 0, 255, 128, 0, 0, 0, 0]);
        for format in [Format::Exr, Format::Tiff] {
            assert_eq!(converter(format, 4, Depth::F32, None).floats(&pixels), pixels);
        }
        // Over white in linear light: 0.10702 + 0.5 is 0.80 encoded, and a glow stays white.
        let jpeg = converter(Format::Jpeg, 4, Depth::F32, None);
        assert_eq!(jpeg.bytes(&pixels), [204, 188, 255, 255, 255, 255]);
        let hdr = converter(Format::Hdr, 4, Depth::F32, None).floats(&pixels);
        assert!((hdr[0] - 0.607_03).abs() < 1e-6 && hdr[3..] == [4.0; 3], "{hdr:?}");
    }
}
