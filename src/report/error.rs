//! Errors of reports.

use crate::picture::PictureError;
use std::io;
use std::path::PathBuf;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A picture it is made from cannot be read, or one it writes cannot be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system or the encoder said.
        source: io::Error,
    },
    /// A film that cannot be made, and what would be right.
    #[error("{0}")]
    Film(String),
    /// A film without frames.
    #[error("a film needs at least one snapshot, and there is none")]
    NoFrames,
}
