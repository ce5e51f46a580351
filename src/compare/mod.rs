//! Many runs at once: pictures x sizes x encodings x optimisers x seeds, and their results side by side.
//!
//! Every cell of the grid is an ordinary run folder, which `afterimage train --config` and `--resume` understand. Run
//! again, a comparison skips the cells that are done and resumes those that were stopped.
//!
//! | module | contents |
//! |---|---|
//! | `grid` | sizes, optimisers and seeds; finding pictures |
//! | `method` | the columns: encodings and presets |
//! | [`protocol`] | published training settings, with their sources |
//! | `plan` | cropping and resizing pictures, resolving cells, finding earlier results |
//! | `cell` | one run |
//! | `workers` | all runs, side by side |
//! | `records` | the result of each run |
//! | `table`, `write` | means and deviations, as CSV and Markdown |
//! | `pictures`, `page` | rows, strips, error maps, curves, and `report.html` |

mod cell;
mod grid;
mod method;
mod page;
mod pictures;
mod plan;
pub mod protocol;
mod records;
mod table;
mod workers;
mod write;

pub use cell::{Cell, State};
pub use grid::{Axes, MAX_SEEDS, MAX_SIZE, Size, Source, sources};
pub use method::{EncodingChoice, Method, Parameter};
pub use plan::{Comparison, LeftOut, Request};
pub use protocol::Protocol;
pub use records::Record;
pub use table::{Cost, Headline, Row, Spread};
pub use workers::{Ending, Share, Watch, run, work};
pub(crate) use write::quoted;

use crate::config::ConfigError;
use crate::picture::PictureError;
use crate::report::ReportError;
use crate::run::RunError;
use crate::tune::TuneError;
use std::path::{Path, PathBuf};

/// Why a comparison, or one of its cells, failed.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// An invalid grid.
    #[error("{0}")]
    Grid(String),
    /// Invalid settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A picture that cannot be read, or a report's picture that cannot be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The folder holds a run with other settings than requested.
    #[error(
        "{} holds a run with {what}; give --force to retrain it, or another --out", path.display()
    )]
    OtherRun {
        /// The cell's folder.
        path: PathBuf,
        /// How it differs.
        what: &'static str,
    },
    /// Training, or writing its files, failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Sigma could not be chosen.
    #[error(transparent)]
    Tune(#[from] TuneError),
    /// A report cannot be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

/// What a comparison may fail at.
pub(crate) type Result<T, E = CompareError> = std::result::Result<T, E>;

impl CompareError {
    fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// Writes all reports of `plan` below its folder from the cells that are done, and returns their results.
///
/// # Errors
/// When a run's files cannot be read or a report cannot be written.
pub fn report(plan: &Comparison) -> Result<Vec<Record>> {
    let records = records::records(plan)?;
    let headline = Headline::of(plan, &records);
    write::write(plan, &records, &headline)?;
    let scenes = pictures::write(plan, &records, |panel| page::scene(plan, &headline, &records, panel))?;
    page::write(plan, &headline, &scenes)?;
    Ok(records)
}
