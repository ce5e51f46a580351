//! Learning-rate schedules over the steps of a run.

use crate::names::named;
use std::f64::consts::PI;

named! {
    /// Schedules by name.
    pub enum ScheduleKind {
        /// A constant rate
        Constant "constant",
        /// Half a cosine down to --min-lr
        Cosine "cosine",
        /// Cosines of --cycle steps, each after a warm-up of --warmup steps
        CosineRestarts "cosine-restarts",
        /// Exponential decay, to --decay times the initial rate
        Exponential "exponential",
        /// Multiplied by --decay every --cycle steps
        Step "step",
        /// Up for --warmup steps and down to almost nothing
        OneCycle "one-cycle",
    }
}

/// A learning-rate schedule over steps t = 0 .. n-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The curve.
    pub kind: ScheduleKind,
    /// w: steps of warm-up.
    pub warmup: u64,
    /// h: steps at the full rate after it; the curve covers the other n - w - h. Not used by restarts
    /// and one-cycle.
    pub hold: u64,
    /// Final rate of cosines.
    pub min_lr: f64,
    /// Steps per restart, warm-up included, or between drops.
    pub cycle: u64,
    /// Factor on the rate: at the end for `Exponential`, after each drop for `Step`.
    pub decay: f64,
}

/// Default warm-up of one-cycle as a share of the run, as in `torch`'s `OneCycleLR`.
pub const ONE_CYCLE_RISE: f64 = 0.3;

impl Schedule {
    /// A schedule without warm-up, with cosines that end at 0.
    pub fn new(kind: ScheduleKind) -> Self {
        let decay = if kind == ScheduleKind::Step { 0.1 } else { 0.01 };
        Self { kind, warmup: 0, hold: 0, min_lr: 0.0, cycle: u64::MAX, decay }
    }

    /// Learning rate of step `index` (from 0) out of `n_steps`.
    ///
    /// Constant: lr. Cosine: min + (lr - min) (1 + cos(pi t / n)) / 2, Loshchilov and Hutter 2017,
    /// equation 5. CosineRestarts: the same over each cycle, after a linear warm-up from min to lr.
    /// Exponential: lr decay^(t / n). Step: lr decay^floor(t / cycle). OneCycle: half a cosine
    /// from lr / 25 to lr, then one to lr / 250,000 (Smith and Topin 2018, as in `torch`).
    pub fn lr(&self, lr: f64, index: u64, n_steps: u64) -> f64 {
        match self.kind {
            ScheduleKind::CosineRestarts => return self.restarts(lr, index),
            ScheduleKind::OneCycle => return self.one_cycle(lr, index, n_steps),
            _ if index < self.warmup => return lr * (index + 1) as f64 / self.warmup as f64,
            _ => {}
        }
        let before = self.warmup.saturating_add(self.hold);
        let t = index.saturating_sub(before);
        let progress = t as f64 / n_steps.saturating_sub(before).max(1) as f64;
        match self.kind {
            ScheduleKind::Cosine => half_cosine(lr, self.min_lr, progress),
            ScheduleKind::Exponential => lr * libm::pow(self.decay, progress),
            ScheduleKind::Step => lr * libm::pow(self.decay, (t / self.cycle.max(1)) as f64),
            _ => lr,
        }
    }

    fn restarts(&self, lr: f64, index: u64) -> f64 {
        let t = index % self.cycle.max(1);
        if t < self.warmup {
            return self.min_lr + (lr - self.min_lr) * t as f64 / self.warmup as f64;
        }
        let falling = self.cycle.saturating_sub(self.warmup).max(1);
        half_cosine(lr, self.min_lr, (t - self.warmup) as f64 / falling as f64)
    }

    fn one_cycle(&self, lr: f64, index: u64, n_steps: u64) -> f64 {
        let last = n_steps.saturating_sub(1) as f64;
        let peak = if self.warmup > 0 { self.warmup as f64 } else { ONE_CYCLE_RISE * n_steps as f64 - 1.0 };
        let (t, first) = (index as f64, lr / 25.0);
        if t < peak {
            half_cosine(first, lr, t / peak)
        } else {
            half_cosine(lr, first / 1e4, (t - peak) / (last - peak).max(1.0))
        }
    }
}

/// From `first` at 0 to `last` at 1 and after.
fn half_cosine(first: f64, last: f64, progress: f64) -> f64 {
    last + (first - last) * 0.5 * (1.0 + libm::cos(PI * progress.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, steps: &[u64]) -> Vec<f64> {
        steps.iter().map(|&t| schedule.lr(2.0, t, 100)).collect()
    }

    fn assert_rates(schedule: Schedule, steps: &[u64], expected: &[f64]) {
        for (t, (found, want)) in steps.iter().zip(rates(schedule, steps).iter().zip(expected)) {
            assert!((found - want).abs() < 1e-12, "{schedule:?}: step {t} has {found}, not {want}");
        }
    }

    #[test]
    fn each_form_at_its_turning_points() {
        let of = Schedule::new;
        assert_rates(of(ScheduleKind::Constant), &[0, 99], &[2.0, 2.0]);
        let cosine = Schedule { min_lr: 0.5, ..of(ScheduleKind::Cosine) };
        assert_rates(cosine, &[0, 50, 100, 120], &[2.0, 1.25, 0.5, 0.5]);
        assert_rates(of(ScheduleKind::Exponential), &[0, 50, 100], &[2.0, 0.2, 0.02]);
        let step = Schedule { cycle: 30, ..of(ScheduleKind::Step) };
        assert_rates(step, &[0, 29, 30, 60, 99], &[2.0, 2.0, 0.2, 0.02, 0.002]);
    }

    #[test]
    fn warm_up_rises_in_a_line_and_the_form_follows() {
        let cosine = Schedule { warmup: 20, ..Schedule::new(ScheduleKind::Cosine) };
        assert_rates(cosine, &[0, 9, 19, 20, 60, 100], &[0.1, 1.0, 2.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn the_form_waits_while_the_rate_is_held() {
        let step = Schedule { hold: 10, cycle: 30, ..Schedule::new(ScheduleKind::Step) };
        assert_rates(step, &[0, 39, 40, 70], &[2.0, 2.0, 0.2, 0.02]);
        let cosine = Schedule { warmup: 10, hold: 50, ..Schedule::new(ScheduleKind::Cosine) };
        assert_rates(cosine, &[4, 10, 59, 60, 80, 100], &[1.0, 2.0, 2.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn restarts_begin_each_cycle_anew() {
        let schedule =
            Schedule { warmup: 5, min_lr: 1e-7, cycle: 50, ..Schedule::new(ScheduleKind::CosineRestarts) };
        assert_rates(schedule, &[0, 5, 50, 55], &[1e-7, 2.0, 1e-7, 2.0]);
        assert!(schedule.lr(2.0, 49, 100) < 0.01);
    }

    /// torch.optim.lr_scheduler.OneCycleLR(max_lr=2, total_steps=100).
    #[test]
    fn one_cycle_is_pytorchs() {
        let torch = [
            (0, 0.080_000_000_000_000_07),
            (10, 0.590_327_896_928_201_5),
            (29, 2.0),
            (30, 1.998_993_070_569_048_6),
            (64, 1.000_004),
            (99, 8e-6),
        ];
        for (t, want) in torch {
            let found = Schedule::new(ScheduleKind::OneCycle).lr(2.0, t, 100);
            assert!((found / want - 1.0).abs() < 1e-12, "step {t} has {found}, not {want}");
        }
    }
}
