//! Reading picture files.
//!
//! The format is detected from the first bytes, never from the file's name. Pixels keep their depth.
//! Colours are converted to sRGB, or in HDR and EXR files and float TIFFs to linear light with its primaries. Files that
//! say nothing are taken as that.

use super::claim::Claim;
pub use super::claim::{MAX_DECODED_BYTES, MAX_PIXELS, MAX_SIDE};
use super::profile::{self, Described};
use super::{ColorHandling, Format, IccProfile, Picture, PictureError, Pixels, jpeg};
use crate::read_file::open_regular;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::num::NonZeroU32;
use std::path::Path;

/// Memory that a PNG may decompress to besides its pixels.
const MAX_PNG_EXTRA_BYTES: u64 = 64 << 20;

/// What a file leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Which of several pictures in the file, counted from 1. `None` takes the largest or first.
    pub page: Option<NonZeroU32>,
    /// What becomes of its colour space.
    pub color: ColorHandling,
}

/// A picture from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The picture.
    pub picture: Picture,
    /// What was done that a user might not expect, a sentence each, without a full stop.
    pub notes: Vec<String>,
    /// The profile of the picture's values, if they are kept in another colour space than sRGB.
    pub profile: Option<IccProfile>,
}

/// The picture that [`read`] returns when nothing is asked for, without its notes.
///
/// # Errors
/// As [`read`].
pub fn load(path: &Path) -> Result<Picture, PictureError> {
    Ok(read(path, Reading::default())?.picture)
}

/// Reads a file of any format that [`Format::names_read`] lists; of a GIF its first frame.
///
/// Grey and alpha are kept; palettes become RGB or RGBA, CMYK becomes RGB, and a GIF without
/// transparent pixels becomes RGB. EXIF orientation is applied. Needs little more memory than the
/// decoded pixels (twice as much to rotate a picture by 90 degrees).
///
/// # Errors
/// When the file cannot be read, is not a picture, is damaged or cut short, exceeds
/// [`MAX_SIDE`], [`MAX_PIXELS`] or [`MAX_DECODED_BYTES`], or holds values that are not finite.
pub fn read(path: &Path, reading: Reading) -> Result<Loaded, PictureError> {
    let read_error = |source| PictureError::Read { path: path.to_owned(), source };
    let (file, size_bytes) = open_regular(path).map_err(read_error)?;
    read_from(path, BufReader::with_capacity(1 << 16, file), size_bytes, reading)
}

/// Parses the bytes of a file. `name` is used in messages only and is not opened.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], name: &Path, reading: Reading) -> Result<Loaded, PictureError> {
    read_from(name, Cursor::new(bytes), bytes.len() as u64, reading)
}

fn read_from(
    path: &Path,
    mut reader: impl BufRead + Seek,
    size_bytes: u64,
    reading: Reading,
) -> Result<Loaded, PictureError> {
    let read_error = |source| PictureError::Read { path: path.to_owned(), source };
    let format = sniff(&mut reader).map_err(read_error)?;
    let known = || Format::names_read("and");
    let format = format.ok_or_else(|| PictureError::NotAPicture { path: path.to_owned(), known: known() })?;
    let mut described = Described::read(&mut reader, format);
    if let Some(space) = described.unsupported {
        let detail = format!("its colours are {space}");
        return Err(PictureError::Unsupported { path: path.to_owned(), detail });
    }
    let image = if format == ImageFormat::Jpeg {
        jpeg::decode(path, reader, size_bytes, (&mut described, reading.color))?
    } else {
        decode(path, reader, format, size_bytes, &mut described)?
    };
    if let Some(page) = reading.page.filter(|page| page.get() > 1) {
        return Err(PictureError::NoSuchPage { path: path.to_owned(), page, n_pages: 1 });
    }
    let mut picture = into_picture(path, image, format)?;
    let mut notes = Vec::new();
    let profile = profile::hold(path, &mut picture, described, reading.color, &mut notes)?;
    Ok(Loaded { picture, notes, profile })
}

/// Detects the format from the first bytes. Leaves the reader at the start.
fn sniff(reader: &mut (impl Read + Seek)) -> io::Result<Option<ImageFormat>> {
    let mut magic = Vec::with_capacity(64);
    reader.by_ref().take(64).read_to_end(&mut magic)?;
    reader.rewind()?;
    Ok(image::guess_format(&magic).ok())
}

fn decode(
    path: &Path,
    reader: impl BufRead + Seek,
    format: ImageFormat,
    size_bytes: u64,
    described: &mut Described,
) -> Result<DynamicImage, PictureError> {
    let refuse = |e| from_image_error(path, e);
    let mut reader = ImageReader::with_format(reader, format);
    reader.limits(limits(format));
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    let claim = Claim { width, height, decoded_bytes: decoder.total_bytes(), file_bytes: size_bytes };
    claim.check(path, format)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // Those of PNG and TIFF are read with the rest that describes their colours.
    if format == ImageFormat::WebP {
        described.icc = decoder.icc_profile().ok().flatten();
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn limits(format: ImageFormat) -> Limits {
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

fn from_image_error(path: &Path, error: ImageError) -> PictureError {
    let path = path.to_owned();
    match error {
        ImageError::Unsupported(e) => PictureError::Unsupported { path, detail: e.to_string() },
        ImageError::Limits(e) => PictureError::TooLarge { path, detail: e.to_string() },
        ImageError::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
            PictureError::Read { path, source: e }
        }
        e => PictureError::Damaged { path, detail: e.to_string() },
    }
}

/// Takes over the decoder's buffer without copying.
fn into_picture(path: &Path, image: DynamicImage, format: ImageFormat) -> Result<Picture, PictureError> {
    let image = match image {
        // The GIF decoder always gives RGBA.
        DynamicImage::ImageRgba8(b) if format == ImageFormat::Gif && b.pixels().all(|p| p.0[3] == 255) => {
            DynamicImage::ImageRgba8(b).into_rgb8().into()
        }
        image => image,
    };
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
            let detail = format!("colour type {:?}", other.color());
            return Err(PictureError::Unsupported { path: path.to_owned(), detail });
        }
    };
    let picture = Picture { width, height, channels, pixels };
    refuse_non_finite(path, &picture)?;
    Ok(picture)
}

/// Refuses NaN and infinities, rather than silently training on other values in their place.
fn refuse_non_finite(path: &Path, picture: &Picture) -> Result<(), PictureError> {
    let Pixels::F32(values) = &picture.pixels else { return Ok(()) };
    let count = values.iter().filter(|v| !v.is_finite()).count();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(first) => {
            let pixel = first / picture.channels;
            let (x, y) = (pixel % picture.width as usize, pixel / picture.width as usize);
            Err(PictureError::NotFinite { path: path.to_owned(), count, x, y })
        }
    }
}
