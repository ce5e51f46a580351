//! What the samples of a TIFF mean.

use super::{AS_FLOATS, AS_INTEGERS};
use crate::picture::color::rgb_from_ycbcr;
use crate::picture::{Picture, Pixels};
use tiff::decoder::{BufferLayoutPreference, DecodingResult};

const WHITE_IS_ZERO: u64 = 0;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
const YCBCR: u64 = 6;

/// How a picture's samples are stored.
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    /// PhotometricInterpretation.
    pub(super) photometric: u64,
    /// Of a sample.
    pub(super) bits: u64,
    /// Of a pixel.
    pub(super) n_samples: usize,
    /// SampleFormat.
    pub(super) format: u16,
    pub(super) extra_samples: Vec<u64>,
    /// All reds, then greens, then blues.
    pub(super) palette: Option<Vec<u16>>,
    pub(super) compression: u64,
}

const JPEG: u64 = 7;

/// A way out if only the manner of storing is not supported.
pub(super) const SIMPLER: &str = "save it again with Deflate or no compression";

impl Layout {
    /// Refuses what cannot be read: what the file has, and what to do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        let refuse = |what: &str, instead| Err((format!("has {what}"), instead));
        if let Some(name) = self.unsupported_compression() {
            return Err((format!("is compressed with {name}"), SIMPLER));
        }
        match (self.photometric, self.compression) {
            // As JPEG all samples have the same size, others may not.
            (WHITE_IS_ZERO..=PALETTE, _) | (YCBCR, JPEG) => {}
            (YCBCR, _) => return refuse("YCbCr colours without JPEG compression", AS_INTEGERS),
            (8..=10, _) => return refuse("CIELab colours", AS_INTEGERS),
            (32_844 | 32_845, _) => return refuse("LogLuv colours", AS_FLOATS),
            (other, _) => return refuse(&format!("colours of the unknown kind {other}"), AS_INTEGERS),
        }
        match (self.format, self.bits) {
            (1, 8 | 16) | (3, 16 | 32 | 64) => {}
            (1, 1 | 2 | 4) if self.n_samples == 1 => {}
            (1, bits) => return refuse(&format!("integers of {bits} bits"), AS_INTEGERS),
            (2, _) => return refuse("signed integers", AS_FLOATS),
            (3, bits) => return refuse(&format!("floating-point numbers of {bits} bits"), AS_FLOATS),
            (5 | 6, _) => return refuse("complex numbers", AS_FLOATS),
            _ => return refuse("values of an unknown kind", AS_FLOATS),
        }
        if self.n_samples < self.n_colors() {
            let what = format!("{} values a pixel for {} colours", self.n_samples, self.n_colors());
            return refuse(&what, AS_INTEGERS);
        }
        // Bands of which nobody says what they are, as of satellites and microscopes.
        if self.n_colors() == 1 && self.n_samples > 2 && !self.has_alpha() {
            let what = format!("{} values a pixel that are not said to be colours", self.n_samples);
            return refuse(&what, "save one of its bands, or three as RGB");
        }
        if self.photometric == PALETTE && (self.n_samples > 1 || self.format != 1) {
            return refuse("a palette and other values", AS_INTEGERS);
        }
        let n_entries = 3usize << self.bits.min(16);
        if self.photometric == PALETTE && self.palette.as_ref().is_none_or(|p| p.len() < n_entries) {
            return refuse("a palette that is not in the file", AS_INTEGERS);
        }
        Ok(())
    }

    fn unsupported_compression(&self) -> Option<String> {
        let name = match self.compression {
            // None, CCITT Group 4, LZW, JPEG, Deflate, PackBits, the old number of Deflate.
            1 | 4 | 5 | JPEG | 8 | 32_773 | 32_946 => return None,
            2 | 3 => "CCITT Group 3",
            6 => "the JPEG of TIFF 6",
            34_661 => "JBIG",
            34_676 | 34_677 => "LogLuv",
            34_712 => "JPEG 2000",
            34_887 => "LERC",
            34_925 => "LZMA",
            50_000 => "Zstandard",
            50_001 => "WebP",
            50_002 | 52_546 => "JPEG XL",
            other => return Some(format!("method {other}")),
        };
        Some(name.to_owned())
    }

    /// Samples that are colours.
    fn n_colors(&self) -> usize {
        if matches!(self.photometric, RGB | YCBCR) { 3 } else { 1 }
    }

    fn has_alpha(&self) -> bool {
        let unnamed = self.extra_samples.is_empty() && self.n_samples == 4;
        let named = self.extra_samples.first().is_some_and(|extra| matches!(extra, 1 | 2));
        self.n_samples > self.n_colors() && (named || (unnamed && self.photometric == RGB))
    }

    /// Whether the colours are already multiplied by alpha.
    pub(super) fn has_associated_alpha(&self) -> bool {
        self.has_alpha() && self.extra_samples.first() == Some(&1)
    }

    /// Samples that are taken.
    fn n_taken(&self) -> usize {
        self.n_colors() + usize::from(self.has_alpha())
    }

    /// Says which samples are not, and whether one is only assumed to be alpha.
    pub(super) fn unclear_samples(&self) -> Option<String> {
        if self.has_alpha() && self.extra_samples.is_empty() {
            return Some("a fourth value a pixel without saying what it is; it is taken as alpha".to_owned());
        }
        let (taken, all) = (self.n_taken(), self.n_samples);
        let which = if taken + 1 == all { "the last is" } else { "the last ones are" };
        (taken < all)
            .then(|| format!("{all} values a pixel, of which {which} neither colour nor alpha and not used"))
    }

    fn has_deep_palette(&self) -> bool {
        // Some writers put 8 bits into the lower half, others into the upper.
        let entries = self.palette.as_deref().unwrap_or_default();
        !entries.iter().all(|&v| v < 256) && !entries.iter().all(|&v| v & 255 == 0 || v % 257 == 0)
    }

    /// Bytes of a pixel once decoded.
    pub(super) fn pixel_bytes(&self) -> u64 {
        let n_taken = self.n_taken() as u64;
        match (self.photometric, self.format) {
            (PALETTE, _) => 3 * (1 + u64::from(self.has_deep_palette())),
            (_, 3) => 4 * n_taken,
            _ => n_taken * self.bits.div_ceil(8),
        }
    }
}

/// The picture that `samples` show. They were read as if they were grey.
pub(super) fn picture_of(
    layout: &Layout,
    stored: &BufferLayoutPreference,
    samples: DecodingResult,
) -> Result<Picture, String> {
    let Layout { width, height, .. } = *layout;
    let inverted = layout.photometric == WHITE_IS_ZERO;
    let samples = match samples {
        DecodingResult::U8(bytes) if layout.bits < 8 => DecodingResult::U8(unpacked(layout, &bytes)),
        samples => samples,
    };
    let pixels = match samples {
        DecodingResult::U8(values) if layout.photometric == PALETTE => {
            colored(layout, values.into_iter().map(usize::from))
        }
        DecodingResult::U16(values) if layout.photometric == PALETTE => {
            colored(layout, values.into_iter().map(usize::from))
        }
        DecodingResult::U8(values) if layout.bits < 8 => {
            let largest = (1u16 << layout.bits) - 1;
            let spread = |v: u8| (u16::from(v) * 255 / largest) as u8;
            let grey = |v: u8| if inverted { 255 - spread(v) } else { spread(v) };
            Pixels::U8(values.into_iter().map(grey).collect())
        }
        DecodingResult::U8(values) => {
            let mut values = taken(layout, stored, values)?;
            if layout.photometric == YCBCR {
                for pixel in values.chunks_exact_mut(layout.n_taken()) {
                    let rgb = rgb_from_ycbcr([pixel[0], pixel[1], pixel[2]]);
                    pixel[..3].copy_from_slice(&rgb);
                }
            }
            Pixels::U8(inverted_if(inverted, layout, values, |v| 255 - v))
        }
        DecodingResult::U16(values) => {
            let values = taken(layout, stored, values)?;
            Pixels::U16(inverted_if(inverted, layout, values, |v| 65_535 - v))
        }
        DecodingResult::F16(values) => floats(layout, stored, values, |v| v.to_f32())?,
        DecodingResult::F32(values) => floats(layout, stored, values, |v| v)?,
        DecodingResult::F64(values) => floats(layout, stored, values, |v| v as f32)?,
        _ => return Err("its values are not of the kind that it names".to_owned()),
    };
    let channels = if layout.photometric == PALETTE { 3 } else { layout.n_taken() };
    let expected = width as usize * height as usize * channels;
    if pixels.len() != expected {
        return Err(format!("it has {} values in place of {expected}", pixels.len()));
    }
    Ok(Picture { width, height, channels, pixels })
}

fn floats<T: Copy>(
    layout: &Layout,
    stored: &BufferLayoutPreference,
    values: Vec<T>,
    float: impl Fn(T) -> f32,
) -> Result<Pixels, String> {
    let values = taken(layout, stored, values)?.into_iter().map(float).collect();
    Ok(Pixels::F32(inverted_if(layout.photometric == WHITE_IS_ZERO, layout, values, |v| 1.0 - v)))
}

/// Colours where white is stored as 0, alpha as it is.
fn inverted_if<T: Copy>(
    inverted: bool,
    layout: &Layout,
    mut values: Vec<T>,
    invert: impl Fn(T) -> T,
) -> Vec<T> {
    if inverted {
        values.iter_mut().step_by(layout.n_taken()).for_each(|v| *v = invert(*v));
    }
    values
}

/// The samples that are used, pixel by pixel, whether they are stored so or channel by channel.
fn taken<T: Copy>(
    layout: &Layout,
    stored: &BufferLayoutPreference,
    values: Vec<T>,
) -> Result<Vec<T>, String> {
    let (n_samples, n_taken) = (layout.n_samples, layout.n_taken());
    if stored.planes <= 1 {
        if n_taken == n_samples {
            return Ok(values);
        }
        return Ok(values.chunks_exact(n_samples).flat_map(|pixel| &pixel[..n_taken]).copied().collect());
    }
    let n_pixels = layout.width as usize * layout.height as usize;
    if values.len() < n_pixels * n_taken {
        return Err("a channel is missing".to_owned());
    }
    let mut out = Vec::with_capacity(n_pixels * n_taken);
    for pixel in 0..n_pixels {
        out.extend((0..n_taken).map(|channel| values[channel * n_pixels + pixel]));
    }
    Ok(out)
}

/// Values of less than 8 bits. Rows begin with a new byte.
fn unpacked(layout: &Layout, bytes: &[u8]) -> Vec<u8> {
    let (bits, width) = (layout.bits as usize, layout.width as usize);
    let mask = (1u16 << bits) as u8 - 1;
    let value = |row: &[u8], x: usize| (row[x * bits / 8] >> (8 - bits - x * bits % 8)) & mask;
    let mut out = Vec::with_capacity(width * layout.height as usize);
    for row in bytes.chunks_exact((width * bits).div_ceil(8)) {
        out.extend((0..width).map(|x| value(row, x)));
    }
    out
}

fn colored(layout: &Layout, places: impl Iterator<Item = usize>) -> Pixels {
    let palette = layout.palette.as_deref().unwrap_or_default();
    let n = palette.len() / 3;
    let colors = places.flat_map(|place| [0, 1, 2].map(|c| palette[c * n + place.min(n - 1)]));
    if layout.has_deep_palette() {
        Pixels::U16(colors.collect())
    } else if palette.iter().all(|&v| v < 256) {
        Pixels::U8(colors.map(|v| v as u8).collect())
    } else {
        Pixels::U8(colors.map(|v| (v >> 8) as u8).collect())
    }
}
