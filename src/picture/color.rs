//! The sRGB curve, and pictures as a screen shows them.

use super::alpha::straight_scale;
use super::builder::to_u8;
use super::{Picture, Pixels};

/// Linear light to sRGB-encoded, both in [0, 1] (IEC 61966-2-1). Values outside are clamped.
pub fn srgb_from_linear(linear: f32) -> f32 {
    let v = linear.clamp(0.0, 1.0);
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * libm::powf(v, 1.0 / 2.4) - 0.055 }
}

/// sRGB-encoded to linear light, both in [0, 1] (IEC 61966-2-1). Values outside are clamped.
pub fn linear_from_srgb(encoded: f32) -> f32 {
    let v = encoded.clamp(0.0, 1.0);
    if v <= 0.040_45 { v / 12.92 } else { libm::powf((v + 0.055) / 1.055, 2.4) }
}

/// Channels other than alpha, which is the last of two or four.
pub(super) fn n_colors(channels: usize) -> usize {
    channels - usize::from(channels.is_multiple_of(2))
}

/// The conversion of JFIF (ITU T.871), for all values from 0 to 255.
pub(super) fn rgb_from_ycbcr(pixel: [u8; 3]) -> [u8; 3] {
    let [y, blue, red] = pixel.map(f32::from);
    let (blue, red) = (blue - 128.0, red - 128.0);
    // `as` limits them to 0 and 255.
    [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue].map(|v| (v + 0.5) as u8)
}

impl Picture {
    /// Whether the last channel is alpha.
    pub fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Number of channels other than alpha: 1 or 3.
    pub fn color_channels(&self) -> usize {
        n_colors(self.channels)
    }

    /// As grey, if red, green and blue are equal everywhere; otherwise as it is.
    pub fn grey_if_equal(self) -> Self {
        fn reduced<T: Copy + PartialEq>(values: &[T], channels: usize) -> Option<Vec<T>> {
            let is_grey = |p: &[T]| p[0] == p[1] && p[1] == p[2];
            let all = values.chunks_exact(channels);
            all.clone().all(is_grey).then(|| all.flat_map(|p| [&p[..1], &p[3..]].concat()).collect())
        }
        if self.channels < 3 {
            return self;
        }
        let pixels = match &self.pixels {
            Pixels::U8(values) => reduced(values, self.channels).map(Pixels::U8),
            Pixels::U16(values) => reduced(values, self.channels).map(Pixels::U16),
            Pixels::F32(values) => reduced(values, self.channels).map(Pixels::F32),
        };
        match pixels {
            Some(pixels) => Self { channels: self.channels - 2, pixels, ..self },
            None => self,
        }
    }

    /// Whether colours are to be multiplied by an alpha beside them; those of HDR contain it.
    pub fn has_straight_alpha(&self) -> bool {
        self.has_alpha() && !self.is_hdr()
    }

    /// Value `index` as a screen shows it over black: sRGB-encoded in [0, 1]. HDR colours are clamped and
    /// sRGB-encoded; alpha stays linear.
    #[inline]
    pub fn display_value(&self, index: usize) -> f32 {
        let value = self.pixels.value(index);
        if !self.is_hdr() {
            value
        } else if index % self.channels < self.color_channels() {
            srgb_from_linear(value)
        } else {
            value.clamp(0.0, 1.0)
        }
    }

    /// Colour `channel` of a pixel over a `background`, both as a screen shows them. Values of 8 and 16 bits are
    /// blended as encoded, like in browsers and editors, and HDR is blended in linear light.
    pub(crate) fn display_over(&self, pixel: usize, channel: usize, background: f32) -> f32 {
        let value = |c: usize| self.pixels.value(pixel * self.channels + c);
        if !self.has_alpha() {
            return self.display_value(pixel * self.channels + channel);
        }
        blend(value(channel), value(self.channels - 1), background, self.is_hdr())
    }

    /// The picture as a screen shows it, at 8 bits, with the same channels; colours are not multiplied by alpha.
    pub fn to_display(&self) -> Self {
        let alpha_of = |i: usize| self.pixels.value(i - i % self.channels + self.channels - 1);
        let is_color = |i: usize| i % self.channels < self.color_channels();
        let value = |i: usize| match self.is_hdr() && self.has_alpha() && is_color(i) {
            true => srgb_from_linear(self.pixels.value(i) * straight_scale(alpha_of(i).min(1.0))),
            false => self.display_value(i),
        };
        let values = (0..self.pixels.len()).map(|i| to_u8(value(i)));
        Self { pixels: Pixels::U8(values.collect()), ..*self }
    }
}

/// A colour with alpha over an sRGB-encoded `background`, sRGB-encoded. `linear`: the colour is linear light, times
/// alpha; otherwise it is encoded, and not times alpha.
pub(super) fn blend(color: f32, alpha: f32, background: f32, linear: bool) -> f32 {
    let alpha = alpha.clamp(0.0, 1.0);
    match linear {
        true => srgb_from_linear(color + linear_from_srgb(background) * (1.0 - alpha)),
        false => color * alpha + background * (1.0 - alpha),
    }
}
