//! Writing pictures.

use super::{Depth, Picture, PictureError, Pixels, Result};
use crate::atomic_write::{Durability, atomic_write};
use image::codecs::openexr::OpenExrEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use std::io::{self, Write};
use std::path::Path;

/// How much a PNG is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// For final results. Above 4 million pixels, the same as `Fast`.
    Small,
    /// For snapshots during training: a tenth of the time for about 5 % more bytes.
    Fast,
}

impl Packing {
    pub(super) const SMALL_PIXELS: u64 = 4_000_000;

    fn settings(self, n_pixels: u64) -> (CompressionType, FilterType) {
        match self {
            Self::Small if n_pixels <= Self::SMALL_PIXELS => (CompressionType::Default, FilterType::Adaptive),
            _ => (CompressionType::Fast, FilterType::Up),
        }
    }
}

/// Writes a PNG of 8 or 16 bits with the picture's channels. An HDR picture is written as a
/// screen shows it, at 8 bits ([`Picture::to_display`]); [`save_exr`] keeps its values.
///
/// The file is written atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn save_png(picture: &Picture, path: &Path) -> Result<()> {
    save_png_packed(picture, path, Packing::Small, None)
}

/// [`save_png`] with a choice of compression, and the ICC profile of the values if they are not sRGB. An HDR picture
/// has none.
///
/// # Errors
/// As [`save_png`].
pub fn save_png_packed(
    picture: &Picture,
    path: &Path,
    packing: Packing,
    profile: Option<&[u8]>,
) -> Result<()> {
    atomic_write(path, Durability::Cached, |out| write_png(picture, out, packing, profile))
        .map_err(|source| PictureError::Write { path: path.to_owned(), source })
}

/// Writes the bytes of the file of [`save_png_packed`].
///
/// # Errors
/// When `out` fails.
pub fn write_png(
    picture: &Picture,
    out: &mut impl Write,
    packing: Packing,
    profile: Option<&[u8]>,
) -> io::Result<()> {
    let bytes: &[u8] = match &picture.pixels {
        Pixels::U8(values) => values,
        Pixels::U16(values) => bytemuck::cast_slice(values),
        Pixels::F32(_) => return write_png(&picture.to_display(), out, packing, None),
    };
    let color = color_type(picture.depth(), picture.channels);
    let (compression, filter) = packing.settings(picture.n_pixels());
    let mut encoder = PngEncoder::new_with_quality(out, compression, filter);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).map_err(io::Error::other)?;
    }
    encoder.write_image(bytes, picture.width, picture.height, color).map_err(into_io_error)
}

/// What `image` calls pixels of this kind; those of floats have colours.
pub(super) fn color_type(depth: Depth, channels: usize) -> ExtendedColorType {
    match (depth, channels) {
        (Depth::U8, 1) => ExtendedColorType::L8,
        (Depth::U8, 2) => ExtendedColorType::La8,
        (Depth::U8, 3) => ExtendedColorType::Rgb8,
        (Depth::U8, _) => ExtendedColorType::Rgba8,
        (Depth::U16, 1) => ExtendedColorType::L16,
        (Depth::U16, 2) => ExtendedColorType::La16,
        (Depth::U16, 3) => ExtendedColorType::Rgb16,
        (Depth::U16, _) => ExtendedColorType::Rgba16,
        (Depth::F32, 4) => ExtendedColorType::Rgba32F,
        (Depth::F32, _) => ExtendedColorType::Rgb32F,
    }
}

/// Writes an OpenEXR file with 32-bit floats. Grey becomes three equal channels, since the
/// encoder supports only RGB and RGBA. 8-bit and 16-bit values are not linearised, so use it for
/// HDR pictures only.
///
/// The file is written atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn save_exr(picture: &Picture, path: &Path) -> Result<()> {
    let (color, values) = exr_values(picture);
    let written = atomic_write(path, Durability::Cached, |out| {
        OpenExrEncoder::new(out)
            .write_image(bytemuck::cast_slice(&values), picture.width, picture.height, color)
            .map_err(into_io_error)
    });
    written.map_err(|source| PictureError::Write { path: path.to_owned(), source })
}

fn exr_values(picture: &Picture) -> (ExtendedColorType, Vec<f32>) {
    let color = if picture.has_alpha() { ExtendedColorType::Rgba32F } else { ExtendedColorType::Rgb32F };
    let n_values = picture.pixels.len();
    let value = |i| picture.pixels.value(i);
    let values = match picture.channels {
        1 => (0..n_values).flat_map(|i| [value(i); 3]).collect(),
        2 => (0..n_values / 2).flat_map(|p| [0, 0, 0, 1].map(|c| value(2 * p + c))).collect(),
        _ => (0..n_values).map(value).collect(),
    };
    (color, values)
}

pub(super) fn into_io_error(error: ImageError) -> io::Error {
    match error {
        ImageError::IoError(e) => e,
        e => io::Error::other(e),
    }
}
