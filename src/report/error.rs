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
    /// An output file without the extension of a film format.
    #[error("{} does not have the extension of a film; use .gif, .apng or .png, or with ffmpeg .mp4, .mov or .webp", path.display())]
    FilmFormat {
        /// The file.
        path: PathBuf,
    },
    /// A format that needs ffmpeg, which is not installed.
    #[error("{} needs the program ffmpeg, which was not found; install it, or make a .gif or .apng", path.display())]
    NoFfmpeg {
        /// The file.
        path: PathBuf,
    },
    /// ffmpeg failed.
    #[error("ffmpeg could not make {} ({reason}); make a .gif or .apng, or install ffmpeg with more codecs", path.display())]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// The last line of its output.
        reason: String,
    },
    /// Stopped by the caller.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A film without frames.
    #[error("a film needs at least one snapshot, and there is none")]
    NoFrames,
    /// A frame of another size than the first.
    #[error(
        "{} is {found} pixels and the first frame {expected}; all frames of a film must have the same shape",
        path.display()
    )]
    FrameSize {
        /// The frame.
        path: PathBuf,
        /// Its size, as width x height.
        found: String,
        /// The first frame's.
        expected: String,
    },
}
