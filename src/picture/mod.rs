//! Pictures: loading, saving, resampling and comparing.

mod alpha;
mod builder;
mod character;
mod claim;
pub mod color;
mod convert;
mod decode;
mod error;
mod format;
pub mod load;
mod profile;
mod quality;
mod resize;
mod save;
mod spline;
mod transfer;
mod transparent;
mod write_rows;

pub use builder::{Depth, PictureBuilder};
pub use convert::Converter;
pub use error::PictureError;
use error::Result;
pub use format::{Format, Target};
pub use load::{Loaded, Reading, load, read};
pub use profile::{ColorHandling, IccProfile, Space, in_srgb};
pub use quality::{SquaredError, ssim, ssim_visible};
pub use resize::{center_crop, resize};
pub use save::{Packing, save_exr, save_png, save_png_packed, write_png};
pub use spline::spline_error;
pub use transfer::{Curve, OutOfRange, Transfer};
pub use transparent::{Hidden, Transparent};
pub use write_rows::{RowsOf, write_rows};

use crate::model::Coords;
use crate::model::Raster;

/// A decoded picture, row by row from the top, channels interleaved.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels per row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    pub channels: usize,
    /// `width * height * channels` values.
    pub pixels: Pixels,
}

/// Pixel values as stored in the file, so that a large picture stays small in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// sRGB-encoded, 0..=255 for 0..=1. Colours are not multiplied by alpha.
    U8(Vec<u8>),
    /// sRGB-encoded, 0..=65535 for 0..=1. Colours are not multiplied by alpha.
    U16(Vec<u16>),
    /// Linear, unbounded (HDR). Colours are multiplied by alpha, so that light needs no opacity.
    F32(Vec<f32>),
}

impl Pixels {
    /// Value `index` as training uses it: integers divided by their maximum.
    #[inline(always)]
    pub fn value(&self, index: usize) -> f32 {
        match self {
            Self::U8(v) => f32::from(v[index]) / 255.0,
            Self::U16(v) => f32::from(v[index]) / 65535.0,
            Self::F32(v) => v[index],
        }
    }

    /// [`Pixels::value`] of the `channels` values that start at each of `places`. values: (places, channels).
    ///
    /// Loads are in a loop of their own, since they stall on memory; the divisions after them are vectorised.
    #[inline(always)]
    pub fn gather(&self, places: &[usize], channels: usize, values: &mut [f32]) {
        #[inline(always)]
        fn read<P: Copy + Into<f32>>(pixels: &[P], places: &[usize], channels: usize, values: &mut [f32]) {
            for (values, &place) in values.chunks_exact_mut(channels).zip(places) {
                for (value, &pixel) in values.iter_mut().zip(&pixels[place..place + channels]) {
                    *value = pixel.into();
                }
            }
        }
        match self {
            Self::U8(v) => read(v, places, channels, values),
            Self::U16(v) => read(v, places, channels, values),
            Self::F32(v) => return read(v, places, channels, values),
        }
        let largest = if matches!(self, Self::U8(_)) { 255.0 } else { 65535.0 };
        for value in values {
            *value /= largest;
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Picture {
    /// The positions of all pixels.
    pub fn raster(&self, coords: Coords) -> Raster {
        Raster::new(self.width, self.height, coords)
    }

    /// Number of pixels.
    pub fn n_pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Size of the values in memory.
    pub fn size_bytes(&self) -> u64 {
        u64::from(self.depth().bits() / 8) * self.n_pixels() * self.channels as u64
    }

    /// The mean colour value of each pixel, weighed by its alpha if there is one, row by row.
    pub fn brightness(&self) -> Vec<f32> {
        let n_colors = self.color_channels();
        let of_pixel = |pixel: usize| {
            let value = |c: usize| self.pixels.value(pixel * self.channels + c);
            let mean = (0..n_colors).map(value).sum::<f32>() / n_colors as f32;
            if self.has_straight_alpha() { mean * value(n_colors) } else { mean }
        };
        (0..self.n_pixels() as usize).map(of_pixel).collect()
    }

    /// Clamps a predicted value to black and white, except for HDR. Values that are not finite are kept, as a sign that
    /// training diverged.
    #[inline]
    pub fn in_range(&self, value: f32) -> f32 {
        if self.is_hdr() || !value.is_finite() { value } else { value.clamp(0.0, 1.0) }
    }

    /// Whether the values are linear and unbounded rather than sRGB in [0, 1].
    pub fn is_hdr(&self) -> bool {
        matches!(self.pixels, Pixels::F32(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_together_are_the_same_as_each() {
        let all = [
            Pixels::U8((0..=255).collect()),
            Pixels::U16((0..256).map(|v| v * 257 + 1 - v % 2).collect()),
            Pixels::F32((0..256).map(|v| v as f32 * 0.37).collect()),
        ];
        for pixels in all {
            for channels in 1..=4 {
                let places: Vec<usize> = (0..60).map(|i| i * 37 % 64 * channels).collect();
                let mut values = vec![f32::NAN; places.len() * channels];
                pixels.gather(&places, channels, &mut values);
                for (i, &value) in values.iter().enumerate() {
                    let expected = pixels.value(places[i / channels] + i % channels);
                    assert_eq!(value.to_bits(), expected.to_bits(), "value {i} of {channels} channels");
                }
            }
        }
    }
}
