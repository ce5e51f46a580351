//! Learning-rate schedules over the steps of a run.

use std::f64::consts::PI;

/// How the learning rate moves from its first value over `n_steps` steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// lr
    Constant,
    /// lr (1 + cos(pi t / n_steps)) / 2: from lr to 0. Loshchilov and Hutter 2017, equation 5,
    /// one cycle.
    Cosine,
    /// lr 0.01^(t / n_steps): down to a hundredth.
    Exponential,
}

impl Schedule {
    /// Learning rate of step `index` (from 0) out of `n_steps`.
    pub fn lr(self, initial: f64, index: u64, n_steps: u64) -> f64 {
        let progress = index as f64 / n_steps.max(1) as f64;
        match self {
            Self::Constant => initial,
            Self::Cosine => initial * 0.5 * (1.0 + (PI * progress.min(1.0)).cos()),
            Self::Exponential => initial * 0.01_f64.powf(progress),
        }
    }
}
