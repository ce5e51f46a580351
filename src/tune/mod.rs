//! Settings chosen by short training runs.

mod epochs;
mod rounded;
mod scale;

pub use epochs::epochs_within;
pub use rounded::train_rounded;
pub use scale::{ScaleChoice, ScaleTrial, Watch, choose_scale};

use crate::backend::BackendError;
use crate::config::ConfigError;

/// Why a setting could not be chosen.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The other settings are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Asked to stop.
    #[error("stopped before a scale of frequencies was chosen")]
    Stopped,
    /// Training diverged with every value.
    #[error(
        "no scale of frequencies could be chosen: training diverged with every value; give a lower --lr, or a number for \
         --sigma or --w0"
    )]
    Diverged,
}
