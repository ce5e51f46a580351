//! A run without a folder: from a picture in memory to a model in memory. [`Session`](super::Session) gives it one.

use super::training::Training;
use super::unfinished::finished_model;
use crate::backend::cpu::CpuPredictor;
use crate::backend::{BackendError, BackendInfo};
use crate::block_on;
use crate::config::Resolved;
use crate::model_file::ModelFile;
use crate::picture::Picture;
use crate::trainer::{Evaluation, Failure, Observer, Outcome, Position, TrainError};
use crate::tune::epochs_within;
use std::sync::Arc;

/// A run about to train.
pub struct Fit {
    pub(super) training: Training,
    /// A message for the user, if the choice of the device needs explaining.
    pub note: Option<String>,
}

/// A run that is complete, was stopped, or diverged.
pub struct Fitted {
    /// How it ended.
    pub outcome: Outcome,
    /// The network's picture.
    pub evaluation: Evaluation,
    /// Why it failed, if it is complete but failed.
    pub failure: Option<Failure>,
    /// Why it ended, if it diverged: then the rest is what it was before.
    pub diverged: Option<TrainError>,
    /// The network.
    pub model: ModelFile,
}

impl Fitted {
    /// A complete run of `run` on `picture` whose weights were trained elsewhere, measured on a thread of the CPU.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn of(run: &Resolved, picture: &Picture, params: Vec<f32>) -> Result<Self, TrainError> {
        let mut predictor = CpuPredictor::<f32>::new(run.model.clone(), &params, 1)?;
        let measured = block_on(Evaluation::measure(run, picture, &mut predictor, false, &|| false))?;
        let evaluation = measured.expect("nobody asks it to stop");
        let position = Position { epochs_done: run.epochs, ..Position::default() };
        let step = run.epochs * u64::from(run.steps_per_epoch());
        let outcome = Outcome { position, complete: true, step, evaluation: None, kept_epoch: None };
        let failure = Failure::of(run, 0, step, &evaluation);
        let model = finished_model(run, picture, params, (&outcome, &evaluation));
        Ok(Self { outcome, evaluation, failure, diverged: None, model })
    }
}

impl Fit {
    /// A run of `run` on `picture`, at its training size.
    ///
    /// # Errors
    /// When no device fits.
    pub fn start(run: Resolved, picture: Arc<Picture>) -> Result<Self, TrainError> {
        let (training, note) = Training::open(run, picture, None)?;
        Ok(Self { training, note })
    }

    /// How many epochs end within `seconds` from now, at least one; takes a twentieth of them to find out, and changes
    /// nothing.
    ///
    /// # Errors
    /// When the device fails.
    pub fn epochs_within(&mut self, seconds: f64) -> Result<u64, TrainError> {
        let Training { run, picture, backend, .. } = &mut self.training;
        Ok(block_on(epochs_within(run, picture, backend.as_mut(), seconds))?)
    }

    /// Replaces the run, before it is trained, by one that differs only in its length.
    ///
    /// # Errors
    /// When the device fails.
    pub fn set_run(&mut self, run: Resolved) -> Result<(), TrainError> {
        Ok(self.training.set_run(run)?)
    }

    /// The device.
    pub fn device(&self) -> &BackendInfo {
        self.training.backend.info()
    }

    /// Trains to the end, or until `observer` asks to stop. Survives up to three losses of the device.
    ///
    /// # Errors
    /// When the device or the observer fails.
    pub fn train(&mut self, observer: &mut impl Observer<Error = TrainError>) -> Result<Fitted, TrainError> {
        let mut losses = 0;
        loop {
            match self.attempt(observer) {
                Err(TrainError::Backend(BackendError::DeviceLost(reason))) => {
                    let gone = |reason| TrainError::Backend(BackendError::DeviceLost(reason));
                    self.training.recover(reason, &mut losses).map_err(gone)?;
                    observer.rolled_back(&self.training.position())?;
                }
                ended => return ended,
            }
        }
    }

    fn attempt(&mut self, observer: &mut impl Observer<Error = TrainError>) -> Result<Fitted, TrainError> {
        let training = &mut self.training;
        let (mut outcome, diverged) = match training.train(observer) {
            Ok(outcome) => (outcome, None),
            Err(error @ TrainError::Diverged { .. }) => (training.back_to_last()?, Some(error)),
            Err(error) => return Err(error),
        };
        let (evaluation, failure) = training.evaluate(&mut outcome)?;
        let params = training.params()?;
        let model = finished_model(&training.run, &training.picture, params, (&outcome, &evaluation));
        Ok(Fitted { outcome, evaluation, failure, diverged, model })
    }
}
