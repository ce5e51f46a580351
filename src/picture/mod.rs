//! Pictures: what is memorised, and what is written back.

pub mod builder;
pub mod color;
mod convert;
pub mod error;
mod format;
mod jpeg;
pub mod load;
pub mod quality;
pub mod resize;
pub mod save;
mod write_rows;

pub use builder::{Depth, PictureBuilder};
pub use convert::Converter;
pub use error::PictureError;
pub use format::{Format, Target};
pub use load::load;
pub use quality::{SquaredError, ssim};
pub use resize::{center_crop, resize};
pub use save::{Packing, save_exr, save_png, save_png_packed};
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
    /// sRGB-encoded, 0..=255 for 0..=1.
    U8(Vec<u8>),
    /// sRGB-encoded, 0..=65535 for 0..=1.
    U16(Vec<u16>),
    /// Linear, unbounded (HDR).
    F32(Vec<f32>),
}

impl Pixels {
    /// Value `index` as training sees it.
    #[inline(always)]
    pub fn value(&self, index: usize) -> f32 {
        match self {
            Self::U8(v) => f32::from(v[index]) / 255.0,
            Self::U16(v) => f32::from(v[index]) / 65535.0,
            Self::F32(v) => v[index],
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

    /// True without any value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Picture {
    /// The grid of all its pixels.
    pub fn raster(&self, coords: Coords) -> Raster {
        Raster::new(self.width, self.height, coords)
    }

    /// Number of pixels.
    pub fn n_pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of its values in memory.
    pub fn size_bytes(&self) -> u64 {
        let bytes_per_value = match self.pixels {
            Pixels::U8(_) => 1,
            Pixels::U16(_) => 2,
            Pixels::F32(_) => 4,
        };
        bytes_per_value * self.n_pixels() * self.channels as u64
    }

    /// The mean of each pixel's colour values, times its alpha where it has one, row by row.
    pub fn brightness(&self) -> Vec<f32> {
        let n_colours = if self.has_alpha() { self.channels - 1 } else { self.channels };
        let of_pixel = |pixel: usize| {
            let value = |c: usize| self.pixels.value(pixel * self.channels + c);
            let mean = (0..n_colours).map(value).sum::<f32>() / n_colours as f32;
            if self.has_alpha() { mean * value(n_colours) } else { mean }
        };
        (0..self.n_pixels() as usize).map(of_pixel).collect()
    }

    /// Whether the values are linear and unbounded rather than sRGB in [0, 1].
    pub fn is_hdr(&self) -> bool {
        matches!(self.pixels, Pixels::F32(_))
    }
}
