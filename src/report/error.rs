//! What can go wrong with a report.

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
    /// An output file whose name does not say which kind of film it is to be.
    #[error("{} has no extension of a film; use .gif, .apng or .png, or with ffmpeg .mp4, .mov or .webp", path.display())]
    FilmFormat {
        /// The file.
        path: PathBuf,
    },
    /// A format that ffmpeg writes, without ffmpeg.
    #[error("{} needs the program ffmpeg, which was not found; install it, or make a .gif or .apng", path.display())]
    NoFfmpeg {
        /// The file.
        path: PathBuf,
    },
    /// ffmpeg gave up.
    #[error("ffmpeg could not make {} ({reason}); make a .gif or .apng, or install a fuller ffmpeg", path.display())]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// The last thing it said.
        reason: String,
    },
    /// A film without frames.
    #[error("a film needs at least one snapshot, and there is none")]
    NoFrames,
    /// A frame that is not a picture of the same size as the first.
    #[error(
        "{} is {found} pixels large and the first frame {expected}; a film needs frames of one shape",
        path.display()
    )]
    FrameSize {
        /// The odd frame.
        path: PathBuf,
        /// Its size, as width x height.
        found: String,
        /// The first frame's.
        expected: String,
    },
}
