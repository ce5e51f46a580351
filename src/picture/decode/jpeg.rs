//! Strict JPEG decoding.
//!
//! The `image` crate fills the missing part of a damaged JPEG with grey, and training on that would be
//! a silent mistake, so its decoder is used here in strict mode. What other programs read with a warning, and loses
//! nothing, is mended first.

use super::jpeg_segments::{Segments, has_all_scans, has_end_of_image, segments, with_filled_scans};
use super::{AS_INTEGERS, Decoded, Source, Taken};
use crate::picture::claim::Claim;
use crate::picture::error::uses;
use crate::picture::profile::{Described, cmyk_to_srgb, inks_of_jpeg};
use crate::picture::{ColorHandling, Picture, PictureError, Pixels, Result};
use image::ImageFormat;
use image::metadata::Orientation;
use std::io::{BufRead, Read};
use std::ops::Range;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Largest JPEG file read, more than any picture within the limits needs.
const MAX_FILE_BYTES: u64 = 1 << 30;

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Bits in place of those that might be missing.
const FILLINGS: [&[u8]; 3] = [&[0xaa; 256], &[0x55; 256], &MIXED];

const MIXED: [u8; 128] = {
    let (mut mixed, mut i) = ([0; 128], 0);
    while i < 128 {
        mixed[i] = (i as u8 + 1).wrapping_mul(37) & 0x7f;
        i += 1;
    }
    mixed
};

/// Decodes to grey or RGB and applies the EXIF orientation. CMYK is converted by its profile, if it has one and `color`
/// does not keep it.
pub(super) fn decode<R: BufRead>(mut source: Source<'_, R>, color: ColorHandling) -> Result<Decoded> {
    if source.size_bytes > MAX_FILE_BYTES {
        let detail = format!("a JPEG file of {} bytes; at most {MAX_FILE_BYTES}", source.size_bytes);
        return Err(source.too_large(detail));
    }
    let mut bytes = Vec::new();
    let read = source.reader.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes);
    read.map_err(|e| source.read_error(e))?;
    let mut found = segments(&bytes);
    let has_gain_map = found.has_gain_map;
    let n_pictures = if has_gain_map { 1 } else { 1 + found.others.len() };
    let (index, mut notes) = source.choose(n_pictures, Taken::First)?;
    let path = source.path.display();
    if has_gain_map {
        notes.push(format!("{path} has a gain map for HDR screens, which is not used"));
    }
    if index > 0 {
        bytes.drain(..found.others[index - 1]);
        found = segments(&bytes);
    }
    refuse_kinds(&source, &found)?;
    if !found.stray.is_empty() {
        let n: usize = found.stray.iter().map(ExactSizeIterator::len).sum();
        notes.push(format!(
            "{path} has {n} bytes between its segments that do not belong there; they are skipped"
        ));
        bytes = without(&bytes, &found.stray);
        found = segments(&bytes);
    }
    let ends = found.scan.is_none_or(|scan| has_end_of_image(&bytes, scan));
    let mut described = Described::default();
    let mut whole = |bytes: &[u8]| decode_whole(&source, bytes, &found, (&mut described, color));
    let picture = if ends { whole(&bytes)? } else { decode_without_end(&source, bytes, &found, &mut whole)? };
    if !ends {
        notes.push(format!("{path} lacks the mark of its end; nothing else is missing"));
    }
    Ok(Decoded { described, notes, ..Decoded::plain(picture) })
}

fn without(bytes: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for range in ranges {
        kept.extend_from_slice(&bytes[at..range.start]);
        at = range.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    kept
}

/// Names the kinds of JPEG that are not supported.
fn refuse_kinds<R>(source: &Source<'_, R>, segments: &Segments) -> Result<()> {
    let Some((kind, bits)) = segments.frame else { return Ok(()) };
    let what = match kind {
        0..=2 if bits == 8 => return Ok(()),
        0..=2 => format!("is a JPEG of {bits} bits a value"),
        3 => "is a lossless JPEG".to_owned(),
        5..=7 => "is a hierarchical JPEG".to_owned(),
        9 | 10 => "is a JPEG with arithmetic coding".to_owned(),
        11 => "is a lossless JPEG with arithmetic coding".to_owned(),
        _ => "is a hierarchical JPEG with arithmetic coding".to_owned(),
    };
    Err(source.unsupported(what, AS_INTEGERS))
}

/// Decodes a file that ends with the last scan. The last block may be cut, which the decoder does not notice, so it is
/// decoded with other bits in place of those that might be missing: if any is, the pictures differ.
fn decode_without_end<R>(
    source: &Source<'_, R>,
    mut bytes: Vec<u8>,
    segments: &Segments,
    whole: &mut dyn FnMut(&[u8]) -> Result<Picture>,
) -> Result<Picture> {
    let cut = || source.damaged("the end of the picture is missing");
    if !has_all_scans(&bytes, segments) {
        return Err(cut());
    }
    // Zeros may have been put in the place of what is missing. One alone is rather the last of the data, as it is
    // after 0xff.
    let n_zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
    if n_zeros > 1 {
        bytes.truncate(bytes.len() - n_zeros);
        if bytes.last() == Some(&0xff) {
            bytes.push(0);
        }
    } else if bytes.last() == Some(&0xff) {
        bytes.pop();
    }
    let length = bytes.len();
    let mut decode_with = |filling: &[u8]| {
        bytes.truncate(length);
        bytes.extend_from_slice(filling);
        bytes.extend_from_slice(&END_OF_IMAGE);
        whole(&bytes)
    };
    // Without any, the decoder fills in zeros. The last block may show little enough to look the same with two of
    // them, but not with four.
    let picture = decode_with(&[])?;
    for filling in FILLINGS {
        if decode_with(filling).ok().as_ref() != Some(&picture) {
            return Err(cut());
        }
    }
    Ok(picture)
}

/// `described` gets what the file says of its colours.
fn decode_whole<R>(
    source: &Source<'_, R>,
    bytes: &[u8],
    segments: &Segments,
    (described, color): (&mut Described, ColorHandling),
) -> Result<Picture> {
    let refuse = |e| from_jpeg_error(source, e);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refuse)?;
    let info = decoder.info().expect("headers were decoded");
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let space = match decoder.input_colorspace() {
        // What Adobe's marker calls unconverted, until the decoder counts the components.
        Some(ColorSpace::CMYK) if segments.n_components == 3 => Some(ColorSpace::RGB),
        space => space,
    };
    let grey = space == Some(ColorSpace::Luma);
    described.icc = decoder.icc_profile();
    let inks = space.filter(|&found| {
        let has_inks = matches!(found, ColorSpace::CMYK | ColorSpace::YCCK);
        has_inks && described.icc.is_some() && color == ColorHandling::Srgb
    });
    let (output, channels) = match inks {
        Some(inks) => (inks, 4),
        None if grey => (ColorSpace::Luma, 1),
        None => (ColorSpace::RGB, 3),
    };
    let decoded_bytes = u64::from(width) * u64::from(height) * channels;
    let claim = Claim { width, height, decoded_bytes, file_bytes: source.size_bytes };
    claim.check(source.path, ImageFormat::Jpeg)?;
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(output));
    let mut pixels = if segments.is_apart {
        decode_apart(source, bytes, segments, space)?
    } else {
        decoder.decode().map_err(refuse)?
    };
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    described.is_adobe_rgb = decoder.exif().is_some_and(|exif| is_in_adobe_rgb(exif));
    if let Some(inks) = inks {
        pixels = from_inks(pixels, inks == ColorSpace::YCCK, described);
    }
    let picture = Picture { width, height, channels: if grey { 1 } else { 3 }, pixels: Pixels::U8(pixels) };
    Ok(picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// RGB of a file whose components are in scans of their own, which the usual decoder gets wrong and says nothing
/// (zune-image, issues 419 and 448).
fn decode_apart<R>(
    source: &Source<'_, R>,
    bytes: &[u8],
    segments: &Segments,
    space: Option<ColorSpace>,
) -> Result<Vec<u8>> {
    use jpeg_decoder::{ColorTransform, Decoder, Error, PixelFormat};
    let decode = |bytes: &[u8]| {
        let mut decoder = Decoder::new(bytes);
        // Its own guess goes by the components' numbers before Adobe's marker.
        match space {
            Some(ColorSpace::RGB) => decoder.set_color_transform(ColorTransform::RGB),
            Some(ColorSpace::YCbCr) => decoder.set_color_transform(ColorTransform::YCbCr),
            _ => {}
        }
        Ok((decoder.decode()?, decoder.info().map(|info| info.pixel_format)))
    };
    let (pixels, format) = decode(bytes).map_err(|error| match error {
        Error::Unsupported(what) => source.unsupported(uses(format_args!("{what:?}")), AS_INTEGERS),
        e => source.damaged(e.to_string()),
    })?;
    if format != Some(PixelFormat::RGB24) {
        return Err(source.unsupported("is a JPEG of inks in separate scans".to_owned(), AS_INTEGERS));
    }
    // It makes up what is missing at the end of a scan, and that changes with other bits in its place.
    for filling in FILLINGS {
        let filled = with_filled_scans(bytes, segments, filling).and_then(|filled| decode(&filled).ok());
        if filled.is_none_or(|(filled, _)| filled != pixels) {
            return Err(source.damaged("the end of a scan is missing"));
        }
    }
    Ok(pixels)
}

/// Whether Exif data says Adobe RGB, as cameras do that write no profile: interoperability index R03 (DCF 2.0, section
/// 4.2).
fn is_in_adobe_rgb(exif: &[u8]) -> bool {
    let fields = exif::Reader::new().read_raw(exif.to_vec());
    let index = |fields: exif::Exif| {
        let field = fields.get_field(exif::Tag::InteroperabilityIndex, exif::In::PRIMARY)?;
        Some(
            matches!(&field.value, exif::Value::Ascii(text) if text.iter().any(|text| text.starts_with(b"R03"))),
        )
    };
    fields.ok().and_then(index).unwrap_or(false)
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

fn from_jpeg_error<R>(source: &Source<'_, R>, error: DecodeErrors) -> PictureError {
    match error {
        DecodeErrors::Unsupported(what) => source.unsupported(uses(format_args!("{what:?}")), AS_INTEGERS),
        DecodeErrors::LargeDimensions(side) => {
            source.too_large(format!("{side} pixels a side; at most 65535"))
        }
        e => source.damaged(format!("{e:?}")),
    }
}
