//! The run's current state, as reported to its observer.

use super::{EpochSummary, Evaluation, Observer, Progress, Trainer};
use crate::model::Step;

impl Trainer<'_> {
    pub(super) fn report<O: Observer>(
        &self,
        observer: &mut O,
        evaluation: Option<Evaluation>,
        loss: Option<f64>,
    ) -> Result<(), O::Error> {
        let step = self.steps_done();
        let summary = EpochSummary {
            epoch: self.position.epochs_done,
            step,
            seconds: self.position.seconds,
            lr: self.steps().lr(step.saturating_sub(1)),
            loss,
            psnr_train: evaluation.as_ref().map(|e| e.train.psnr()),
            psnr_test: evaluation.as_ref().and_then(Evaluation::psnr_test),
        };
        observer.epoch(&summary, evaluation.and_then(|e| e.picture))
    }

    /// After the group `steps`.
    pub(super) fn progress(&self, steps: &[Step]) -> Progress {
        Progress {
            step: self.steps_done(),
            n_steps: self.n_steps(),
            n_samples: steps.iter().map(|step| u64::from(step.n_samples)).sum(),
        }
    }

    /// Learning rate of the first step, after all roll-backs and restarts.
    pub(super) fn initial_lr(&self) -> f64 {
        self.run.lr * self.position.lr_factor()
    }

    pub(super) fn steps_per_epoch(&self) -> u32 {
        self.run.steps_per_epoch()
    }

    pub(super) fn n_steps(&self) -> u64 {
        self.run.epochs.saturating_mul(u64::from(self.steps_per_epoch()))
    }

    pub(super) fn steps_done(&self) -> u64 {
        let whole = self.position.epochs_done.saturating_mul(u64::from(self.steps_per_epoch()));
        whole.saturating_add(u64::from(self.position.steps_into_epoch))
    }
}
