//! The `[training]` section: loss, update rule and their parameters.

use super::parameters::{self, MAX_RATE};
use super::resolve::ensure;
use super::{ConfigError, Section, TrainingConfig, defaults};
use crate::model::{Activation, Loss, LossKind, Optimizer, OptimizerKind, Schedule, ScheduleKind};
use crate::names::{Named, join};

/// A thousand times the default takes days on any machine.
const MAX_EFFORT: f64 = 1e3;

/// The schedules that have a setting.
const WITH_MIN_LR: &[ScheduleKind] = &[ScheduleKind::Cosine, ScheduleKind::CosineRestarts];
const WITH_HOLD: &[ScheduleKind] = &[ScheduleKind::Cosine, ScheduleKind::Exponential, ScheduleKind::Step];
const WITH_CYCLE: &[ScheduleKind] = &[ScheduleKind::CosineRestarts, ScheduleKind::Step];
const WITH_DECAY: &[ScheduleKind] = &[ScheduleKind::Exponential, ScheduleKind::Step];

impl TrainingConfig {
    fn kind(&self) -> OptimizerKind {
        self.optimizer.unwrap_or(OptimizerKind::Adam)
    }

    /// The update rule and its learning rate.
    pub(super) fn optimizer(
        &self,
        activation: Activation,
        has_grid: bool,
        batch_size: u32,
    ) -> Result<(Optimizer, f64), ConfigError> {
        let kind = self.kind();
        let lr = self.lr.unwrap_or_else(|| defaults::lr(kind, activation, has_grid, batch_size));
        let allowed = format!("give a learning rate above 0 and up to {MAX_RATE}, such as 1e-3");
        ensure(lr > 0.0 && lr <= MAX_RATE, "lr", format_args!("{lr:?}"), allowed)?;
        parameters::check::<Optimizer>(self, |value| format!("{value:?}"))?;
        let adam = matches!(kind, OptimizerKind::Adam | OptimizerKind::AdamW);
        let usual = |name: &str| defaults::adam_with_grid(name).filter(|_| adam && has_grid);
        let optimizer = kind.with(|name| self.get(name).or_else(|| usual(name)));
        let momentum = self.momentum.unwrap_or(0.0);
        let is_allowed = momentum == 0.0 || optimizer.param("momentum").is_some();
        let allowed = "only --optimizer sgd, nesterov and muon have it; Adam has beta1";
        ensure(is_allowed, "momentum", momentum, allowed)?;
        Ok((optimizer, lr))
    }

    /// Passes over `n_samples` training pixels.
    pub(super) fn epochs(&self, has_grid: bool, n_samples: u32) -> Result<u64, ConfigError> {
        let effort = self.effort.unwrap_or(1.0);
        let allowed = format!("give a factor above 0 and up to {MAX_EFFORT}, such as 2 for twice the epochs");
        ensure(effort > 0.0 && effort <= MAX_EFFORT, "effort", format_args!("{effort:?}"), allowed)?;
        let usual = defaults::epochs(has_grid, n_samples) as f64;
        Ok(self.epochs.unwrap_or_else(|| (effort * usual).round().max(1.0) as u64))
    }

    pub(super) fn until(&self) -> Result<Option<f64>, ConfigError> {
        let Some(until) = self.until else { return Ok(None) };
        let allowed = "give a PSNR in dB above 0, such as 40";
        ensure(until > 0.0 && until.is_finite(), "until", format_args!("{until:?}"), allowed)?;
        Ok(Some(until))
    }

    pub(super) fn loss(&self) -> Result<Loss, ConfigError> {
        parameters::check::<Loss>(self, |value| value.to_string())?;
        Ok(self.loss.unwrap_or(LossKind::Mse).with(|name| self.get(name)))
    }

    /// Parameters that are given but that neither the loss nor the update rule has.
    pub(super) fn without_effect(&self) -> Vec<(String, String)> {
        let mut without = parameters::without_effect(self, self.kind().with(|_| None));
        let kind = self.schedule.unwrap_or(ScheduleKind::Cosine);
        for (given, with, setting) in [
            (self.min_lr.is_some(), WITH_MIN_LR, "min-lr"),
            (self.hold.is_some(), WITH_HOLD, "hold"),
            (self.cycle.is_some(), WITH_CYCLE, "cycle"),
            (self.decay.is_some(), WITH_DECAY, "decay"),
        ] {
            if given && !with.contains(&kind) {
                let names: Vec<_> = with.iter().map(|kind| kind.name()).collect();
                let why = format!("with this schedule: only {} have it", join(&names, "and"));
                without.push((setting.to_owned(), why));
            }
        }
        without.extend(self.muon_without_effect());
        if self.effort.is_some() && self.epochs.is_some() {
            without.push(("effort".to_owned(), "beside epochs".to_owned()));
        }
        let loss = self.loss.unwrap_or(LossKind::Mse).with(|_| None);
        let without_loss =
            |(setting, having): (_, Vec<_>)| (setting, format!("without --loss {}", join(&having, "or")));
        without.extend(parameters::unused(self, loss).into_iter().map(without_loss));
        without
    }

    /// The schedule of a run of `n_steps` steps at learning rate `lr`.
    pub(super) fn schedule(&self, lr: f64, n_steps: u64) -> Result<Schedule, ConfigError> {
        let kind = self.schedule.unwrap_or(ScheduleKind::Cosine);
        let usual = Schedule::new(kind);
        let schedule = Schedule {
            kind,
            warmup: self.warmup.unwrap_or(0),
            hold: self.hold.unwrap_or(0),
            min_lr: self.min_lr.unwrap_or(0.0),
            cycle: self.cycle.unwrap_or((n_steps / 4).max(1)),
            decay: self.decay.unwrap_or(usual.decay),
        };
        let Schedule { warmup, min_lr, cycle, decay, .. } = schedule;
        let allowed = format!("give a number from 0 to the learning rate, {lr}");
        ensure((0.0..=lr).contains(&min_lr), "min-lr", format_args!("{min_lr:?}"), allowed)?;
        let allowed = "give a factor above 0 and up to 1";
        ensure(decay > 0.0 && decay <= 1.0, "decay", format_args!("{decay:?}"), allowed)?;
        let fits = warmup < cycle || kind != ScheduleKind::CosineRestarts;
        let allowed = format!("a cycle of {cycle} steps begins with it; give fewer");
        ensure(fits, "warmup", format_args!("{warmup} steps"), allowed)?;
        Ok(schedule)
    }

    pub(super) fn fill_schedule(&mut self, schedule: Schedule) {
        let Schedule { kind, warmup, hold, min_lr, cycle, decay } = schedule;
        self.hold = (WITH_HOLD.contains(&kind) && hold > 0).then_some(hold);
        (self.schedule, self.warmup) = (Some(kind), Some(warmup));
        self.min_lr = WITH_MIN_LR.contains(&kind).then_some(min_lr);
        self.cycle = WITH_CYCLE.contains(&kind).then_some(cycle);
        self.decay = WITH_DECAY.contains(&kind).then_some(decay);
    }

    pub(super) fn fill_loss(&mut self, loss: Loss) {
        self.loss = Some(loss.kind());
        parameters::fill(self, loss);
    }

    pub(super) fn fill_optimizer(&mut self, optimizer: Optimizer) {
        self.optimizer = Some(optimizer.kind());
        parameters::fill(self, optimizer);
    }

    /// Without the update rule and its rate and constants, which do not apply to another.
    pub(crate) fn without_rule(mut self) -> Self {
        (self.optimizer, self.lr, self.muon_lr, self.muon_layers) = (None, None, None, None);
        parameters::clear::<Optimizer>(&mut self);
        self
    }
}
