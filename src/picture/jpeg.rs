//! Strict JPEG decoding.
//!
//! The `image` crate fills the missing part of a damaged JPEG with grey, and training on that would be
//! a silent mistake, so its decoder is used here in strict mode.

use super::claim::Claim;
use super::profile::{Described, cmyk_to_srgb, inks_of_jpeg};
use super::{ColorHandling, PictureError};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use std::io::Read;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Largest JPEG file read, more than any picture within the limits needs.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Decodes to grey or RGB and applies the EXIF orientation. `described` gets what the file says of its colours; CMYK is
/// converted by its profile, if it has one and `color` does not keep it.
pub(super) fn decode(
    path: &Path,
    file: impl Read,
    size_bytes: u64,
    (described, color): (&mut Described, ColorHandling),
) -> Result<DynamicImage, PictureError> {
    if size_bytes > MAX_FILE_BYTES {
        let detail = format!("a JPEG file of {size_bytes} bytes; at most {MAX_FILE_BYTES}");
        return Err(PictureError::TooLarge { path: path.to_owned(), detail });
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| PictureError::Read { path: path.to_owned(), source })?;
    let refuse = |e| from_jpeg_error(path, e);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes.as_slice()), options);
    decoder.decode_headers().map_err(refuse)?;
    let info = decoder.info().expect("headers were decoded");
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    described.icc = decoder.icc_profile();
    let inks = decoder.input_colorspace().filter(|&found| {
        let has_inks = matches!(found, ColorSpace::CMYK | ColorSpace::YCCK);
        has_inks && described.icc.is_some() && color == ColorHandling::Srgb
    });
    let (output, channels) = match inks {
        Some(inks) => (inks, 4),
        None if grey => (ColorSpace::Luma, 1),
        None => (ColorSpace::RGB, 3),
    };
    let decoded_bytes = u64::from(width) * u64::from(height) * channels;
    Claim { width, height, decoded_bytes, file_bytes: size_bytes }.check(path, ImageFormat::Jpeg)?;
    // The decoder notices a missing end only at the next row of blocks.
    if !has_end_of_image(&bytes) {
        let detail = "the end of the picture is missing".to_owned();
        return Err(PictureError::Damaged { path: path.to_owned(), detail });
    }
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(output));
    let mut pixels = decoder.decode().map_err(refuse)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    drop(decoder);
    drop(bytes);
    if let Some(inks) = inks {
        pixels = from_inks(pixels, inks == ColorSpace::YCCK, described);
    }
    let image = if grey {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    };
    let mut image = image.expect("the decoder fills the size its header gave");
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(image)
}

/// RGB of CMYK: by its profile, or if that is of something else as if there was none.
fn from_inks(mut values: Vec<u8>, is_ycck: bool, described: &mut Described) -> Vec<u8> {
    inks_of_jpeg(&mut values, is_ycck);
    match described.icc.as_deref().and_then(|icc| cmyk_to_srgb(&values, icc)) {
        Some((pixels, profile)) => {
            described.converted = Some(profile);
            pixels
        }
        None => {
            let without = |ink: u8, black: u8| {
                let product = (255 - u32::from(ink)) * (255 - u32::from(black));
                ((product + 127) / 255) as u8
            };
            values.chunks_exact(4).flat_map(|inks| [0, 1, 2].map(|c| without(inks[c], inks[3]))).collect()
        }
    }
}

fn from_jpeg_error(path: &Path, error: DecodeErrors) -> PictureError {
    let path = path.to_owned();
    match error {
        DecodeErrors::Unsupported(what) => PictureError::Unsupported { path, detail: format!("{what:?}") },
        DecodeErrors::LargeDimensions(side) => {
            PictureError::TooLarge { path, detail: format!("{side} pixels a side; at most 65535") }
        }
        e => PictureError::Damaged { path, detail: format!("{e:?}") },
    }
}

/// Whether an end-of-image marker follows the first scan: such a pair of bytes cannot occur
/// within entropy-coded data (ITU T.81, B.1.1.5). Thumbnails in the headers have their own.
fn has_end_of_image(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
    let mut at = 2; // after the start-of-image marker
    while let Some(&[marker, code, high, low]) = bytes.get(at..at + 4) {
        if marker != 0xff {
            at += 1; // stray bytes between segments
        } else if code == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == END_OF_IMAGE);
        } else if code == 0xff {
            at += 1; // padding
        } else {
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }
    false
}
