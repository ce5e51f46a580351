//! Reading picture files.
//!
//! The format is detected from the first bytes, never from the file's name, though that may help to name what is not
//! read. Pixels keep their depth. Colours are converted to sRGB, or in HDR and EXR files and float TIFFs to linear light
//! with its primaries. Files that say nothing are taken as that.

pub use super::claim::{MAX_DECODED_BYTES, MAX_PIXELS, MAX_SIDE};
use super::decode::{Decoded, Source, decode};
use super::{ColorHandling, IccProfile, Picture, PictureError, Pixels, Result, profile};
use crate::read_file::open_regular;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::num::NonZeroU32;
use std::path::Path;

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
pub fn load(path: &Path) -> Result<Picture> {
    Ok(read(path, Reading::default())?.picture)
}

/// Reads a file of any format that [`Format::names_read`](super::Format::names_read) lists. Of several pictures it takes
/// the first, or the largest if the first is a small copy of it, unless `reading` says which; the notes say what was
/// taken.
///
/// Grey and alpha are kept; palettes become RGB or RGBA, CMYK becomes RGB, and a GIF without
/// transparent pixels becomes RGB. EXIF orientation is applied, and the exposure of Radiance files. Needs little more
/// memory than the decoded pixels (twice as much to rotate a picture).
///
/// # Errors
/// When the file cannot be read, is not a picture, is damaged or cut short, exceeds
/// [`MAX_SIDE`], [`MAX_PIXELS`] or [`MAX_DECODED_BYTES`], or holds values that are not finite.
pub fn read(path: &Path, reading: Reading) -> Result<Loaded> {
    let read_error = |source| PictureError::Read { path: path.to_owned(), source };
    let (file, size_bytes) = open_regular(path).map_err(read_error)?;
    read_from(path, BufReader::with_capacity(1 << 16, file), size_bytes, reading)
}

/// Parses the bytes of a file. `name` is used in messages only and is not opened.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], name: &Path, reading: Reading) -> Result<Loaded> {
    read_from(name, Cursor::new(bytes), bytes.len() as u64, reading)
}

fn read_from(path: &Path, reader: impl BufRead + Seek, size_bytes: u64, reading: Reading) -> Result<Loaded> {
    let source = Source { path, reader, size_bytes, page: reading.page };
    let Decoded { mut picture, stored, described, mut notes } = decode(source, reading.color)?;
    refuse_non_finite(path, &picture)?;
    let profile = profile::hold(path, &mut picture, (stored, described), reading.color, &mut notes)?;
    Ok(Loaded { picture, notes, profile })
}

/// Refuses NaN and infinities, rather than silently training on other values in their place. `path` is for the message.
///
/// # Errors
/// [`PictureError::NotFinite`].
pub fn refuse_non_finite(path: &Path, picture: &Picture) -> Result<()> {
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
