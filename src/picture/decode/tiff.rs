//! TIFF files: the picture that is meant, with all kinds of samples.
//!
//! The `tiff` crate decodes only the first list of directories, and refuses colours that it cannot name. Both are
//! solved by showing it the file with a few other bytes: the place of the first directory, and grey for any colours, so
//! that it gives all samples as they are stored. What they mean is worked out in `tiff_samples`.

use super::patched::Patched;
use super::plain::{self, from_image_error};
use super::sniff::DEVELOP;
use super::tiff_directories::{Directories, Directory, directories};
use super::tiff_samples::{Layout, SIMPLER, picture_of};
use super::{AS_INTEGERS, Decoded, Source, Taken};
use crate::picture::alpha::Stored;
use crate::picture::claim::{Claim, MAX_DECODED_BYTES};
use crate::picture::error::uses;
use crate::picture::profile::{Described, cmyk_to_srgb};
use crate::picture::{ColorHandling, Picture, PictureError, Pixels, Result};
use image::metadata::Orientation;
use image::{ImageFormat, codecs};
use std::io::{BufRead, BufReader, Read, Seek};
use tiff::TiffError;
use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

const CMYK: u64 = 5;

/// Decodes the picture that is meant. CMYK is converted by its profile, unless `color` keeps that.
pub(super) fn decode<R: BufRead + Seek>(mut source: Source<'_, R>, color: ColorHandling) -> Result<Decoded> {
    let all = directories(&mut source.reader).map_err(|e| source.read_error(e))?;
    if all.is_raw {
        return Err(source.unsupported("is a camera's raw file", DEVELOP));
    }
    if all.pictures.is_empty() {
        return Err(source.damaged("it has no directory of a picture"));
    }
    let largest = all.largest();
    let taken = if largest > 0 { Taken::Largest(largest) } else { Taken::First };
    let (index, notes) = source.choose(all.pictures.len(), taken)?;
    let directory = &all.pictures[index];
    let mut decoded = if directory.photometric == Some(CMYK) {
        decode_cmyk(source, &all, directory, color)?
    } else {
        decode_samples(source, &all, directory)?
    };
    decoded.notes.splice(0..0, notes);
    Ok(decoded)
}

fn decode_cmyk<R: BufRead + Seek>(
    source: Source<'_, R>,
    all: &Directories,
    directory: &Directory,
    color: ColorHandling,
) -> Result<Decoded> {
    let Source { path, mut reader, size_bytes, .. } = source;
    if color == ColorHandling::Srgb
        && let Some(decoded) = cmyk_by_profile(path, &mut reader, all, directory)?
    {
        return Ok(decoded);
    }
    let patched = Patched::new(reader, vec![all.as_first(directory)])
        .map_err(|source| PictureError::Read { path: path.to_owned(), source })?;
    let mut decoder =
        codecs::tiff::TiffDecoder::new(BufReader::new(patched)).map_err(|e| from_image_error(path, e))?;
    image::ImageDecoder::set_limits(&mut decoder, plain::limits(ImageFormat::Tiff))
        .map_err(|e| from_image_error(path, e))?;
    let mut decoded = plain::decode_with(path, size_bytes, decoder, ImageFormat::Tiff)?;
    decoded.described.icc = None;
    decoded.notes.push(format!("{} has CMYK colours, converted to RGB without a profile", path.display()));
    Ok(decoded)
}

/// CMYK of 8 bits with a profile of it; `None` for others.
fn cmyk_by_profile<R: Read + Seek>(
    path: &std::path::Path,
    reader: &mut R,
    all: &Directories,
    directory: &Directory,
) -> Result<Option<Decoded>> {
    let refuse = |e| from_tiff_error(path, e);
    let is_plain = directory.bits == 8 && directory.extra_samples.is_empty();
    let patched = Patched::new(reader, vec![all.as_first(directory)]);
    let patched = patched.map_err(|e| super::read_error(path, e))?;
    let mut decoder = Decoder::new(patched).map_err(refuse)?.with_limits(limits());
    let icc = decoder.find_tag(Tag::IccProfile).ok().flatten().and_then(|tag| tag.into_u8_vec().ok());
    let Some(icc) = icc.filter(|_| is_plain) else { return Ok(None) };
    let (width, height) = decoder.dimensions().map_err(refuse)?;
    let decoded_bytes = u64::from(width) * u64::from(height) * 4;
    // A file packs as much as its own size says.
    Claim { width, height, decoded_bytes, file_bytes: u64::MAX }.check(path, ImageFormat::Tiff)?;
    let orientation: Option<u16> = decoder.find_tag_unsigned(Tag::Orientation).ok().flatten();
    let DecodingResult::U8(inks) = decoder.read_image().map_err(refuse)? else { return Ok(None) };
    if inks.len() as u64 != decoded_bytes {
        return Ok(None);
    }
    let Some((pixels, profile)) = cmyk_to_srgb(&inks, &icc) else { return Ok(None) };
    let orientation = orientation.and_then(|o| Orientation::from_exif(u8::try_from(o).ok()?));
    let picture = Picture { width, height, channels: 3, pixels: Pixels::U8(pixels) };
    let picture = picture.oriented(orientation.unwrap_or(Orientation::NoTransforms));
    let described = Described { converted: Some(profile), ..Described::default() };
    Ok(Some(Decoded { described, ..Decoded::plain(picture) }))
}

fn decode_samples<R: Read + Seek>(
    mut source: Source<'_, R>,
    all: &Directories,
    directory: &Directory,
) -> Result<Decoded> {
    let Some(photometric) = directory.photometric else {
        return Err(source.unsupported("does not say what its values mean", AS_INTEGERS));
    };
    let patches = vec![all.as_first(directory), all.as_grey(directory)];
    let reader = Patched::new(&mut source.reader, patches);
    let reader = reader.map_err(|e| super::read_error(source.path, e))?;
    let path = source.path;
    let refuse = |e| from_tiff_error(path, e);
    let mut decoder = Decoder::new(reader).map_err(refuse)?.with_limits(limits());
    let (width, height) = decoder.dimensions().map_err(refuse)?;
    let numbers = |tag, decoder: &mut Decoder<_>| decoder.find_tag_unsigned_vec::<u16>(tag).ok().flatten();
    let first = |tag, decoder: &mut Decoder<_>| numbers(tag, decoder).and_then(|n| n.first().copied());
    let layout = Layout {
        width,
        height,
        photometric,
        bits: directory.bits,
        n_samples: usize::from(first(Tag::SamplesPerPixel, &mut decoder).unwrap_or(1)),
        format: first(Tag::SampleFormat, &mut decoder).unwrap_or(1),
        extra_samples: directory.extra_samples.clone(),
        palette: if photometric == 3 { numbers(Tag::ColorMap, &mut decoder) } else { None },
        compression: directory.compression,
    };
    let orientation = first(Tag::Orientation, &mut decoder).unwrap_or(1);
    let icc = decoder.find_tag(Tag::IccProfile).ok().flatten().and_then(|tag| tag.into_u8_vec().ok());
    const GDAL_NODATA: Tag = Tag::Unknown(42_113);
    let nodata = decoder.find_tag(GDAL_NODATA).ok().flatten().and_then(|tag| tag.into_string().ok());
    let nodata = nodata.map(|value| {
        let value = value.trim_matches(['\0', ' ']).to_owned();
        format!("marks pixels without data by {value:?}, which is taken like any other value; --mask leaves them out")
    });
    layout.check().map_err(|(what, instead)| PictureError::unsupported(path, what, instead))?;
    let claim = |decoded_bytes| {
        Claim { width, height, decoded_bytes, file_bytes: source.size_bytes }.check(path, ImageFormat::Tiff)
    };
    claim(u64::from(width).saturating_mul(u64::from(height)).saturating_mul(layout.pixel_bytes()))?;
    // As they are stored, samples may be twice as precise, and more than are used.
    claim(decoder.image_buffer_layout().map_err(refuse)?.complete_len as u64 / 2)?;
    let mut samples = DecodingResult::U8(Vec::new());
    let planned: BufferLayoutPreference = decoder.read_image_to_buffer(&mut samples).map_err(refuse)?;
    let picture = picture_of(&layout, &planned, samples).map_err(|detail| source.damaged(detail))?;
    let orientation = u8::try_from(orientation).ok().and_then(Orientation::from_exif);
    let unclear = layout.unclear_samples().map(|which| format!("has {which}"));
    let notes = unclear.into_iter().chain(nodata).map(|what| format!("{} {what}", path.display()));
    Ok(Decoded {
        picture: picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)),
        stored: if layout.has_associated_alpha() { Stored::Associated } else { Stored::Straight },
        described: Described { icc, ..Described::default() },
        notes: notes.collect(),
    })
}

fn limits() -> Limits {
    const MOST: usize = 2 * MAX_DECODED_BYTES as usize;
    let mut limits = Limits::unlimited();
    limits.decoding_buffer_size = MOST;
    limits.intermediate_buffer_size = MOST;
    limits.ifd_value_size = MOST;
    limits
}

fn from_tiff_error(path: &std::path::Path, error: TiffError) -> PictureError {
    match error {
        TiffError::UnsupportedError(e) => PictureError::unsupported(path, uses(e), SIMPLER),
        TiffError::LimitsExceeded => PictureError::too_large(path, "its parts do not fit into memory"),
        TiffError::IoError(e) => super::read_error(path, e),
        e => PictureError::damaged(path, e.to_string()),
    }
}
