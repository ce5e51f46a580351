//! Why training stops.

use crate::backend::BackendError;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The loss is no longer finite.
    #[error(
        "training diverged: the loss is no longer a finite number in epoch {epoch}, even at a learning rate of {lr:e}; give a lower --lr (with muon, --muon-lr), or a lower --weight-decay if you gave one"
    )]
    Diverged {
        /// The epoch in which it was detected.
        epoch: u64,
        /// The lowest initial learning rate tried.
        lr: f64,
    },
}
