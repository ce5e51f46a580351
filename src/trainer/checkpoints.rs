//! Checkpoints in memory, and rolling back to them.

use super::{Best, Checkpoint, Evaluation, Observer, Outcome, Position, TrainError, Trainer};
use crate::config::Keep;

/// How often a diverging run rolls back and halves its learning rate before it gives up.
const MAX_ROLLBACKS: i32 = 4;

impl Trainer<'_> {
    /// The last good state, for resuming after a device failure.
    pub fn into_last_checkpoint(self) -> Option<Checkpoint> {
        self.last_checkpoint
    }

    pub(super) async fn current_checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            position: self.position,
            state: self.backend.state().await?,
            best: self.best.clone(),
            importance: self.importance.clone(),
            method: self.backend.info().method.clone(),
        })
    }

    /// Stores the state if it is finite; returns whether it is.
    pub(super) async fn checkpoint<O: Observer>(&mut self, observer: &mut O) -> Result<bool, O::Error> {
        let checkpoint = self.current_checkpoint().await?;
        let finite = checkpoint.state.params.iter().all(|w| w.is_finite());
        let sound = finite && self.position.loss_sum.is_finite();
        if sound {
            observer.checkpoint(&checkpoint)?;
            self.last_checkpoint = Some(checkpoint);
        }
        Ok(sound)
    }

    /// With `--keep best`, copies the weights if `evaluation` is the best so far.
    pub(super) async fn save_if_best(&mut self, evaluation: &Evaluation) -> Result<(), TrainError> {
        let psnr_test = evaluation.psnr_test().filter(|p| !p.is_nan());
        let (Keep::Best, Some(psnr_test)) = (self.run.keep, psnr_test) else { return Ok(()) };
        if self.best.as_ref().is_none_or(|best| psnr_test > best.psnr_test) {
            let state = self.backend.state().await?;
            self.best = Some(Best { epoch: self.position.epochs_done, psnr_test, state });
        }
        Ok(())
    }

    /// Returns to the last good state and its position; the time spent still counts.
    async fn roll_back(&mut self) -> Result<(), TrainError> {
        let sound = self.last_checkpoint.as_ref().expect("kept when the run began");
        self.backend.set_state(&sound.state).await?;
        self.best.clone_from(&sound.best);
        self.importance.clone_from(&sound.importance);
        self.position = Position { seconds: self.position.seconds, ..sound.position };
        Ok(())
    }

    /// Rolls back to the last good state with half the learning rate.
    pub(super) async fn roll_back_diverged<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let noticed_in = self.position.epochs_done;
        let lr_scale = self.position.lr_scale * 0.5;
        if lr_scale < 0.5_f64.powi(MAX_ROLLBACKS) {
            let lr = self.initial_lr();
            return Err(TrainError::Diverged { epoch: noticed_in, lr }.into());
        }
        self.roll_back().await?;
        self.position.lr_scale = lr_scale;
        log::warn!(
            "the loss is no longer finite in epoch {noticed_in}: rolling back to epoch {} with half the \
             learning rate ({:e})",
            self.position.epochs_done,
            self.initial_lr(),
        );
        observer.rolled_back(&self.position)
    }

    /// Ends the run early, with the last good state stored.
    pub(super) async fn stop<O: Observer>(&mut self, observer: &mut O) -> Result<Outcome, O::Error> {
        self.collect_losses(true).await?;
        if !self.checkpoint(observer).await? {
            self.roll_back().await?;
            observer.rolled_back(&self.position)?;
        }
        self.outcome(false, None).await
    }

    /// The end of the run. The backend is left with the weights to keep; the last checkpoint has those to resume
    /// from.
    pub(super) async fn outcome<E: From<TrainError>>(
        &mut self,
        complete: bool,
        evaluation: Option<Evaluation>,
    ) -> Result<Outcome, E> {
        let (position, step) = (self.position, self.steps_done());
        let mut outcome = Outcome { position, complete, step, evaluation, kept_epoch: None };
        if let Some(best) = self.best.as_ref().filter(|best| best.epoch != self.position.epochs_done) {
            self.backend.set_state(&best.state).await.map_err(TrainError::from)?;
            (outcome.kept_epoch, outcome.evaluation) = (Some(best.epoch), None);
        }
        Ok(outcome)
    }
}
