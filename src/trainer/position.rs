//! The position of a run, and the state needed to resume it.

use super::Evaluation;
use crate::backend::TunedConfig;
use crate::config::Resolved;
use crate::model::{Importance, TrainingState};
use std::sync::Arc;

/// How often a collapsed run restarts before it counts as failed.
pub(super) const MAX_RESTARTS: u32 = 3;

/// Factor on the learning rate at each restart.
const RESTART_LR_FACTOR: f64 = 0.25;

/// The progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Whole passes over the training pixels.
    pub epochs_done: u64,
    /// Steps of the current pass.
    pub steps_into_epoch: u32,
    /// Sum of those steps' losses.
    pub loss_sum: f64,
    /// Wall time spent so far, in seconds.
    pub seconds: f64,
    /// Factor on the learning rate: 1, halved each time the run diverged and rolled back.
    pub lr_scale: f64,
    /// How often the network learned nothing and the run restarted.
    #[serde(default)]
    pub fresh_starts: u32,
    /// The picture's error at the last check, if it was flat, as a multiple of that of the best flat picture.
    #[serde(default)]
    pub flat_error: Option<f64>,
    /// Whether the picture was as good as the run was to make it: then it is complete before its last epoch.
    #[serde(default)]
    pub reached: bool,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            epochs_done: 0,
            steps_into_epoch: 0,
            loss_sum: 0.0,
            seconds: 0.0,
            lr_scale: 1.0,
            fresh_starts: 0,
            flat_error: None,
            reached: false,
        }
    }
}

impl Position {
    /// Whether a run can reach this: its values are in range, whatever a file says.
    pub fn is_plausible(&self) -> bool {
        self.lr_scale > 0.0
            && self.lr_scale <= 1.0
            && self.seconds >= 0.0
            && self.loss_sum.is_finite()
            && self.fresh_starts <= MAX_RESTARTS
            && self.flat_error.is_none_or(|error| error.is_finite() && error >= 0.0)
    }

    /// Factor on the learning rate, after all roll-backs and restarts.
    pub fn lr_factor(&self) -> f64 {
        self.lr_scale * RESTART_LR_FACTOR.powi(self.fresh_starts as i32)
    }

    /// Whether `run` is complete.
    pub fn is_end_of(&self, run: &Resolved) -> bool {
        self.reached || self.epochs_done >= run.epochs
    }

    /// Whether nothing is trained yet.
    pub fn is_beginning(&self) -> bool {
        self.epochs_done == 0 && self.steps_into_epoch == 0
    }

    /// Whether `run` can be here after `step` optimiser steps.
    pub fn belongs_to(&self, run: &Resolved, step: u64) -> bool {
        let steps = u128::from(self.epochs_done) * u128::from(run.steps_per_epoch())
            + u128::from(self.steps_into_epoch);
        self.epochs_done <= run.epochs
            && self.steps_into_epoch <= run.steps_per_epoch()
            && u128::from(step) == steps
    }
}

/// A state to resume from: the position, and the training state.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The position.
    pub position: Position,
    /// The training state.
    pub state: TrainingState,
    /// The best state so far, with `--keep best`.
    pub best: Option<Best>,
    /// The sample distribution, unless each pixel is taken once.
    pub importance: Option<Arc<Importance>>,
    /// How the GPU trained it.
    pub method: Option<TunedConfig>,
}

/// The state with the best test PSNR.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Passes done by then.
    pub epoch: u64,
    /// PSNR of the test split in dB.
    pub psnr_test: f64,
    /// Its training state.
    pub state: TrainingState,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The final position.
    pub position: Position,
    /// False if it was asked to stop early.
    pub complete: bool,
    /// Optimiser steps done.
    pub step: u64,
    /// The final picture and its error, if the last action was to measure them.
    pub evaluation: Option<Evaluation>,
    /// The epoch whose weights the backend now has, if an earlier one was best.
    pub kept_epoch: Option<u64>,
}
