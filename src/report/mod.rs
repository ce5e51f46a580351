//! What a run shows to people: curves, strips of snapshots and films.

pub mod canvas;
pub mod curves;
pub mod error;
pub mod film;
pub mod font;
pub mod palette;
pub mod panel;
pub mod strip;

pub use curves::{CurvePoint, Series, save_psnr_curves};
pub use error::ReportError;
pub use film::{Film, pick_frames, save_film};
pub use strip::{Strip, epoch_label, quality_label};
