//! A run on its device, which is reopened if it is lost.

use crate::backend::{self, Backend, BackendError, Opened, TunedConfig};
use crate::block_on;
use crate::config::Resolved;
use crate::picture::Picture;
use crate::trainer::{Checkpoint, Evaluation, Failure, Observer, Outcome, Position, TrainError, Trainer};
use std::sync::Arc;
use std::time::Duration;

/// How many lost devices a run survives.
const MAX_DEVICE_LOSSES: usize = 3;

/// A run, and the device that holds its state.
pub(super) struct Training {
    pub(super) run: Resolved,
    pub(super) picture: Arc<Picture>,
    pub(super) backend: Box<dyn Backend>,
    /// The last good state; `None` if the run has not started.
    checkpoint: Option<Checkpoint>,
}

impl Training {
    /// Opens a device for `run` on `picture`, at its training size, and restores `checkpoint`. Also returns a message for
    /// the user, if the choice of the device needs explaining.
    pub(super) fn open(
        run: Resolved,
        picture: Arc<Picture>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(Self, Option<String>), BackendError> {
        let method = checkpoint.as_ref().and_then(|c| c.method.clone());
        let Opened { backend, note } = open(&run, &picture, method)?;
        let mut training = Self { run, picture, backend, checkpoint };
        training.restore()?;
        Ok((training, note))
    }

    /// Replaces the run, before it is trained, by one that differs only in its length.
    pub(super) fn set_run(&mut self, run: Resolved) -> Result<(), BackendError> {
        // Muon's usual rate follows from the length, and the device knows it.
        let is_known = run.options.refinements == self.run.options.refinements;
        self.run = run;
        if is_known { Ok(()) } else { self.reopen() }
    }

    /// The position of the last good state.
    pub(super) fn position(&self) -> Position {
        self.checkpoint.as_ref().map_or_else(Position::default, |c| c.position)
    }

    /// Trains from the last good state to the end, or until `observer` asks to stop; on an error there is a last good
    /// state to go back to.
    pub(super) fn train<O: Observer>(&mut self, observer: &mut O) -> Result<Outcome, O::Error> {
        let position = self.position();
        let Self { run, picture, backend, checkpoint } = self;
        let mut trainer =
            Trainer::new(run, picture, backend.as_mut(), position).resuming_from(checkpoint.as_ref());
        let outcome = block_on(trainer.run(observer));
        // `None` if the device failed before the run began: then the earlier checkpoint stays.
        if let Some(last) = trainer.into_last_checkpoint() {
            *checkpoint = Some(last);
        }
        outcome
    }

    /// Restores the last good state of a run that diverged: what came before is still worth having.
    pub(super) fn back_to_last(&mut self) -> Result<Outcome, BackendError> {
        self.restore()?;
        let step = self.checkpoint.as_ref().map_or(0, |c| c.state.step);
        Ok(Outcome { position: self.position(), complete: false, step, evaluation: None, kept_epoch: None })
    }

    /// The network's picture now, unless `outcome` has it, and why the run failed, if it is complete but failed.
    pub(super) fn evaluate(
        &mut self,
        outcome: &mut Outcome,
    ) -> Result<(Evaluation, Option<Failure>), TrainError> {
        let evaluation = match outcome.evaluation.take() {
            Some(evaluation) => evaluation,
            None => {
                let Self { run, picture, backend, .. } = self;
                let mut trainer = Trainer::new(run, picture, backend.as_mut(), outcome.position);
                block_on(trainer.evaluate(true))?
            }
        };
        let of_complete = || Failure::of(&self.run, outcome.position.fresh_starts, outcome.step, &evaluation);
        let failure = outcome.complete.then(of_complete).flatten();
        Ok((evaluation, failure))
    }

    /// The weights that predict, as they are on the device.
    pub(super) fn params(&mut self) -> Result<Vec<f32>, TrainError> {
        let state = block_on(self.backend.state())?;
        Ok(state.into_predicting(&self.run.options.refinements))
    }

    /// Reopens a device that was lost for `reason`, with the last good state, unless it was lost too often. Fails with
    /// the reason why there is none.
    pub(super) fn recover(&mut self, mut reason: String, losses: &mut usize) -> Result<(), String> {
        while *losses < MAX_DEVICE_LOSSES {
            *losses += 1;
            let epoch = self.position().epochs_done;
            log::warn!("the GPU stopped answering ({reason}): reopening it and resuming from epoch {epoch}");
            match self.reopen() {
                Ok(()) => return Ok(()),
                Err(BackendError::DeviceLost(again)) => reason = again,
                Err(error) => return Err(error.to_string()),
            }
            // A restarting driver needs a moment.
            std::thread::sleep(Duration::from_secs(1));
        }
        Err(format!("it stopped answering {} times, {reason}", MAX_DEVICE_LOSSES + 1))
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

    /// Restores the last good state on the device.
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
