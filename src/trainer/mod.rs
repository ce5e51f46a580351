//! The loop over epochs. It knows no GPU and no file format: it tells a [`Backend`] which steps
//! to take and an [`Observer`] what came of them.

mod collapse;
mod error;
mod evaluate;
mod observer;
mod position;

pub use collapse::{Failure, FailureKind};
pub use error::TrainError;
pub use evaluate::{ChannelFit, Evaluation};
pub use observer::{EpochSummary, Observer, Progress};
pub use position::{Best, Checkpoint, Outcome, Position};

use crate::backend::Backend;
use crate::config::{Keep, Resolved};
use crate::model::{Importance, Sampling, Shuffle, Step};
use crate::picture::Picture;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one call to the backend should take: short enough that Ctrl-C and the progress bar
/// feel immediate, long enough that the calls cost nothing.
const GROUP_TIME: Duration = Duration::from_millis(100);

/// How often a diverging run goes back and halves its learning rate before it gives up.
const MAX_RETREATS: i32 = 4;

/// An epoch's evaluation, and whether it was due anyway or is there for the check alone.
struct Measured {
    evaluation: Option<Evaluation>,
    asked_for: bool,
}

/// Drives one backend through one run.
pub struct Trainer<'a> {
    run: &'a Resolved,
    picture: &'a Picture,
    backend: &'a mut dyn Backend,
    position: Position,
    best: Option<Best>,
    /// How samples are spread, where each pixel is not taken once.
    importance: Option<Arc<Importance>>,
    last_good: Option<Checkpoint>,
    group: usize,
}

impl<'a> Trainer<'a> {
    /// A run from `position` on; the backend holds the state that belongs to it.
    pub fn new(
        run: &'a Resolved,
        picture: &'a Picture,
        backend: &'a mut dyn Backend,
        position: Position,
    ) -> Self {
        let (best, last_good, importance) = (None, None, None);
        let mut trainer = Self { run, picture, backend, position, best, importance, last_good, group: 1 };
        trainer.importance = trainer.even_importance();
        trainer
    }

    /// Where samples are spread by error: before anything is known of it.
    fn even_importance(&self) -> Option<Arc<Importance>> {
        let by_error = self.run.options.sampling == Sampling::Error;
        by_error.then(|| Arc::new(Importance::even(self.run.samples)))
    }

    /// What `checkpoint` knows of the run's earlier part beside its position and state.
    #[must_use]
    pub fn going_on(mut self, checkpoint: Option<&Checkpoint>) -> Self {
        if let Some(checkpoint) = checkpoint {
            self.best.clone_from(&checkpoint.best);
            self.importance.clone_from(&checkpoint.importance);
        }
        self
    }

    /// The last state known to be sound, for going on after the device failed.
    pub fn into_last_good(self) -> Option<Checkpoint> {
        self.last_good
    }

    /// Trains until all epochs are done or the observer asks to stop.
    ///
    /// # Errors
    /// When the backend or the observer fails, or the run diverges again and again.
    pub fn run<O: Observer>(&mut self, observer: &mut O) -> Result<Outcome, O::Error> {
        // The clock goes on from where an earlier part of the run stopped.
        let start = Instant::now();
        let before = self.position.seconds;
        if self.position.is_beginning() {
            let Some(evaluation) = self.begin(observer)? else {
                return self.outcome(false, None);
            };
            if self.run.epochs == 0 {
                self.keep(observer)?;
                return self.outcome(true, Some(evaluation));
            }
        } else {
            self.last_good = Some(self.checkpoint()?);
        }
        let mut last = None;
        while self.position.epochs_done < self.run.epochs {
            let finished = self.epoch(observer)?;
            self.position.seconds = before + start.elapsed().as_secs_f64();
            // The epoch counts as done once it is measured, so that one stopped in between is
            // measured when the run goes on.
            let measured = match finished {
                true => self.measure_epoch(observer)?,
                false => None,
            };
            let Some(measured) = measured else {
                if !self.keep(observer)? {
                    self.go_back()?;
                    observer.retreat(&self.position)?;
                }
                return self.outcome(false, None);
            };
            last = self.complete_epoch(observer, measured)?;
        }
        self.outcome(true, last)
    }

    /// Measures and reports the untrained network; none when it was asked to stop.
    fn begin<O: Observer>(&mut self, observer: &mut O) -> Result<Option<Evaluation>, O::Error> {
        self.last_good = Some(self.checkpoint()?);
        let Some(evaluation) = self.evaluate_unless(true, &|| observer.stop_requested())? else {
            return Ok(None);
        };
        self.remember_best(&evaluation)?;
        self.spread(&evaluation);
        self.report(observer, Some(evaluation.clone()), None)?;
        Ok(Some(evaluation))
    }

    /// Measures the epoch in hand where that is due; none when it was asked to stop.
    fn measure_epoch<O: Observer>(&mut self, observer: &O) -> Result<Option<Measured>, TrainError> {
        let epoch = self.position.epochs_done + 1;
        let is_last = epoch == self.run.epochs;
        let snapshot = is_last || epoch.is_multiple_of(self.run.snapshot_every);
        let asked_for = snapshot || epoch.is_multiple_of(self.run.measure_every);
        if !asked_for && !self.check_due() {
            return Ok(Some(Measured { evaluation: None, asked_for }));
        }
        let evaluation = self.evaluate_unless(snapshot, &|| observer.stop_requested())?;
        Ok(evaluation.map(|evaluation| Measured { evaluation: Some(evaluation), asked_for }))
    }

    /// Writes a finished epoch down, or goes back if it went wrong; gives its evaluation back.
    fn complete_epoch<O: Observer>(
        &mut self,
        observer: &mut O,
        Measured { mut evaluation, asked_for }: Measured,
    ) -> Result<Option<Evaluation>, O::Error> {
        let check_due = self.check_due();
        let loss = self.position.loss_sum / f64::from(self.steps_per_epoch());
        let epochs_done = self.position.epochs_done + 1;
        self.position = Position { epochs_done, steps_into_epoch: 0, loss_sum: 0.0, ..self.position };
        // A last update can spoil the weights after the last loss was taken, so both are looked at.
        let finite = evaluation.as_ref().is_none_or(|e| e.train.mse().is_finite());
        if !(loss.is_finite() && finite) {
            self.retreat(observer)?;
            return Ok(None);
        }
        if let Some(evaluation) = evaluation.as_ref().filter(|_| check_due)
            && self.check(observer, evaluation)?
        {
            return Ok(None);
        }
        evaluation = evaluation.filter(|_| asked_for);
        if let Some(evaluation) = &evaluation {
            self.remember_best(evaluation)?;
            self.spread(evaluation);
        }
        let is_last = epochs_done == self.run.epochs;
        let kept = evaluation.clone().filter(|_| is_last);
        self.report(observer, evaluation, Some(loss))?;
        if is_last || observer.checkpoint_due(&self.position) {
            self.keep(observer)?;
        }
        Ok(kept)
    }

    /// Keeps a copy of the weights where `evaluation` is the best so far and they are asked for.
    fn remember_best(&mut self, evaluation: &Evaluation) -> Result<(), TrainError> {
        let psnr_test = evaluation.psnr_test().filter(|p| !p.is_nan());
        let (Keep::Best, Some(psnr_test)) = (self.run.keep, psnr_test) else { return Ok(()) };
        if self.best.as_ref().is_none_or(|best| psnr_test > best.psnr_test) {
            let state = self.backend.state()?;
            self.best = Some(Best { epoch: self.position.epochs_done, psnr_test, state });
        }
        Ok(())
    }

    /// More samples where the error is large from now on, where that is asked for.
    fn spread(&mut self, evaluation: &Evaluation) {
        if self.run.options.sampling == Sampling::Error {
            self.importance = Some(Arc::new(Importance::new(self.run.samples, &evaluation.block_errors)));
        }
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            position: self.position,
            state: self.backend.state()?,
            best: self.best.clone(),
            importance: self.importance.clone(),
            method: self.backend.info().method.clone(),
        })
    }

    /// Keeps the state, unless it is not sound; says whether it is.
    fn keep<O: Observer>(&mut self, observer: &mut O) -> Result<bool, O::Error> {
        let checkpoint = self.checkpoint()?;
        let finite = checkpoint.state.params.iter().all(|w| w.is_finite());
        let sound = finite && self.position.loss_sum.is_finite();
        if sound {
            observer.checkpoint(&checkpoint)?;
            self.last_good = Some(checkpoint);
        }
        Ok(sound)
    }

    /// To the last good state, and the position that belongs to it; the time spent stays spent.
    fn go_back(&mut self) -> Result<(), TrainError> {
        let good = self.last_good.as_ref().expect("kept when the run began");
        self.backend.set_state(&good.state)?;
        self.best.clone_from(&good.best);
        self.importance.clone_from(&good.importance);
        self.position = Position { seconds: self.position.seconds, ..good.position };
        Ok(())
    }

    /// Back to the last good state with half the learning rate.
    fn retreat<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let noticed_in = self.position.epochs_done;
        let lr_scale = self.position.lr_scale * 0.5;
        if lr_scale < 0.5_f64.powi(MAX_RETREATS) {
            let lr = self.initial_lr();
            return Err(TrainError::Diverged { epoch: noticed_in, lr }.into());
        }
        self.go_back()?;
        self.position.lr_scale = lr_scale;
        log::warn!(
            "the loss is no longer finite in epoch {noticed_in}: going back to epoch {} with half the learning rate ({:e})",
            self.position.epochs_done,
            self.initial_lr(),
        );
        observer.retreat(&self.position)
    }

    /// The picture as the network sees it now, and its distance from the training picture.
    ///
    /// # Errors
    /// When the device fails.
    pub fn evaluate(&mut self, keep_picture: bool) -> Result<Evaluation, TrainError> {
        let evaluation = self.evaluate_unless(keep_picture, &|| false)?;
        Ok(evaluation.expect("nobody asks it to stop"))
    }

    /// As [`Trainer::evaluate`]; none when `stop` came true before the end.
    fn evaluate_unless(
        &mut self,
        keep_picture: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Evaluation>, TrainError> {
        Ok(Evaluation::measure(self.run, self.picture, self.backend, keep_picture, stop)?)
    }

    /// Runs the epoch in hand to its end; false when it was asked to stop before.
    fn epoch<O: Observer>(&mut self, observer: &mut O) -> Result<bool, O::Error> {
        let steps_per_epoch = self.steps_per_epoch();
        while self.position.steps_into_epoch < steps_per_epoch {
            if observer.stop_requested() {
                self.collect_losses(true)?;
                return Ok(false);
            }
            if self.position.steps_into_epoch > 0 && observer.checkpoint_due(&self.position) {
                self.collect_losses(true)?;
                self.keep(observer)?;
            }
            let first = self.position.steps_into_epoch;
            let n = (self.group as u32).min(steps_per_epoch - first);
            let steps: Vec<Step> = (first..first + n).map(|s| self.step(s)).collect();
            let start = Instant::now();
            self.backend.enqueue(&steps).map_err(TrainError::from)?;
            self.adapt_group(start.elapsed());
            self.position.steps_into_epoch += n;
            self.collect_losses(false)?;
            observer.progress(&Progress {
                step: self.steps_done(),
                n_steps: self.n_steps(),
                n_samples: steps.iter().map(|s| u64::from(s.n_samples)).sum(),
            });
        }
        self.collect_losses(true)?;
        Ok(true)
    }

    fn collect_losses(&mut self, wait: bool) -> Result<(), TrainError> {
        if wait {
            self.backend.finish()?;
        }
        // One by one and in order, so that the sum does not depend on how steps were grouped.
        for loss in self.backend.take_losses()? {
            self.position.loss_sum += loss;
        }
        Ok(())
    }

    fn adapt_group(&mut self, elapsed: Duration) {
        if elapsed < GROUP_TIME / 2 {
            self.group = (self.group * 2).min(4096);
        } else if elapsed > GROUP_TIME * 2 {
            self.group = (self.group / 2).max(1);
        }
    }

    fn report<O: Observer>(
        &mut self,
        observer: &mut O,
        evaluation: Option<Evaluation>,
        loss: Option<f64>,
    ) -> Result<(), O::Error> {
        let step = self.steps_done();
        let summary = EpochSummary {
            epoch: self.position.epochs_done,
            step,
            seconds: self.position.seconds,
            lr: self.lr(step.saturating_sub(1)),
            loss,
            psnr_train: evaluation.as_ref().map(|e| e.train.psnr()),
            psnr_test: evaluation.as_ref().and_then(Evaluation::psnr_test),
        };
        observer.epoch(&summary, evaluation.and_then(|e| e.picture))
    }

    /// Step `s` of the epoch in hand.
    fn step(&self, s: u32) -> Step {
        let (run, epoch) = (self.run, self.position.epochs_done);
        let index = epoch.saturating_mul(u64::from(self.steps_per_epoch())).saturating_add(u64::from(s));
        let first_sample = s * run.batch_size;
        Step {
            index,
            shuffle: Shuffle::new(run.samples.len(), run.seed, epoch),
            first_sample,
            n_samples: run.batch_size.min(run.samples.len() - first_sample),
            lr: self.lr(index),
            importance: self.importance.clone(),
        }
    }

    /// Learning rate of the first step, after all that went wrong so far.
    fn initial_lr(&self) -> f64 {
        self.run.lr * self.position.lr_factor()
    }

    fn lr(&self, index: u64) -> f64 {
        self.position.lr_factor() * self.run.schedule.lr(self.run.lr, index, self.n_steps())
    }

    fn steps_per_epoch(&self) -> u32 {
        self.run.steps_per_epoch()
    }

    fn n_steps(&self) -> u64 {
        self.run.epochs.saturating_mul(u64::from(self.steps_per_epoch()))
    }

    fn steps_done(&self) -> u64 {
        let whole = self.position.epochs_done.saturating_mul(u64::from(self.steps_per_epoch()));
        whole.saturating_add(u64::from(self.position.steps_into_epoch))
    }

    /// The run's end. The backend is left with the weights that are kept; the last checkpoint has
    /// those to go on from.
    fn outcome<E: From<TrainError>>(
        &mut self,
        complete: bool,
        evaluation: Option<Evaluation>,
    ) -> Result<Outcome, E> {
        let mut outcome = Outcome {
            position: self.position,
            complete,
            step: self.steps_done(),
            evaluation,
            kept_epoch: None,
        };
        if let Some(best) = self.best.as_ref().filter(|best| best.epoch != self.position.epochs_done) {
            self.backend.set_state(&best.state).map_err(TrainError::from)?;
            (outcome.kept_epoch, outcome.evaluation) = (Some(best.epoch), None);
        }
        Ok(outcome)
    }
}
