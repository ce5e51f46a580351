//! What a run tells whoever watches it.

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
    /// Learning rate of the epoch's last step; of the first step to come for epoch 0.
    pub lr: f64,
    /// Mean over the epoch of each step's loss before its update; none for epoch 0.
    pub loss: Option<f64>,
    /// PSNR in dB of the whole training split after the epoch, where it was measured.
    pub psnr_train: Option<f64>,
    /// PSNR in dB of the whole test split after the epoch, where there is one and it was measured.
    pub psnr_test: Option<f64>,
}

/// What a progress display needs, after each group of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Optimiser steps done.
    pub step: u64,
    /// Optimiser steps in the whole run.
    pub n_steps: u64,
    /// Samples trained on by this group.
    pub n_samples: u64,
}

/// Hears what happens during training and writes it down.
pub trait Observer {
    /// What can go wrong for the observer or the backend.
    type Error: From<TrainError>;

    /// Before the first epoch and after each: the measurements and, where a snapshot was due,
    /// the whole picture as the network sees it.
    ///
    /// # Errors
    /// Ends the run.
    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), Self::Error>;

    /// After each group of steps.
    fn progress(&mut self, progress: &Progress);

    /// Whether to end after the step in hand.
    fn stop_requested(&self) -> bool;

    /// Whether the state should be kept now.
    fn checkpoint_due(&self, _position: &Position) -> bool {
        false
    }

    /// Keeps the state; called when due, and at the end of the run.
    ///
    /// # Errors
    /// Ends the run.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The network learned nothing and the run begins again: all that was told is void.
    ///
    /// # Errors
    /// Ends the run.
    fn restarted(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The run diverged and goes on from an earlier position: what came after it is void.
    ///
    /// # Errors
    /// Ends the run.
    fn rolled_back(&mut self, _position: &Position) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Observes nothing: for training within a program that only wants the result.
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
