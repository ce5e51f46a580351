//! Detects that a network learns nothing: its picture is flat and stays flat.
//!
//! A saturated output or hidden units that never fire have no gradient to recover with. Checks for collapse come
//! after steps 32, 64, 128 and so on. A channel is flat if the network's values vary by less than 1 % of the
//! picture's variation; a run has collapsed if a channel was flat at two of these checks and did not get closer to
//! the picture in between, as a slow one would.

use super::evaluate::ChannelFit;
use super::position::MAX_RESTARTS;
use super::{Evaluation, Observer, Position, TrainError, Trainer, even_importance};
use crate::config::{EncodingKind, Resolved};
use crate::model::{Activation, TrainingState};
use crate::names::named;

/// The first check comes after this many steps, later ones each time the number has doubled.
const FIRST_CHECK: u64 = 32;

/// Variance of the network's values, as a share of the picture's, below which a channel is flat.
const FLAT: f64 = 1e-4;

/// A flat channel whose error falls by less than this share between two checks is stuck.
const STUCK: f64 = 1e-3;

/// A complete run that explains less than this share of the picture's variance has failed.
const POOR: f64 = 0.7;

/// PSNR in dB above which the error is hardly visible, however faint the picture.
const FAINT: f64 = 30.0;

/// Too few steps to expect results.
const FEW_STEPS: u64 = 1000;

/// Initial bias of hidden units after a restart: above 0, where every sample activates them.
const ALIVE: f32 = 0.1;

impl Trainer<'_> {
    /// Whether the current epoch ends with a check.
    pub(super) fn check_due(&self) -> bool {
        // Warm-up steps do not count.
        let after = self.steps_done().saturating_sub(self.run.schedule.warmup);
        check_due(after.saturating_sub(self.steps_per_epoch().into()), after)
    }

    /// Checks whether the network learns anything, if a check is due. If not, restarts the run and returns true.
    pub(super) async fn check<O: Observer>(
        &mut self,
        observer: &mut O,
        evaluation: &Evaluation,
    ) -> Result<bool, O::Error> {
        let before = self.position.flat_error;
        self.position.flat_error = flat_error(evaluation);
        let stuck = before.zip(self.position.flat_error).is_some_and(|(before, now)| is_stuck(before, now));
        if !stuck || self.position.fresh_starts == MAX_RESTARTS {
            return Ok(false);
        }
        let steps = self.steps_done();
        let Position { seconds, lr_scale, fresh_starts, .. } = self.position;
        let fresh_starts = fresh_starts + 1;
        self.position = Position { seconds, lr_scale, fresh_starts, ..Position::default() };
        log::warn!(
            "the network's picture is flat after {steps} steps and stays so: restarting with other weights and a \
             learning rate of {:e}",
            self.initial_lr(),
        );
        let state = self.restart_state(evaluation);
        self.backend.set_state(&state).await.map_err(TrainError::from)?;
        self.best = None;
        self.importance = even_importance(self.run);
        observer.restarted()?;
        self.begin(observer).await?;
        Ok(true)
    }

    /// Weights from another seed, active hidden units, and the picture's mean colour as the last bias.
    fn restart_state(&self, evaluation: &Evaluation) -> TrainingState {
        let (run, network) = (self.run, &self.run.model.network);
        let layout = run.model.layout();
        let seed = run.seed.wrapping_add(u64::from(self.position.fresh_starts));
        let mut params = run.init.draw(&run.model, seed);
        let (last, hidden) = layout.layers.split_last().expect("a network has layers");
        if network.activation == Activation::Relu {
            hidden.iter().for_each(|layer| params[layer.bias.clone()].fill(ALIVE));
        }
        for (bias, channel) in params[last.bias.clone()].iter_mut().zip(&evaluation.channels) {
            *bias = match network.output_activation {
                // Clamped, since a sigmoid saturates.
                Activation::Sigmoid => {
                    let mean = channel.mean().clamp(0.02, 0.98);
                    libm::log(mean / (1.0 - mean)) as f32
                }
                _ => channel.mean() as f32,
            };
        }
        TrainingState::new(params, run.optimizer, &run.options.refinements)
    }
}

/// Whether a check is due when the run advances from `before` steps to `after`.
fn check_due(before: u64, after: u64) -> bool {
    after >= FIRST_CHECK && (before < FIRST_CHECK || after.ilog2() > before.ilog2())
}

/// Mean error of the flat channels as a multiple of that of the best flat picture; `None` if no channel is flat.
fn flat_error(evaluation: &Evaluation) -> Option<f64> {
    let flat: Vec<f64> =
        evaluation.channels.iter().filter(|c| c.is_flat()).map(ChannelFit::error_share).collect();
    (!flat.is_empty()).then(|| flat.iter().sum::<f64>() / flat.len() as f64)
}

/// Whether a network whose flat channels had error `before` and now have `now` is stuck.
fn is_stuck(before: f64, now: f64) -> bool {
    now > before * (1.0 - STUCK)
}

impl ChannelFit {
    fn is_flat(&self) -> bool {
        self.varies() && self.prediction_variance() < FLAT * self.variance()
    }

    fn error_share(&self) -> f64 {
        self.mse() / self.variance()
    }
}

named! {
    /// How a complete run failed, as a word.
    pub enum FailureKind {
        /// The network's picture is flat
        Flat "flat",
        /// The network has learned little
        Poor "poor",
    }
}

/// How a complete run failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// The network's picture is flat.
    Flat {
        /// Restarts that did not help.
        fresh_starts: u32,
        /// PSNR in dB of the training pixels.
        psnr: f64,
    },
    /// It has learned little.
    Poor {
        /// The share of the picture's variance that the network explains.
        kept: f64,
        /// PSNR in dB of the training pixels.
        psnr: f64,
    },
}

impl Failure {
    /// The failure of a complete run that took `steps` steps and ended with `evaluation`, if it failed.
    pub fn of(run: &Resolved, fresh_starts: u32, steps: u64, evaluation: &Evaluation) -> Option<Self> {
        let psnr = evaluation.train.psnr();
        if steps >= 2 * FIRST_CHECK && flat_error(evaluation).is_some() {
            return Some(Self::Flat { fresh_starts, psnr });
        }
        let kept = evaluation.kept_variance()?;
        let is_poor = kept < POOR && psnr < FAINT && steps >= FEW_STEPS;
        (is_poor && !is_smooth(run)).then_some(Self::Poor { kept, psnr })
    }

    /// Without its figures, for files.
    pub fn kind(self) -> FailureKind {
        match self {
            Self::Flat { .. } => FailureKind::Flat,
            Self::Poor { .. } => FailureKind::Poor,
        }
    }
}

/// Whether the network sees bare positions and so can only learn smooth pictures, as the user chose.
fn is_smooth(run: &Resolved) -> bool {
    let periodic = matches!(
        run.model.network.activation,
        Activation::Sine { .. }
            | Activation::Finer { .. }
            | Activation::Gabor { .. }
            | Activation::Gaussian { .. }
    );
    let encoding = &run.config.encoding;
    let slow = matches!(encoding.kind, Some(EncodingKind::None | EncodingKind::Basic));
    slow && encoding.also.is_none() && !periodic
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flat { fresh_starts, psnr } => {
                let tries = match fresh_starts {
                    0 => String::new(),
                    1 => ", also after a restart".to_owned(),
                    n => format!(", also after {n} restarts"),
                };
                write!(
                    f,
                    "the network learned nothing: its picture is flat ({psnr:.2} dB){tries}; the default settings \
                     do not do this: leave --activation, --output-activation and --init out, or give a lower --lr \
                     (with muon, --muon-lr)"
                )
            }
            Self::Poor { kept, psnr } => write!(
                f,
                "the network learned little: it keeps {:.0} % of the picture's variance ({psnr:.2} dB); give more \
                 --epochs, or an encoding of finer detail: hash-grid, or gaussian with a higher --sigma",
                100.0 * kept.max(0.0)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_come_at_powers_of_two() {
        let due = |steps_per_epoch: u64| {
            let epochs = (1..=200).filter(|e| check_due((e - 1) * steps_per_epoch, e * steps_per_epoch));
            epochs.collect::<Vec<_>>()
        };
        assert_eq!(due(1), [32, 64, 128]);
        assert_eq!(due(5), [7, 13, 26, 52, 103]);
        assert_eq!(due(64), [1, 2, 4, 8, 16, 32, 64, 128]);
        assert_eq!(due(1000), [1, 2, 3, 5, 9, 17, 33, 66, 132]);
    }

    #[test]
    fn slow_is_not_stuck() {
        assert!(is_stuck(1.0, 1.0) && is_stuck(1.0, 1.5) && is_stuck(1.0, 0.9995));
        assert!(!is_stuck(1.0, 0.998) && !is_stuck(3.0, 2.9));
    }
}
