//! Rate and distortion: pictures compressed to some numbers of bits a pixel, beside JPEG, WebP and AVIF files that are no
//! larger.
//!
//! | module | contents |
//! |---|---|
//! | `codec` | the largest file of each codec within a size, and what it decodes to |
//! | `plan` | pictures that can be compressed, and what is in the folder already |
//! | `point` | a codec at one rate |
//! | `measure` | all points of a picture |
//! | `table` | means over pictures, as CSV and Markdown |
//! | `page` | curves, sheets, and `report.html` |

mod codec;
mod measure;
mod page;
mod plan;
mod point;
mod table;

pub use codec::Codec;
pub use measure::{Progress, run};
pub use plan::{LeftOut, Rates, Request};
pub use point::{Measured, Point};
pub use table::Means;

use crate::compare::CompareError;
use crate::picture::PictureError;
use crate::report::ReportError;
use std::io;
use std::path::{Path, PathBuf};

/// Why rates are not compared.
#[derive(Debug, thiserror::Error)]
pub enum RatesError {
    /// Rates, pictures or a folder that cannot be used.
    #[error("{0}")]
    Request(String),
    /// Asked to stop; what is done stays.
    #[error("stopped")]
    Stopped,
    /// Pictures that cannot be found, or a folder that another process writes to.
    #[error(transparent)]
    Sources(#[from] CompareError),
    /// A picture that cannot be read or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A report that cannot be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file that cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What a comparison of rates may fail at.
pub(crate) type Result<T, E = RatesError> = std::result::Result<T, E>;

impl RatesError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
