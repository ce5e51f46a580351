//! The loop over epochs. It knows no GPU and no file format: it tells a [`Backend`] which steps
//! to take and an [`Observer`] what came of them.

use crate::backend::{Backend, BackendError};
use crate::config::Resolved;
use crate::model::{Shuffle, Step, TrainingState};
use crate::picture::SquaredError;

use crate::picture::{Picture, PictureBuilder};
use std::time::{Duration, Instant};

/// How long one call to the backend should take: short enough that Ctrl-C and the progress bar
/// feel immediate, long enough that the calls cost nothing.
const GROUP_TIME: Duration = Duration::from_millis(100);

/// Pixels predicted at a time when the whole picture is evaluated.
const EVALUATION_PIXELS: usize = 1 << 18;

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
}

impl Default for Position {
    fn default() -> Self {
        Self { epochs_done: 0, steps_into_epoch: 0, loss_sum: 0.0, seconds: 0.0, lr_scale: 1.0 }
    }
}

impl Position {
    /// Whether a run can come here: what it counts is in range, whatever was read from a file.
    pub fn is_plausible(&self) -> bool {
        self.lr_scale > 0.0 && self.lr_scale <= 1.0 && self.seconds >= 0.0 && self.loss_sum.is_finite()
    }
}

/// A state to go back to: where the run was, and everything that had been learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far the run had come.
    pub position: Position,
    /// What it had learned.
    pub state: TrainingState,
}

/// How often a diverging run goes back and halves its learning rate before it gives up.
const MAX_RETREATS: i32 = 4;

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
    /// PSNR in dB of the whole training split after the epoch.
    pub psnr_train: f64,
    /// PSNR in dB of the whole test split after the epoch, where there is one.
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

    /// The run diverged and goes on from an earlier position: what came after it is void.
    ///
    /// # Errors
    /// Ends the run.
    fn retreat(&mut self, _position: &Position) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The loss is no longer a number.
    #[error(
        "training diverged: the loss is no longer a finite number in epoch {epoch}, even at a learning rate of {lr:e}; give a lower --lr"
    )]
    Diverged {
        /// The epoch in which it was noticed.
        epoch: u64,
        /// The lowest initial learning rate that was tried.
        lr: f64,
    },
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

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How far it came.
    pub position: Position,
    /// False when it was asked to stop before.
    pub complete: bool,
    /// Optimiser steps done.
    pub step: u64,
}

/// Drives one backend through one run.
pub struct Trainer<'a> {
    run: &'a Resolved,
    picture: &'a Picture,
    backend: &'a mut dyn Backend,
    position: Position,
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
        Self { run, picture, backend, position, last_good: None, group: 1 }
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
        self.last_good = Some(self.checkpoint()?);
        if self.position == Position::default() {
            let evaluation = self.evaluate(true).map_err(TrainError::from)?;
            self.report(observer, evaluation, None)?;
        }
        while self.position.epochs_done < self.run.epochs {
            let finished = self.epoch(observer)?;
            self.position.seconds = before + start.elapsed().as_secs_f64();
            if !finished {
                self.keep(observer)?;
                return Ok(self.outcome(false));
            }
            let loss = self.position.loss_sum / f64::from(self.steps_per_epoch());
            self.position = Position {
                epochs_done: self.position.epochs_done + 1,
                steps_into_epoch: 0,
                loss_sum: 0.0,
                ..self.position
            };
            let evaluation = self.evaluate(self.snapshot_due()).map_err(TrainError::from)?;
            // A last update can spoil the weights after the last loss was taken, so both are looked at.
            if !(loss.is_finite() && evaluation.train.mse().is_finite()) {
                self.retreat(observer)?;
                continue;
            }
            self.report(observer, evaluation, Some(loss))?;
            if observer.checkpoint_due(&self.position) || self.position.epochs_done == self.run.epochs {
                self.keep(observer)?;
            }
        }
        Ok(self.outcome(true))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint { position: self.position, state: self.backend.state()? })
    }

    /// Keeps the state, unless it is not sound.
    fn keep<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let checkpoint = self.checkpoint()?;
        let sound = checkpoint.state.params.iter().all(|w| w.is_finite());
        if sound && self.position.loss_sum.is_finite() {
            observer.checkpoint(&checkpoint)?;
            self.last_good = Some(checkpoint);
        }
        Ok(())
    }

    /// Back to the last good state with half the learning rate.
    fn retreat<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let noticed_in = self.position.epochs_done;
        let good = self.last_good.as_ref().expect("kept when the run began");
        let lr_scale = self.position.lr_scale * 0.5;
        if lr_scale < 0.5_f64.powi(MAX_RETREATS) {
            let lr = self.run.lr * self.position.lr_scale;
            return Err(TrainError::Diverged { epoch: noticed_in, lr }.into());
        }
        let seconds = self.position.seconds;
        self.backend.set_state(&good.state).map_err(TrainError::from)?;
        self.position = Position { lr_scale, seconds, ..good.position };
        log::warn!(
            "the loss is no longer finite in epoch {noticed_in}: going back to epoch {} with half the learning rate ({:e})",
            good.position.epochs_done,
            self.run.lr * lr_scale,
        );
        observer.retreat(&self.position)
    }

    /// The picture as the network sees it now, and its distance from the training picture.
    ///
    /// # Errors
    /// When the device fails.
    pub fn evaluate(&mut self, keep_picture: bool) -> Result<Evaluation, BackendError> {
        let (raster, samples) = (&self.run.raster, &self.run.samples);
        let channels = self.picture.channels;
        let mut builder = keep_picture.then(|| self.builder());
        let mut evaluation = Evaluation::default();
        let mut out = vec![0.0; EVALUATION_PIXELS.min(raster.n_pixels() as usize) * channels];
        let mut first_pixel = 0;
        while first_pixel < raster.n_pixels() {
            let n = EVALUATION_PIXELS.min((raster.n_pixels() - first_pixel) as usize);
            let out = &mut out[..n * channels];
            self.backend.predict(raster, first_pixel, out)?;
            for (i, colour) in out.chunks_exact(channels).enumerate() {
                let pixel = first_pixel + i as u64;
                let (x, y) =
                    ((pixel % u64::from(raster.width)) as u32, (pixel / u64::from(raster.width)) as u32);
                let split = if samples.in_training_split(x, y) {
                    &mut evaluation.train
                } else if samples.in_test_split(x, y) {
                    &mut evaluation.test
                } else {
                    continue;
                };
                for (c, &value) in colour.iter().enumerate() {
                    split.add_value(value, self.picture.pixels.value(pixel as usize * channels + c));
                }
            }
            if let Some(builder) = &mut builder {
                builder.push(out);
            }
            first_pixel += n as u64;
        }
        evaluation.picture = builder.map(PictureBuilder::finish);
        Ok(evaluation)
    }

    fn builder(&self) -> PictureBuilder {
        let Picture { width, height, channels, .. } = *self.picture;
        PictureBuilder::new(width, height, channels, self.picture.depth())
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
        evaluation: Evaluation,
        loss: Option<f64>,
    ) -> Result<(), O::Error> {
        let step = self.steps_done();
        let summary = EpochSummary {
            epoch: self.position.epochs_done,
            step,
            seconds: self.position.seconds,
            lr: self.lr(step.saturating_sub(1)),
            loss,
            psnr_train: evaluation.train.psnr(),
            psnr_test: (evaluation.test.count > 0).then(|| evaluation.test.psnr()),
        };
        observer.epoch(&summary, evaluation.picture)
    }

    fn snapshot_due(&self) -> bool {
        let epoch = self.position.epochs_done;
        epoch.is_multiple_of(self.run.snapshot_every) || epoch == self.run.epochs
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
        }
    }

    fn lr(&self, index: u64) -> f64 {
        self.position.lr_scale * self.run.schedule.lr(self.run.lr, index, self.n_steps())
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

    fn outcome(&self, complete: bool) -> Outcome {
        Outcome { position: self.position, complete, step: self.steps_done() }
    }
}

/// A whole picture against the truth.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Over the training split.
    pub train: SquaredError,
    /// Over the test split.
    pub test: SquaredError,
    /// The picture, where it was asked for.
    pub picture: Option<Picture>,
}
