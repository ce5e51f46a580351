//! Collections of networks: one of the same shape for each of many pictures, in few files with an index.
//!
//! A collection is a folder. Its pictures are taken in blocks, in the order of the list; the networks of a block are one
//! file, which is written when the last of them is trained. Until then they are in a journal. What is in either is never
//! trained again.
//!
//! | module | contents |
//! |---|---|
//! | `source` | the pictures of a folder, a list or a tar archive |
//! | `request` | what is asked for: settings, shapes, seeds, a share of the list |
//! | `network` | one picture trained, and its row of the index |
//! | `store` | files of networks, and the index |
//! | `journal` | finished networks of unfinished files |
//! | `plan` | a new collection, or one that is continued |
//! | `together` | networks trained at once on a GPU |
//! | `workers` | all networks: one a core, or at once |
//! | `histogram` | how good they are |

mod histogram;
mod journal;
mod network;
mod plan;
mod request;
mod source;
mod store;
mod together;
mod workers;

pub use histogram::Histogram;
pub use network::Row;
pub use plan::Collection;
pub use request::{Channels, Crop, Request, Seeds, Shard};
pub use source::{Source, sources};
pub use workers::{Watch, run};

use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::picture::PictureError;
use crate::report::ReportError;
use crate::run::RunError;
use crate::trainer::TrainError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a collection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The pictures or the folder do not fit the request; says what would be right.
    #[error("{0}")]
    Unusable(String),
    /// Invalid settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A picture that cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// No device fits.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Another process writes to the folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The histogram cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// What a collection may fail at.
pub(crate) type Result<T, E = CollectError> = std::result::Result<T, E>;

impl CollectError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
