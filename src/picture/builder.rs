//! Building a picture from predicted values, a few rows at a time.

use super::{Picture, Pixels};
use crate::names::named;

named! {
    /// How pixel values are stored. Model files use these names.
    pub enum Depth {
        /// 8 bits, sRGB
        U8 "u8",
        /// 16 bits, sRGB
        U16 "u16",
        /// floats, linear light (HDR)
        F32 "f32",
    }
}

impl Depth {
    /// Of a value.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::U8 => 8,
            Self::U16 => 16,
            Self::F32 => 32,
        }
    }
}

impl Picture {
    /// How the values are stored.
    pub fn depth(&self) -> Depth {
        match self.pixels {
            Pixels::U8(_) => Depth::U8,
            Pixels::U16(_) => Depth::U16,
            Pixels::F32(_) => Depth::F32,
        }
    }
}

/// Collects f32 values into a [`Picture`], so that a large prediction is never held as floats as a whole.
///
/// ```
/// use afterimage::picture::{Depth, PictureBuilder, Pixels};
/// let mut builder = PictureBuilder::new(2, 1, 1, Depth::U8);
/// builder.push(&[0.5, 1.2]);
/// assert_eq!(builder.finish().pixels, Pixels::U8(vec![128, 255]));
/// ```
pub struct PictureBuilder {
    picture: Picture,
    expected: usize,
}

impl PictureBuilder {
    /// Starts an empty picture with 1 to 4 channels.
    ///
    /// # Panics
    /// When a side or `channels` is out of range.
    pub fn new(width: u32, height: u32, channels: usize, depth: Depth) -> Self {
        assert!(width > 0 && height > 0, "a picture of {width}x{height}");
        assert!((1..=4).contains(&channels), "a picture with {channels} channels");
        let expected = width as usize * height as usize * channels;
        let pixels = match depth {
            Depth::U8 => Pixels::U8(Vec::with_capacity(expected)),
            Depth::U16 => Pixels::U16(Vec::with_capacity(expected)),
            Depth::F32 => Pixels::F32(Vec::with_capacity(expected)),
        };
        Self { picture: Picture { width, height, channels, pixels }, expected }
    }

    /// Appends values in row order, channels interleaved; any number at a time.
    ///
    /// For 8 and 16 bits they are clamped to [0, 1] and rounded to nearest, NaN becoming 0.
    ///
    /// # Panics
    /// When there are more values than the picture has.
    pub fn push(&mut self, values: &[f32]) {
        let held = self.picture.pixels.len() + values.len();
        assert!(held <= self.expected, "{held} values for a picture of {}", self.expected);
        match &mut self.picture.pixels {
            Pixels::U8(out) => out.extend(values.iter().map(|&v| to_u8(v))),
            Pixels::U16(out) => out.extend(values.iter().map(|&v| to_u16(v))),
            Pixels::F32(out) => out.extend_from_slice(values),
        }
    }

    /// The finished picture.
    ///
    /// # Panics
    /// When values are missing.
    pub fn finish(self) -> Picture {
        let held = self.picture.pixels.len();
        assert_eq!(held, self.expected, "values of a finished picture");
        self.picture
    }
}

/// [0, 1] to 0..=255, clamped and rounded to nearest. `as` turns NaN into 0.
pub(crate) fn to_u8(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// [0, 1] to 0..=65535, clamped and rounded to nearest.
pub(crate) fn to_u16(value: f32) -> u16 {
    // In f64, since sums such as 65534.5 + 0.5 are not exact in f32.
    (f64::from(value.clamp(0.0, 1.0)) * 65535.0 + 0.5) as u16
}
