//! Formats that `image` reads whole.

use super::{AS_INTEGERS, Decoded, Source};
use crate::picture::claim::{Claim, MAX_DECODED_BYTES, MAX_SIDE};
use crate::picture::error::uses;
use crate::picture::profile::Described;
use crate::picture::{Picture, PictureError, Pixels, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::{self, BufRead, Seek};
use std::path::Path;

/// Memory that a PNG may decompress to besides its pixels.
const MAX_PNG_EXTRA_BYTES: u64 = 64 << 20;

pub(super) fn decode<R: BufRead + Seek>(source: Source<'_, R>, format: ImageFormat) -> Result<Decoded> {
    let Source { path, reader, size_bytes, .. } = source;
    let mut reader = ImageReader::with_format(reader, format);
    reader.limits(limits(format));
    let decoder = reader.into_decoder().map_err(|e| from_image_error(path, e))?;
    decode_with(path, size_bytes, decoder, format)
}

/// A QOI file, which says whether its values are linear.
pub(super) fn decode_qoi<R: BufRead + Seek>(mut source: Source<'_, R>) -> Result<Decoded> {
    const LINEAR: u8 = 1;
    let mut header = [0; 14];
    let read = source.reader.read_exact(&mut header).and_then(|()| source.reader.rewind());
    read.map_err(|e| super::read_error(source.path, e))?;
    let mut decoded = decode(source, ImageFormat::Qoi)?;
    decoded.described.gamma = (header[13] == LINEAR).then_some(1.0);
    Ok(decoded)
}

/// Decodes with a decoder of `image`: its size is checked, and the picture turned upright.
pub(super) fn decode_with(
    path: &Path,
    size_bytes: u64,
    mut decoder: impl ImageDecoder,
    format: ImageFormat,
) -> Result<Decoded> {
    let (width, height) = decoder.dimensions();
    let claim = Claim { width, height, decoded_bytes: decoder.total_bytes(), file_bytes: size_bytes };
    claim.check(path, format)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let icc = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(|e| from_image_error(path, e))?;
    let picture = into_picture(path, image)?.oriented(orientation);
    Ok(Decoded { described: Described { icc, ..Described::default() }, ..Decoded::plain(picture) })
}

pub(super) fn limits(format: ImageFormat) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(match format {
        // Only rows, texts and colour profiles count here; texts and profiles are not used.
        ImageFormat::Png => MAX_PNG_EXTRA_BYTES,
        // Decoders need far less memory besides the pixels than for them.
        _ => 2 * MAX_DECODED_BYTES,
    });
    limits
}

pub(super) fn from_image_error(path: &Path, error: ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(e) => PictureError::unsupported(path, uses(e), AS_INTEGERS),
        ImageError::Limits(e) => PictureError::too_large(path, e.to_string()),
        ImageError::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            PictureError::Read { path: path.to_owned(), source }
        }
        e => PictureError::damaged(path, e.to_string()),
    }
}

/// Takes over the decoder's buffer without copying.
pub(super) fn into_picture(path: &Path, image: DynamicImage) -> Result<Picture> {
    let (width, height) = (image.width(), image.height());
    let channels = usize::from(image.color().channel_count());
    let pixels = match image {
        DynamicImage::ImageLuma8(b) => Pixels::U8(b.into_raw()),
        DynamicImage::ImageLumaA8(b) => Pixels::U8(b.into_raw()),
        DynamicImage::ImageRgb8(b) => Pixels::U8(b.into_raw()),
        DynamicImage::ImageRgba8(b) => Pixels::U8(b.into_raw()),
        DynamicImage::ImageLuma16(b) => Pixels::U16(b.into_raw()),
        DynamicImage::ImageLumaA16(b) => Pixels::U16(b.into_raw()),
        DynamicImage::ImageRgb16(b) => Pixels::U16(b.into_raw()),
        DynamicImage::ImageRgba16(b) => Pixels::U16(b.into_raw()),
        DynamicImage::ImageRgb32F(b) => Pixels::F32(b.into_raw()),
        DynamicImage::ImageRgba32F(b) => Pixels::F32(b.into_raw()),
        other => {
            let what = format!("has colours of type {:?}", other.color());
            return Err(PictureError::unsupported(path, what, AS_INTEGERS));
        }
    };
    Ok(Picture { width, height, channels, pixels })
}
