//! The training loop. It knows no GPU, file format or thread: it passes steps to a [`Backend`] and reports to an
//! [`Observer`].

mod checkpoints;
mod collapse;
mod error;
mod evaluate;
mod observer;
mod position;
mod report;
#[cfg(test)]
mod tests;

pub use collapse::{Failure, FailureKind};
pub use error::TrainError;
pub use evaluate::{ChannelFit, Evaluation, Highlights};
pub use observer::{EpochSummary, Observer, Progress};
pub use position::{Best, Checkpoint, Outcome, Position};

use crate::backend::Backend;
use crate::clock::Clock;
use crate::config::Resolved;
use crate::model::{Importance, Sampling, Step, Steps};
use crate::picture::Picture;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Target duration of a call to the backend: short enough for Ctrl-C and the progress bar, long enough that the
/// overhead does not count.
const GROUP_TIME: Duration = Duration::from_millis(100);

/// An epoch's evaluation, and whether it was due or made only for the collapse check.
struct Measured {
    evaluation: Option<Evaluation>,
    asked_for: bool,
}

/// Drives one backend through one run.
pub struct Trainer<'a> {
    run: &'a Resolved,
    picture: &'a Picture,
    backend: &'a mut dyn Backend,
    clock: Clock,
    position: Position,
    best: Option<Best>,
    /// The sample distribution, unless each pixel is taken once.
    importance: Option<Arc<Importance>>,
    /// The last good checkpoint; `None` until the run has started.
    last_checkpoint: Option<Checkpoint>,
    /// Steps per call to the backend.
    group_size: usize,
    /// Once the device has summed errors.
    truth: Option<evaluate::Truth>,
}

impl<'a> Trainer<'a> {
    /// A run from `position` on; the backend must hold the matching state.
    pub fn new(
        run: &'a Resolved,
        picture: &'a Picture,
        backend: &'a mut dyn Backend,
        position: Position,
    ) -> Self {
        let (best, last_checkpoint, importance) = (None, None, even_importance(run));
        let clock = run.device.options.clock;
        Self {
            run,
            picture,
            backend,
            clock,
            position,
            best,
            importance,
            last_checkpoint,
            truth: None,
            group_size: 1,
        }
    }

    /// Takes over what `checkpoint` stores beside its position and state.
    #[must_use]
    pub fn resuming_from(mut self, checkpoint: Option<&Checkpoint>) -> Self {
        if let Some(checkpoint) = checkpoint {
            self.best.clone_from(&checkpoint.best);
            self.importance.clone_from(&checkpoint.importance);
        }
        self
    }

    /// Trains until all epochs are done or the observer asks to stop.
    ///
    /// # Errors
    /// When the backend or the observer fails, or the run diverges too often.
    pub async fn run<O: Observer>(&mut self, observer: &mut O) -> Result<Outcome, O::Error> {
        loop {
            if let ControlFlow::Break(outcome) = self.advance(observer).await? {
                return Ok(outcome);
            }
        }
    }

    /// One turn of [`Trainer::run`]: a group of steps, about a tenth of a second, or the measurement after an epoch.
    /// Returns where the run is then, or how it ended; after that it must not be called again.
    ///
    /// # Errors
    /// Like [`Trainer::run`].
    pub async fn advance<O: Observer>(
        &mut self,
        observer: &mut O,
    ) -> Result<ControlFlow<Outcome, Position>, O::Error> {
        let start = self.clock.now();
        let outcome = if self.last_checkpoint.is_none() {
            self.start(observer).await?
        } else if self.position.steps_into_epoch == self.steps_per_epoch() {
            self.end_epoch(observer).await?
        } else if observer.stop_requested() {
            Some(self.stop(observer).await?)
        } else {
            self.train_group(observer).await?;
            None
        };
        self.position.seconds += self.clock.since(start).as_secs_f64();
        Ok(outcome.map_or(ControlFlow::Continue(self.position), ControlFlow::Break))
    }

    /// Work before the first step. Returns an outcome if the run is already complete or was asked to stop.
    async fn start<O: Observer>(&mut self, observer: &mut O) -> Result<Option<Outcome>, O::Error> {
        let evaluation = if self.position.is_beginning() {
            let Some(evaluation) = self.begin(observer).await? else {
                return self.outcome(false, None).await.map(Some);
            };
            Some(evaluation)
        } else {
            self.last_checkpoint = Some(self.current_checkpoint().await?);
            None
        };
        if !self.position.is_end_of(self.run) {
            return Ok(None);
        }
        if evaluation.is_some() {
            self.checkpoint(observer).await?;
        }
        self.outcome(true, evaluation).await.map(Some)
    }

    /// Measures and reports the untrained network; `None` if asked to stop.
    async fn begin<O: Observer>(&mut self, observer: &mut O) -> Result<Option<Evaluation>, O::Error> {
        self.last_checkpoint = Some(self.current_checkpoint().await?);
        let Some(evaluation) = self.evaluate_unless(true, &|| observer.stop_requested()).await? else {
            return Ok(None);
        };
        self.save_if_best(&evaluation).await?;
        self.update_importance(&evaluation);
        self.report(observer, Some(evaluation.clone()), None)?;
        Ok(Some(evaluation))
    }

    /// The next steps of the current epoch, at least one.
    async fn train_group<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        if self.position.steps_into_epoch > 0 && observer.checkpoint_due(&self.position) {
            self.collect_losses(true).await?;
            self.checkpoint(observer).await?;
        }
        let n_left = self.steps_per_epoch() - self.position.steps_into_epoch;
        let n = (self.group_size as u32).min(n_left);
        let steps: Vec<Step> = self.steps().starting_at(self.steps_done()).take(n as usize).collect();
        let start = self.clock.now();
        self.backend.enqueue(&steps).await.map_err(TrainError::from)?;
        self.adapt_group_size(self.clock.since(start));
        self.position.steps_into_epoch += n;
        observer.progress(&self.progress(&steps));
        Ok(self.collect_losses(n == n_left).await?)
    }

    async fn collect_losses(&mut self, wait: bool) -> Result<(), TrainError> {
        if wait {
            self.backend.finish().await?;
        }
        // One by one and in order, so that the sum does not depend on the grouping of steps.
        for loss in self.backend.take_losses()? {
            self.position.loss_sum += loss;
        }
        Ok(())
    }

    fn adapt_group_size(&mut self, elapsed: Duration) {
        if elapsed < GROUP_TIME / 2 {
            self.group_size = (self.group_size * 2).min(4096);
        } else if elapsed > GROUP_TIME * 2 {
            self.group_size = (self.group_size / 2).max(1);
        }
    }

    /// Work after the last step of an epoch. Returns an outcome if it was the last epoch or the run was asked to
    /// stop.
    async fn end_epoch<O: Observer>(&mut self, observer: &mut O) -> Result<Option<Outcome>, O::Error> {
        // An epoch counts as done once it is measured, so that one stopped in between is measured when the run
        // resumes.
        let Some(measured) = self.measure_epoch(observer).await? else {
            return self.stop(observer).await.map(Some);
        };
        let evaluation = self.complete_epoch(observer, measured).await?;
        match self.position.is_end_of(self.run) {
            true => self.outcome(true, evaluation).await.map(Some),
            false => Ok(None),
        }
    }

    /// Measures the current epoch if due; `None` if asked to stop.
    async fn measure_epoch<O: Observer>(&mut self, observer: &O) -> Result<Option<Measured>, TrainError> {
        let epoch = self.position.epochs_done + 1;
        let is_last = epoch == self.run.epochs;
        let snapshot = is_last || epoch.is_multiple_of(self.run.snapshot_every);
        let asked_for = snapshot || epoch.is_multiple_of(self.run.measure_every);
        if !asked_for && !self.check_due() {
            return Ok(Some(Measured { evaluation: None, asked_for }));
        }
        // Checks look at variances far below what the device's sums are exact to.
        if !snapshot
            && !self.check_due()
            && let Some(evaluation) = self.evaluate_on_device().await?
        {
            return Ok(Some(Measured { evaluation: Some(evaluation), asked_for }));
        }
        let evaluation = self.evaluate_unless(snapshot, &|| observer.stop_requested()).await?;
        Ok(evaluation.map(|evaluation| Measured { evaluation: Some(evaluation), asked_for }))
    }

    /// Records a finished epoch, or rolls back if it diverged; returns its evaluation if it is the last.
    async fn complete_epoch<O: Observer>(
        &mut self,
        observer: &mut O,
        Measured { mut evaluation, asked_for }: Measured,
    ) -> Result<Option<Evaluation>, O::Error> {
        let check_due = self.check_due();
        let loss = self.position.loss_sum / f64::from(self.steps_per_epoch());
        let epochs_done = self.position.epochs_done + 1;
        self.position = Position { epochs_done, steps_into_epoch: 0, loss_sum: 0.0, ..self.position };
        // The last update can spoil the weights after the last loss was computed, so both are checked.
        let finite = evaluation.as_ref().is_none_or(|e| e.train.mse().is_finite());
        if !(loss.is_finite() && finite) {
            self.roll_back_diverged(observer).await?;
            return Ok(None);
        }
        if let Some(evaluation) = evaluation.as_ref().filter(|_| check_due)
            && self.check(observer, evaluation).await?
        {
            return Ok(None);
        }
        evaluation = evaluation.filter(|_| asked_for);
        if let Some(evaluation) = &evaluation {
            self.save_if_best(evaluation).await?;
            self.update_importance(evaluation);
        }
        let measured = evaluation.as_ref().map(|evaluation| evaluation.train.psnr());
        self.position.reached = measured.zip(self.run.until).is_some_and(|(psnr, until)| psnr >= until);
        let is_last = self.position.is_end_of(self.run);
        let last = evaluation.clone().filter(|evaluation| is_last && evaluation.picture.is_some());
        self.report(observer, evaluation, Some(loss))?;
        if is_last || observer.checkpoint_due(&self.position) {
            self.checkpoint(observer).await?;
        }
        Ok(last)
    }

    /// With `--sampling error`, updates the sample distribution. With `--until`, blocks that are good enough take few.
    fn update_importance(&mut self, evaluation: &Evaluation) {
        if self.run.options.sampling != Sampling::Error {
            return;
        }
        // Values in linear light are measured relative to their peak, and trained on by a curve.
        let until = self.run.until.filter(|_| !self.picture.is_hdr());
        let enough = until.map_or(0.0, |decibels| libm::exp10(-decibels / 10.0));
        let unfinished = |&error: &f64| if error < enough { 0.0 } else { error };
        let errors: Vec<f64> = evaluation.block_errors.iter().map(unfinished).collect();
        self.importance = Some(Arc::new(Importance::new(self.run.samples, &errors)));
    }

    /// All steps of the run, with the current settings.
    fn steps(&self) -> Steps {
        let run = self.run;
        Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr)
            .scheduled(run.schedule, self.n_steps())
            .slowed(self.position.lr_factor())
            .spread_by(self.importance.clone())
    }
}

/// With `--sampling error`: the distribution before the first measurement.
fn even_importance(run: &Resolved) -> Option<Arc<Importance>> {
    let by_error = run.options.sampling == Sampling::Error;
    by_error.then(|| Arc::new(Importance::even(run.samples)))
}
