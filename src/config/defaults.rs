//! Default settings, chosen by measurement (docs/DEFAULTS.md says how).

use super::{BatchSize, CheckpointEvery, EncodingKind};
use crate::model::{Activation, Init, OptimizerKind};
use std::num::{NonZeroU32, NonZeroU64};

pub(super) const ENCODING: EncodingKind = EncodingKind::Gaussian;
pub(super) const FEATURES: usize = 256;
pub(super) const POSITIONAL_LOG2_MAX: f32 = 6.0;
pub(super) const HIDDEN: usize = 128;
pub(super) const LAYERS: usize = 4;

pub(super) const CHECKPOINT_EVERY: CheckpointEvery =
    CheckpointEvery::Seconds(NonZeroU64::new(30).expect("30 > 0"));

/// Samples a step where the picture has more.
pub(super) const BATCH: u32 = 1 << 11;

pub(super) fn batch(n_samples: u32) -> BatchSize {
    NonZeroU32::new(BATCH.min(n_samples)).map_or(BatchSize::Full, |n| {
        if n.get() == n_samples { BatchSize::Full } else { BatchSize::Samples(n) }
    })
}

/// Standard deviation of the Gaussian frequencies, in cycles per longer side.
///
/// Best near 15 for pictures of 128 to 512 pixels and near 30 at 1632; a picture of n pixels holds
/// no more than n / 2 cycles, so small ones get less.
pub(super) fn sigma(longer_side: u32) -> f32 {
    let side = longer_side as f32;
    if side <= 512.0 { 15.0_f32.min(side / 4.0) } else { 15.0 * (side / 512.0).sqrt() }
}

pub(super) fn lr(optimizer: OptimizerKind, activation: Activation) -> f64 {
    let adam = match activation {
        Activation::Sine { .. } | Activation::Finer { .. } => 5e-4,
        Activation::Sigmoid => 2e-2,
        _ => 5e-3,
    };
    match optimizer {
        OptimizerKind::Sgd => 0.1,
        OptimizerKind::Nesterov => 1.0,
        OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::AdaBelief => adam,
        OptimizerKind::Lion => 0.4 * adam,
    }
}

pub(super) fn init(activation: Activation) -> Init {
    match activation {
        Activation::Sine { .. } | Activation::Finer { .. } => Init::Siren,
        Activation::Gabor { .. } | Activation::Gaussian { .. } => Init::Torch,
        Activation::Tanh | Activation::Sigmoid | Activation::Identity => Init::GlorotNormal,
        Activation::Relu
        | Activation::LeakyRelu { .. }
        | Activation::Gelu
        | Activation::Silu
        | Activation::Softplus => Init::HeNormal,
    }
}

/// Passes over the training pixels: about the same work for every picture above 512 x 512, and
/// for small ones enough steps to converge.
pub(super) fn epochs(n_samples: u32) -> u64 {
    const SAMPLES: u64 = 30 * 512 * 512;
    (SAMPLES / u64::from(n_samples).max(1)).clamp(1, 400)
}

pub(super) fn activation() -> Activation {
    Activation::Relu
}
