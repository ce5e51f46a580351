//! The run folder and everything written into it.

pub mod checkpoint;
mod fit;
mod folder;
mod input;
mod lock;
mod manifest;
mod metrics;
mod recorder;
mod results;
mod session;
mod snapshots;
mod thumbnails;
mod training;
mod unfinished;

pub use fit::{Fit, Fitted};
pub use folder::RunFolder;
pub use input::Input;
pub use lock::{FolderLock, Holder};
pub use manifest::{FreshStarts, Manifest, Timings};
pub use metrics::{MetricsWriter, read_metrics};
pub use recorder::{Display, Recorder};
pub use results::Results;
pub use session::{Finished, Session, write_config};
pub use snapshots::SnapshotWriter;
pub use thumbnails::Thumbnails;
pub(crate) use unfinished::untrained_model;
pub use unfinished::{is_checkpoint, model_at_checkpoint, model_of_checkpoint};

use crate::picture::PictureError;
use crate::report::ReportError;
use crate::trainer::TrainError;
use std::path::{Path, PathBuf};

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run folder cannot be used.
    #[error("cannot use {} as a run folder: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Another process writes to the folder.
    #[error("cannot use {}: {holder}; wait until it ends or end it, or give another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process.
        holder: Holder,
    },
    /// A file in it cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        reason: String,
    },
    /// A picture cannot be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The model file cannot be written.
    #[error(transparent)]
    Model(#[from] crate::model_file::ModelFileError),
    /// The device was lost too often; the folder has the state to resume from.
    #[error(
        "the GPU could not be reopened: {reason}; `afterimage train --resume {folder}` resumes the run, also with \
         --backend cpu"
    )]
    DeviceGone {
        /// The last error.
        reason: String,
        /// The run's folder.
        folder: String,
    },
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl RunError {
    fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    fn folder(path: &Path, reason: impl Into<String>) -> Self {
        Self::Folder { path: path.to_owned(), reason: reason.into() }
    }

    fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::folder(path, format!("it cannot be written ({error})"))
    }

    pub(crate) fn write(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::Write { path: path.to_owned(), reason: reason.to_string() }
    }
}
