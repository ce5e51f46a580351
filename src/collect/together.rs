//! Networks trained at once on a GPU: their pictures are prepared, trained by shape, as many as fit, and measured on
//! the CPU.

use super::network::{Method, Network, Prepared};
use super::{Result, Source};
use crate::backend::{BackendError, NetworkJob, NetworkTrainer};
use crate::block_on;
use crate::config::{self, Resolved};
use crate::model::{Steps, TrainingState};
use crate::picture::Picture;
use crate::run::Fitted;
use crate::trainer::{Observer, TrainError};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Pictures prepared at a time: more than a GPU trains at once, unless they are large.
const WINDOW: usize = 1024;
/// And about so many values of them and of their networks' states.
const WINDOW_VALUES: usize = 64 << 20;
/// Pictures prepared between looks at that.
const PIECE: usize = 64;

/// How many lost devices a collection survives.
const MAX_DEVICE_LOSSES: usize = 3;

/// Trains networks at once.
pub(super) struct Together<'a> {
    method: &'a Method<'a>,
    trainer: NetworkTrainer,
    device_losses: usize,
    /// Whether the user knows that networks are trained one after the other.
    warned: bool,
}

/// Takes what becomes of the network at a place in the shard.
pub(super) type Keep<'a> = dyn FnMut(usize, Result<Option<Network>>) + 'a;

/// The pictures at some places in the shard, of one shape.
type Group = Vec<(usize, Prepared)>;

impl<'a> Together<'a> {
    /// `None` if networks are trained on the CPU.
    ///
    /// # Errors
    /// When there is no such device.
    pub(super) fn open(method: &'a Method<'a>) -> Result<Option<Self>, BackendError> {
        let trainer = block_on(NetworkTrainer::open(&method.device()))?;
        Ok(trainer.map(|trainer| Self { method, trainer, device_losses: 0, warned: false }))
    }

    /// Trains the networks of the pictures at `places`, until `observer` asks to stop.
    pub(super) fn run(
        &mut self,
        (mut places, pictures): (&[usize], &[(usize, Source)]),
        observer: &mut impl Observer<Error = TrainError>,
        keep: &mut Keep,
    ) {
        while !places.is_empty() && !observer.stop_requested() {
            let (mut groups, mut n_values): (Vec<Group>, usize) = (Vec::new(), 0);
            let mut n_taken = 0;
            while n_taken < places.len().min(WINDOW) && n_values < WINDOW_VALUES {
                let piece = &places[n_taken..places.len().min(n_taken + PIECE)];
                n_taken += piece.len();
                let prepare =
                    |&place: &usize| (place, self.method.prepare(&pictures[place].1, pictures[place].0));
                let prepared: Vec<_> = piece.par_iter().map(prepare).collect();
                for (place, prepared) in prepared {
                    match prepared {
                        Ok(prepared) => {
                            let state = (1 + prepared.run.optimizer.n_moments())
                                * prepared.run.model.layout().n_params();
                            n_values += prepared.picture.pixels.len() + state;
                            add(&mut groups, place, prepared);
                        }
                        Err(without) => keep(place, Ok(Some(*without))),
                    }
                }
            }
            for group in groups {
                if self.train(group, observer, keep).is_break() {
                    return;
                }
            }
            places = &places[n_taken..];
        }
    }

    /// Trains a group; breaks when it was stopped or the device failed.
    fn train(
        &mut self,
        mut group: Group,
        observer: &mut impl Observer<Error = TrainError>,
        keep: &mut Keep,
    ) -> ControlFlow<()> {
        if let Some(reason) = why_alone(&group[0].1.run) {
            self.warn(&format!("{reason} cannot be used for many at once"));
            return self.one_by_one(group, observer, keep);
        }
        let mut at_once = group.len();
        while let Some((place, _)) = group.first() {
            match self.states(&group[..at_once.min(group.len())], observer) {
                Ok(None) => return ControlFlow::Break(()),
                Ok(Some(states)) if states.is_empty() => {
                    self.warn("one with its picture takes all that this GPU offers for a batch");
                    return self.one_by_one(group, observer, keep);
                }
                Ok(Some(states)) => {
                    at_once = states.len();
                    let left = group.split_off(states.len());
                    let alone = self.measure(std::mem::replace(&mut group, left), states, keep);
                    self.one_by_one(alone, observer, keep)?;
                }
                Err(BackendError::DeviceLost(reason)) if self.device_losses < MAX_DEVICE_LOSSES => {
                    self.device_losses += 1;
                    log::warn!(
                        "the GPU stopped answering ({reason}): reopening it and beginning these networks again"
                    );
                    match block_on(NetworkTrainer::open(&self.method.device())) {
                        Ok(Some(trainer)) => self.trainer = trainer,
                        Ok(None) => return self.one_by_one(group, observer, keep),
                        Err(error) => {
                            keep(*place, Err(error.into()));
                            return ControlFlow::Break(());
                        }
                    }
                }
                Err(error @ (BackendError::WrongResults { .. } | BackendError::NotCompiled { .. })) => {
                    self.warn(&error.to_string());
                    return self.one_by_one(group, observer, keep);
                }
                Err(error) => {
                    keep(*place, Err(error.into()));
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn warn(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            log::warn!("the networks are trained one after the other: {reason}");
        }
    }

    fn one_by_one(
        &self,
        group: Group,
        observer: &mut impl Observer<Error = TrainError>,
        keep: &mut Keep,
    ) -> ControlFlow<()> {
        for (place, prepared) in group {
            if observer.stop_requested() {
                return ControlFlow::Break(());
            }
            keep(place, self.method.train(prepared, 0, observer));
        }
        ControlFlow::Continue(())
    }

    /// The states of as many networks as fit, from the first on, after all steps; `None` if stopped.
    fn states(
        &self,
        group: &[(usize, Prepared)],
        observer: &impl Observer<Error = TrainError>,
    ) -> Result<Option<Vec<TrainingState>>, BackendError> {
        let n_steps = |run: &Resolved| run.epochs.saturating_mul(u64::from(run.steps_per_epoch()));
        let job = |(_, Prepared { run, picture, .. }): &(usize, Prepared)| NetworkJob {
            job: run.job(Arc::clone(picture)),
            state: TrainingState::new(run.initial_params(), run.optimizer, &run.options.refinements),
            steps: Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr)
                .scheduled(run.schedule, n_steps(run)),
        };
        let jobs = group.par_iter().map(job).collect();
        let n_steps = n_steps(&group[0].1.run);
        block_on(self.trainer.train(jobs, n_steps, &|| observer.stop_requested()))
    }

    /// Measures networks and keeps them. Returns those that have to be trained alone: that diverged or learned too little,
    /// since a run of one goes back, or begins again with other weights.
    fn measure(&self, group: Group, states: Vec<TrainingState>, keep: &mut Keep) -> Group {
        let fitted = |((_, prepared), state): (&(usize, Prepared), TrainingState)| {
            let params = state.into_predicting(&prepared.run.options.refinements);
            let is_finite = params.iter().all(|value| value.is_finite());
            is_finite.then(|| Fitted::of(&prepared.run, &prepared.picture, params))
        };
        let fitted: Vec<_> = group.par_iter().zip(states).map(fitted).collect();
        let mut alone = Group::new();
        for ((place, prepared), fitted) in group.into_iter().zip(fitted) {
            match fitted {
                Some(Err(error)) => keep(place, Err(error.into())),
                Some(Ok(fitted)) if fitted.failure.is_none() && fitted.evaluation.train.mse().is_finite() => {
                    keep(place, Ok(Some(prepared.network(&fitted))));
                }
                _ => alone.push((place, prepared)),
            }
        }
        alone
    }
}

/// Adds a picture to the group of its shape.
fn add(groups: &mut Vec<Group>, place: usize, prepared: Prepared) {
    let shape = |picture: &Picture| (picture.width, picture.height, picture.channels, picture.depth());
    match groups.iter_mut().find(|group| shape(&group[0].1.picture) == shape(&prepared.picture)) {
        Some(group) => group.push((place, prepared)),
        None => groups.push(vec![(place, prepared)]),
    }
}

/// What keeps such networks from being trained at once, if anything.
fn why_alone(run: &Resolved) -> Option<&'static str> {
    if run.until.is_some() {
        Some("--until")
    } else if run.keep == config::Keep::Best {
        Some("--keep best")
    } else {
        (!NetworkJob::suits(&run.options)).then_some("a mask or --sampling error")
    }
}
