//! Output for people: curves, strips, sheets, error maps, films, HTML pages.

mod canvas;
pub mod curves;
pub mod error;
pub mod error_map;
pub mod film;
mod font;
mod labelled_error_map;
pub(crate) mod page;
pub mod palette;
pub mod panel;
pub mod sheet;
pub mod strip;

pub use curves::{CurvePoint, Series, save_psnr_curves};
pub(crate) use curves::{save_styled_curves, styled_svg};
pub use error::ReportError;
pub(crate) use error_map::ERROR_SCALE;
pub use error_map::error_map;
pub(crate) use film::pick_frames;
pub use film::{Film, Pacing, check_film_name, save_film};
pub use labelled_error_map::labelled_error_map;
pub(crate) use sheet::Sheet;
pub(crate) use strip::quality_label;
pub use strip::{Strip, epoch_label};
