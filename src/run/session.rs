//! One run from its first step, or its last checkpoint, to its results; reopens a lost device.

use super::checkpoint::{self, Fingerprint};
use super::{Display, Input, Recorder, Results, RunError, RunFolder, Timings};
use crate::atomic_write::{Durability, atomic_write};
use crate::backend::{self, Backend, BackendError, Opened, TunedConfig};
use crate::block_on;
use crate::config::Resolved;
use crate::picture::Picture;
use crate::trainer::{
    Checkpoint, EpochSummary, Evaluation, Failure, Outcome, Position, Progress, TrainError, Trainer,
};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many lost devices a run survives.
const MAX_DEVICE_LOSSES: usize = 3;

/// A run about to train.
pub struct Session {
    /// Its folder.
    pub folder: RunFolder,
    /// The run.
    pub run: Resolved,
    picture: Arc<Picture>,
    backend: Box<dyn Backend>,
    /// The last good state; `None` if the run has not started.
    checkpoint: Option<Checkpoint>,
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
    /// Why it failed, if it is complete but failed.
    pub failure: Option<Failure>,
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
    /// A new run of `run` on `picture`, at its training size. The folder is cleared last, so that an error leaves it as
    /// it was. `input`, if the picture is in no other file, is kept in it.
    ///
    /// # Errors
    /// When no device fits, or the folder cannot be written.
    pub fn start(
        run: Resolved,
        picture: Arc<Picture>,
        folder: RunFolder,
        input: Option<&Input>,
    ) -> Result<Self, RunError> {
        let opened = open(&run, &picture, None).map_err(TrainError::from)?;
        folder.clear()?;
        // First, since it makes the folder one of a run.
        write_config(&folder, &run)?;
        if let Some(input) = input {
            let path = folder.input(input);
            atomic_write(&path, Durability::Flushed, |out| out.write_all(&input.bytes))
                .map_err(|e| RunError::write(&path, &e))?;
        }
        Ok(Self::new(folder, run, picture, opened))
    }

    /// Resumes the run in `folder` from its last checkpoint or, without one, from its beginning.
    ///
    /// # Errors
    /// When no device fits, or the checkpoint is damaged or not of this run.
    pub fn resume(run: Resolved, picture: Arc<Picture>, folder: RunFolder) -> Result<Self, RunError> {
        let checkpoint = checkpoint::load(&folder, Fingerprint::of(&run, &picture))?;
        let done = checkpoint.as_ref().map_or(0, |c| c.position.epochs_done);
        let unfit = |reason: String| RunError::Folder { path: folder.path().to_owned(), reason };
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
        let method = checkpoint.as_ref().and_then(|c| c.method.clone());
        let opened = open(&run, &picture, method).map_err(TrainError::from)?;
        let mut session = Self { checkpoint, ..Self::new(folder, run, picture, opened) };
        session.restore().map_err(TrainError::from)?;
        Ok(session)
    }

    fn new(folder: RunFolder, run: Resolved, picture: Arc<Picture>, opened: Opened) -> Self {
        let Opened { backend, note } = opened;
        Self { folder, run, picture, backend, checkpoint: None, input_notes: Vec::new(), note }
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
        let Self { folder, run, picture, backend, checkpoint, input_notes, .. } = self;
        let position = checkpoint.as_ref().map_or_else(Position::default, |c| c.position);
        let mut counted = Counted { display, samples: 0 };
        let mut recorder =
            Recorder::new(folder, run, Fingerprint::of(run, picture), &position, &mut counted)?;
        let mut trainer =
            Trainer::new(run, picture, backend.as_mut(), position).resuming_from(checkpoint.as_ref());
        let outcome = block_on(trainer.run(&mut recorder));
        let recorded = recorder.finish();
        counted.display.finished();
        let last = trainer.into_last_checkpoint();
        // `None` if the device failed before the run began: then the earlier checkpoint stays.
        if last.is_some() {
            checkpoint.clone_from(&last);
        }
        let (mut outcome, diverged) = match (outcome, last) {
            (Ok(outcome), _) => (outcome, None),
            // The results before it diverged are still worth having.
            (Err(RunError::Train(error @ TrainError::Diverged { .. })), Some(last)) => {
                block_on(backend.set_state(&last.state)).map_err(TrainError::from)?;
                let (position, step) = (last.position, last.state.step);
                let outcome = Outcome { position, complete: false, step, evaluation: None, kept_epoch: None };
                (outcome, Some(error))
            }
            (Err(error), _) => return Err(error.into()),
        };
        let mut trainer = Trainer::new(run, picture, backend.as_mut(), outcome.position);
        let evaluation = match outcome.evaluation.take() {
            Some(evaluation) => evaluation,
            None => block_on(trainer.evaluate(true))?,
        };
        let trained = outcome.position.seconds - position.seconds;
        let timings = Timings {
            startup_seconds: startup.as_secs_f64(),
            training_seconds: outcome.position.seconds,
            samples_per_second: counted.samples as f64 / trained.max(1e-9),
        };
        let (metrics, thumbnails) = recorded?;
        let of_complete = || Failure::of(run, outcome.position.fresh_starts, outcome.step, &evaluation);
        let failure = outcome.complete.then(of_complete).flatten();
        let results = Results {
            folder,
            run,
            picture,
            evaluation: &evaluation,
            failure,
            metrics: &metrics,
            thumbnails: &thumbnails,
            outcome: &outcome,
            timings,
            input_notes,
        };
        results.write(backend.as_mut())?;
        match diverged {
            Some(error) => Err(error.into()),
            None => Ok(Finished { outcome, evaluation, failure }),
        }
    }

    /// Reopens a lost device with the last checkpoint, unless it was lost too often.
    fn recover(&mut self, mut reason: String, losses: &mut usize) -> Result<(), RunError> {
        let folder = self.folder.path().display().to_string();
        while *losses < MAX_DEVICE_LOSSES {
            *losses += 1;
            let epoch = self.checkpoint.as_ref().map_or(0, |c| c.position.epochs_done);
            log::warn!("the GPU stopped answering ({reason}): reopening it and resuming from epoch {epoch}");
            match self.reopen() {
                Ok(()) => return Ok(()),
                Err(BackendError::DeviceLost(again)) => reason = again,
                Err(error) => return Err(RunError::DeviceGone { reason: error.to_string(), folder }),
            }
            // A restarting driver needs a moment.
            std::thread::sleep(Duration::from_secs(1));
        }
        let reason = format!("it stopped answering {} times, {reason}", MAX_DEVICE_LOSSES + 1);
        Err(RunError::DeviceGone { reason, folder })
    }

    fn reopen(&mut self) -> Result<(), BackendError> {
        let method = self.backend.info().method.clone();
        let Opened { backend, note } = open(&self.run, &self.picture, method)?;
        if let Some(note) = note.filter(|_| backend.info().device != self.backend.info().device) {
            log::warn!("{note}");
        }
        self.backend = backend;
        self.restore()
    }

    /// Restores the last checkpoint on the device.
    fn restore(&mut self) -> Result<(), BackendError> {
        match &self.checkpoint {
            Some(checkpoint) => block_on(self.backend.set_state(&checkpoint.state)),
            None => Ok(()),
        }
    }
}

/// `method` is how a GPU has trained the run so far.
fn open(run: &Resolved, picture: &Arc<Picture>, method: Option<TunedConfig>) -> Result<Opened, BackendError> {
    let job = run.job(Arc::clone(picture));
    block_on(backend::open_as(&run.device, method.as_ref(), job, || run.initial_params()))
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
