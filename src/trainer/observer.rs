//! What a run reports to its observer.

use super::{Checkpoint, Position, TrainError};
use crate::picture::Picture;

/// One row of the metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochSummary {
    /// Passes done; 0 is the untrained network.
    pub epoch: u64,
    /// Optimiser steps done.
    pub step: u64,
    /// Wall time since the run began, in seconds.
    pub seconds: f64,
    /// Learning rate of the epoch's last step; for epoch 0, of the first step.
    pub lr: f64,
    /// Mean over the epoch of each step's loss before its update; `None` for epoch 0.
    pub loss: Option<f64>,
    /// PSNR in dB of the whole training split after the epoch, if measured.
    pub psnr_train: Option<f64>,
    /// PSNR in dB of the whole test split after the epoch, if there is one and it was measured.
    pub psnr_test: Option<f64>,
}

/// Progress after each group of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Optimiser steps done.
    pub step: u64,
    /// Optimiser steps in the whole run.
    pub n_steps: u64,
    /// Samples trained on by this group.
    pub n_samples: u64,
}

/// Receives what happens during training. An error ends the run.
pub trait Observer {
    /// The error of the observer or the backend.
    type Error: From<TrainError>;

    /// Called before the first epoch and after each: the measurements and, if a snapshot is due, the network's whole
    /// picture.
    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), Self::Error>;

    /// After each group of steps.
    fn progress(&mut self, progress: &Progress);

    /// Whether to stop after the current step.
    fn stop_requested(&self) -> bool;

    /// Whether a checkpoint is due.
    fn checkpoint_due(&self, _position: &Position) -> bool {
        false
    }

    /// Stores a checkpoint; called when due, and at the end of the run.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The network learned nothing and the run restarts: all earlier reports are void.
    fn restarted(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The run diverged and rolls back to an earlier position: later reports are void.
    fn rolled_back(&mut self, _position: &Position) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Ignores everything, for programs that only want the result.
impl Observer for () {
    type Error = TrainError;

    fn epoch(&mut self, _: &EpochSummary, _: Option<Picture>) -> Result<(), TrainError> {
        Ok(())
    }
    fn progress(&mut self, _: &Progress) {}
    fn stop_requested(&self) -> bool {
        false
    }
}
