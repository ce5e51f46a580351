//! Output for people: curves, strips, sheets, error maps, films, HTML pages.

mod canvas;
pub mod curves;
mod decibels;
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

pub use curves::{CurvePoint, LineStyle, Series, save_psnr_curves, save_styled_curves, styled_svg};
pub use decibels::Decibels;
pub use error::ReportError;
pub use error_map::{ERROR_SCALE, error_map, pixel_errors};
pub use film::{Film, Pacing, check_film_name, pick_frames, save_film, save_film_unless};
pub use labelled_error_map::{labelled_error_map, scale_for};
pub use sheet::Sheet;
pub use strip::{Strip, epoch_label, quality_label};
