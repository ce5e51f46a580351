//! Where a run stands, and what is needed to go on from there.

use super::Evaluation;
use crate::backend::TunedConfig;
use crate::config::Resolved;
use crate::model::{Importance, TrainingState};
use std::sync::Arc;

/// How often a collapsed run starts afresh before it is left as it is.
pub(super) const MAX_FRESH_STARTS: u32 = 3;

/// What each fresh start leaves of the learning rate.
const FRESH_START_LR: f64 = 0.25;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Whole passes over the training pixels.
    pub epochs_done: u64,
    /// Steps of the pass in hand.
    pub steps_into_epoch: u32,
    /// Sum of those steps' losses.
    pub loss_sum: f64,
    /// Wall time spent so far, in seconds.
    pub seconds: f64,
    /// Factor on the learning rate: 1, halved each time the run diverged and went back.
    pub lr_scale: f64,
    /// How often the network learned nothing and the run began again.
    #[serde(default)]
    pub fresh_starts: u32,
    /// Where the network's picture was flat at the last check: its error, as a multiple of the best flat
    /// picture's.
    #[serde(default)]
    pub flat_error: Option<f64>,
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
        }
    }
}

impl Position {
    /// Whether a run can come here: what it counts is in range, whatever was read from a file.
    pub fn is_plausible(&self) -> bool {
        self.lr_scale > 0.0
            && self.lr_scale <= 1.0
            && self.seconds >= 0.0
            && self.loss_sum.is_finite()
            && self.fresh_starts <= MAX_FRESH_STARTS
            && self.flat_error.is_none_or(|error| error.is_finite() && error >= 0.0)
    }

    /// Factor on the learning rate, after all that went wrong so far.
    pub fn lr_factor(&self) -> f64 {
        self.lr_scale * FRESH_START_LR.powi(self.fresh_starts as i32)
    }

    /// Whether nothing is trained yet.
    pub fn is_beginning(&self) -> bool {
        self.epochs_done == 0 && self.steps_into_epoch == 0
    }

    /// Whether `run` comes here after `step` optimiser steps.
    pub fn belongs_to(&self, run: &Resolved, step: u64) -> bool {
        let steps = u128::from(self.epochs_done) * u128::from(run.steps_per_epoch())
            + u128::from(self.steps_into_epoch);
        self.epochs_done <= run.epochs
            && self.steps_into_epoch <= run.steps_per_epoch()
            && u128::from(step) == steps
    }
}

/// A state to go back to: where the run was, and everything that had been learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far the run had come.
    pub position: Position,
    /// What it had learned.
    pub state: TrainingState,
    /// The best so far, where the best is to be kept.
    pub best: Option<Best>,
    /// How samples are spread, where each pixel is not taken once.
    pub importance: Option<Arc<Importance>>,
    /// How the GPU it ran on trained it.
    pub method: Option<TunedConfig>,
}

/// The state that did best on the held-out pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Passes done by then.
    pub epoch: u64,
    /// PSNR of the test split in dB.
    pub psnr_test: f64,
    /// What it had learned by then.
    pub state: TrainingState,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How far it came.
    pub position: Position,
    /// False when it was asked to stop before.
    pub complete: bool,
    /// Optimiser steps done.
    pub step: u64,
    /// The picture and its error at the end, where the last thing done was to measure them.
    pub evaluation: Option<Evaluation>,
    /// The epoch whose weights the backend now has, where that is an earlier one: the best.
    pub kept_epoch: Option<u64>,
}
