//! Settings chosen by trying them.

mod sigma;

pub use sigma::{SigmaChoice, SigmaTrial, Watch, choose_sigma};

use crate::backend::BackendError;
use crate::config::ConfigError;

/// Why a setting could not be chosen.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The settings around it cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Asked to stop.
    #[error("stopped before sigma was chosen")]
    Stopped,
    /// No value of the setting led anywhere.
    #[error(
        "no sigma could be chosen: training diverged with every value; give a lower --lr, or a number for --sigma"
    )]
    Diverged,
}
