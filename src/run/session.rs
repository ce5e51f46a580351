//! One run from its first step, or its last checkpoint, to its results; reopens a lost device.

use super::checkpoint::{self, Fingerprint};
use super::training::Training;
use super::{Display, Fit, Input, Recorder, Results, RunError, RunFolder, Timings};
use crate::atomic_write::{Durability, atomic_write};
use crate::backend::BackendError;
use crate::config::Resolved;
use crate::picture::{Picture, SquaredError, spline_error};
use crate::trainer::{EpochSummary, Evaluation, Failure, Outcome, Progress, TrainError};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A run about to train.
pub struct Session {
    /// Its folder.
    pub folder: RunFolder,
    training: Training,
    /// What was done to read the picture, for the user and `run.json`.
    pub input_notes: Vec<String>,
    /// A message for the user, if the choice of the device needs explaining.
    pub note: Option<String>,
}

/// A run that is complete, or was stopped, with its results written.
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The network's picture now.
    pub evaluation: Evaluation,
    /// PSNR in dB of the cubic spline through the training pixels, at the test pixels.
    pub psnr_spline: Option<f64>,
    /// Why it failed, if it is complete but failed.
    pub failure: Option<Failure>,
    /// PSNR in dB of the training split before the first step, if it was measured.
    pub psnr_untrained: Option<f64>,
}

/// Why training ended early.
enum Interrupted {
    DeviceLost(String),
    Run(RunError),
}

impl From<RunError> for Interrupted {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Train(TrainError::Backend(BackendError::DeviceLost(reason))) => {
                Self::DeviceLost(reason)
            }
            error => Self::Run(error),
        }
    }
}

impl From<TrainError> for Interrupted {
    fn from(error: TrainError) -> Self {
        RunError::from(error).into()
    }
}

impl Session {
    /// A new run in `folder`, which is cleared. `input`, if the picture is in no other file, is kept in it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn start(fit: Fit, folder: RunFolder, input: Option<&Input>) -> Result<Self, RunError> {
        let Fit { training, note } = fit;
        folder.clear()?;
        // First, since it makes the folder one of a run.
        write_config(&folder, &training.run)?;
        if let Some(input) = input {
            let path = folder.input(input);
            atomic_write(&path, Durability::Flushed, |out| out.write_all(&input.bytes))
                .map_err(|e| RunError::write(&path, &e))?;
        }
        Ok(Self { folder, training, input_notes: Vec::new(), note })
    }

    /// Resumes the run in `folder` from its last checkpoint or, without one, from its beginning.
    ///
    /// # Errors
    /// When no device fits, or the checkpoint is damaged or not of this run.
    pub fn resume(run: Resolved, picture: Arc<Picture>, folder: RunFolder) -> Result<Self, RunError> {
        let checkpoint = checkpoint::load(&folder, &Fingerprint::of(&run, &picture))?;
        let done = checkpoint.as_ref().map_or(0, |c| c.position.epochs_done);
        let unfit = |reason: String| RunError::folder(folder.path(), reason);
        if done > run.epochs {
            return Err(unfit(format!(
                "the run has already done {done} epochs, more than --epochs {}; give {done} or more",
                run.epochs
            )));
        }
        if checkpoint.as_ref().is_some_and(|c| !c.position.belongs_to(&run, c.state.step)) {
            let reason = "the checkpoint does not belong to the run in config.toml; start over with --force";
            return Err(unfit(reason.to_owned()));
        }
        let (training, note) = Training::open(run, picture, checkpoint).map_err(TrainError::from)?;
        Ok(Self { folder, training, input_notes: Vec::new(), note })
    }

    /// The run.
    pub fn run(&self) -> &Resolved {
        &self.training.run
    }

    /// Trains to the end, or until `display` asks to stop, and writes the results. Survives up to three losses of the
    /// device. `start` is when the program began to prepare the run.
    ///
    /// # Errors
    /// When training diverges (the results so far are still written), the device fails, or a file cannot be written.
    pub fn train(&mut self, start: Instant, display: &mut dyn Display) -> Result<Finished, RunError> {
        let startup = start.elapsed();
        let mut losses = 0;
        loop {
            match self.attempt(startup, display) {
                Ok(finished) => return Ok(finished),
                Err(Interrupted::Run(error)) => return Err(error),
                Err(Interrupted::DeviceLost(reason)) => self.recover(reason, &mut losses)?,
            }
        }
    }

    /// Trains from the last checkpoint to the end; on an error the session holds the last good one.
    fn attempt(&mut self, startup: Duration, display: &mut dyn Display) -> Result<Finished, Interrupted> {
        let Self { folder, training, input_notes, .. } = self;
        let position = training.position();
        let mut counted = Counted { display, samples: 0 };
        let fingerprint = Fingerprint::of(&training.run, &training.picture);
        let mut recorder = Recorder::new(folder, &training.run, fingerprint, &position, &mut counted)?;
        let outcome = training.train(&mut recorder);
        let recorded = recorder.finish();
        counted.display.finished();
        let (mut outcome, diverged) = match outcome {
            Ok(outcome) => (outcome, None),
            Err(RunError::Train(error @ TrainError::Diverged { .. })) => {
                (training.back_to_last().map_err(TrainError::from)?, Some(error))
            }
            Err(error) => return Err(error.into()),
        };
        let (evaluation, failure) = training.evaluate(&mut outcome)?;
        let trained = outcome.position.seconds - position.seconds;
        let timings = Timings {
            startup_seconds: startup.as_secs_f64(),
            training_seconds: outcome.position.seconds,
            samples_per_second: counted.samples as f64 / trained.max(1e-9),
        };
        let (metrics, thumbnails) = recorded?;
        let params = training.params()?;
        let spline = spline_error(&training.picture, &training.run.samples);
        let psnr_spline = spline.map(SquaredError::psnr);
        let results = Results {
            folder,
            run: &training.run,
            picture: &training.picture,
            device: training.backend.info(),
            evaluation: &evaluation,
            psnr_spline,
            failure,
            metrics: &metrics,
            thumbnails: &thumbnails,
            outcome: &outcome,
            timings,
            input_notes,
        };
        results.write(params)?;
        match diverged {
            Some(error) => Err(error.into()),
            None => {
                let first = metrics.first().filter(|row| row.step == 0);
                let psnr_untrained = first.and_then(|row| row.psnr_train);
                Ok(Finished { outcome, evaluation, psnr_spline, failure, psnr_untrained })
            }
        }
    }

    /// Reopens a lost device with the last checkpoint, unless it was lost too often.
    fn recover(&mut self, reason: String, losses: &mut usize) -> Result<(), RunError> {
        let folder = self.folder.path().display().to_string();
        self.training.recover(reason, losses).map_err(|reason| RunError::DeviceGone { reason, folder })
    }
}

/// Writes `run` to the folder's `config.toml`.
///
/// # Errors
/// When it cannot be written.
pub fn write_config(folder: &RunFolder, run: &Resolved) -> Result<(), RunError> {
    let path = folder.file("config.toml");
    atomic_write(&path, Durability::Flushed, |out| out.write_all(run.config.to_toml().as_bytes()))
        .map_err(|e| RunError::write(&path, &e))
}

/// Forwards everything, and counts samples.
struct Counted<'a> {
    display: &'a mut dyn Display,
    samples: u64,
}

impl Display for Counted<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.samples += progress.n_samples;
        self.display.progress(progress);
    }

    fn epoch(&mut self, summary: &EpochSummary, n_epochs: u64) {
        self.display.epoch(summary, n_epochs);
    }

    fn stop_requested(&self) -> bool {
        self.display.stop_requested()
    }
}
