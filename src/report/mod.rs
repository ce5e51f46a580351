//! Output for people: curves, strips, sheets, error maps, films, HTML pages.

mod canvas;
pub mod curves;
mod decibels;
pub mod error_map;
pub mod film;
mod font;
mod histogram;
mod labelled_error_map;
pub(crate) mod page;
pub mod palette;
pub mod panel;
pub mod sheet;
pub mod strip;
mod table;

pub use curves::{CurvePoint, Series, save_psnr_curves};
pub(crate) use curves::{Over, RateCurve, rate_svg, save_rate_curves, save_styled_curves, styled_svg};
pub use decibels::Decibels;
pub(crate) use error_map::ERROR_SCALE;
pub use error_map::error_map;
pub(crate) use film::pick_frames;
pub use film::{Film, Pacing, check_film_name, save_film, save_film_unless};
pub(crate) use histogram::histogram_svg;
pub use labelled_error_map::labelled_error_map;
pub(crate) use sheet::Sheet;
pub(crate) use strip::quality_label;
pub use strip::{Strip, epoch_label};
pub(crate) use table::{Table, TableRow, plain};

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
    /// Stopped by the caller.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A film without frames.
    #[error("a film needs at least one snapshot, and there is none")]
    NoFrames,
}
