//! Errors of reading, changing and writing pictures.

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// Ways out for a file that cannot be read, which keep its depth.
pub(super) const AS_INTEGERS: &str = "convert it to PNG or TIFF with 16 bits a value";
pub(super) const AS_FLOATS: &str = "convert it to OpenEXR, or to TIFF with 32-bit floats";

/// What a decoder does not support, with a verb.
pub(super) fn uses(feature: impl std::fmt::Display) -> String {
    format!("uses what is not supported ({feature})")
}

/// Why a picture could not be read, changed or written.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The contents are no picture.
    #[error("{} is not a picture that can be read: {found}", path.display())]
    NotAPicture {
        /// The file.
        path: PathBuf,
        /// What it is, or the formats that it is not.
        found: String,
    },
    /// An unsupported format or colour type.
    #[error("{} {what} and cannot be read; {instead}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is or has, with its verb.
        what: String,
        /// A way to a file that can be read and has lost nothing.
        instead: &'static str,
    },
    /// Cut short or corrupted.
    #[error("{} is damaged or cut short ({detail}); copy or save it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where decoding failed.
        detail: String,
    },
    /// Larger than the limits of [`super::load()`].
    #[error("{} is too large ({detail}); scale it down first", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The size found and the size allowed.
        detail: String,
    },
    /// An HDR picture with NaN or infinite values.
    #[error(
        "{} has {count} values that are not finite numbers, the first at pixel ({x}, {y}); replace them before training",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// How many values.
        count: usize,
        /// Column of the first.
        x: usize,
        /// Row of the first.
        y: usize,
    },
    /// A file has fewer pictures than were counted on.
    #[error("{} has {n_pages} picture{}, so --page cannot be {page}", path.display(), if *n_pages == 1 { "" } else { "s" })]
    NoSuchPage {
        /// The file.
        path: PathBuf,
        /// The page asked for, counted from 1.
        page: NonZeroU32,
        /// Pictures in the file.
        n_pages: usize,
    },
    /// A crop larger than the picture.
    #[error(
        "a crop of {crop_width}x{crop_height} does not fit into a picture of {width}x{height}; ask for at least 1x1 and at most the picture's size"
    )]
    CropTooLarge {
        /// Width asked for.
        crop_width: u32,
        /// Height asked for.
        crop_height: u32,
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
    },
    /// An output file without the extension of a known format.
    #[error("{} does not have the extension of a picture format; use one of {known}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The known extensions.
        known: String,
    },
    /// A bit depth that a format does not have.
    #[error("{format} cannot store {bits} bits a value; use {possible}")]
    NoSuchDepth {
        /// The format.
        format: &'static str,
        /// Bits asked for.
        bits: u8,
        /// Bits it supports.
        possible: String,
    },
    /// A colour picture for a format without colours.
    #[error("a .{extension} file holds grey only, and the picture has colours; use .ppm or .png")]
    NoColors {
        /// The format's extension.
        extension: &'static str,
    },
    /// A picture too large for a format, or for this machine's memory.
    #[error(
        "{width}x{height} is too large for {format} ({detail}); {streamed} are written row by row at any size"
    )]
    TooLargeToWrite {
        /// The format.
        format: &'static str,
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
        /// Which limit.
        detail: String,
        /// The formats without one.
        streamed: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system or the encoder said.
        source: io::Error,
    },
}

/// What a picture's file may fail at.
pub(crate) type Result<T, E = PictureError> = std::result::Result<T, E>;

impl PictureError {
    pub(super) fn unsupported(path: &Path, what: impl Into<String>, instead: &'static str) -> Self {
        Self::Unsupported { path: path.to_owned(), what: what.into(), instead }
    }

    pub(super) fn damaged(path: &Path, detail: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), detail: detail.into() }
    }

    pub(super) fn too_large(path: &Path, detail: impl Into<String>) -> Self {
        Self::TooLarge { path: path.to_owned(), detail: detail.into() }
    }
}
