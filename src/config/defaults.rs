//! Default settings, chosen by measurement (docs/DEFAULTS.md says how).

use super::{BatchSize, CheckpointEvery};
use crate::model::network::Mlp;
use crate::model::optimizer::MuonLayers;
use crate::model::{Activation, Init, Interpolation, OptimizerKind};
use std::num::{NonZeroU32, NonZeroU64};

pub(super) const FEATURES: usize = 256;
pub(super) const POSITIONAL_LOG2_MAX: f32 = 6.0;
pub(super) const HIDDEN: usize = 128;
pub(super) const LAYERS: usize = 4;
/// With grids: the trained features leave less for the network to do.
pub(super) const GRID_HIDDEN: usize = 64;
pub(super) const GRID_LAYERS: usize = 3;
/// Levels and features as in Mueller et al. 2022.
pub(super) const GRID_LEVELS: usize = 16;
pub(super) const GRID_FEATURES: usize = 2;
pub(super) const GRID_INTERPOLATION: Interpolation = Interpolation::Linear;

pub(super) const CHECKPOINT_EVERY: CheckpointEvery =
    CheckpointEvery::Seconds(NonZeroU64::new(30).expect("30 > 0"));

/// Batch size for pictures of 32 times as many pixels.
pub(super) const BATCH: u32 = 1 << 11;

pub(super) fn batch(has_grid: bool, has_muon: bool, n_samples: u32) -> BatchSize {
    let batch = match has_grid {
        // Each step updates every entry of the tables, whatever its samples: more than 64 steps per epoch do not pay
        // off, and larger tables want fewer.
        true => (n_samples / 64).clamp(512, if is_large(n_samples.into()) { 1 << 15 } else { 1 << 14 }),
        // Its work on the matrices is the same for every batch.
        false if has_muon => (n_samples / 16).clamp(1024, 2 * BATCH),
        // Smaller batches give small pictures enough steps.
        false => (n_samples / 32).clamp(512, BATCH),
    };
    NonZeroU32::new(batch.min(n_samples)).map_or(BatchSize::Full, |n| {
        if n.get() == n_samples { BatchSize::Full } else { BatchSize::Samples(n) }
    })
}

/// Standard deviation of the Gaussian frequencies, in cycles per longer side.
///
/// Best near 15 for pictures of 128 to 512 pixels and near 30 at 1632; a picture of n pixels has at most n / 2
/// cycles, so small ones get less.
pub(super) fn sigma(longer_side: u32) -> f32 {
    let side = longer_side as f32;
    if side <= 512.0 { 15.0_f32.min(side / 4.0) } else { 15.0 * (side / 512.0).sqrt() }
}

/// Octaves from half a cycle on, up to half a cycle a pixel.
pub(super) fn octaves(longer_side: u32) -> usize {
    longer_side.max(1).ilog2() as usize + 1
}

/// Bins of one-blob along each axis.
pub(super) const BINS: usize = 96;

/// Cells across the longer side at a grid's coarsest level.
pub(super) fn base_resolution(longer_side: u32) -> u32 {
    longer_side.clamp(1, 16)
}

/// From `base` cells to `finest` in `n_levels` levels: Mueller et al. 2022, equation 3.
pub(super) fn growth(finest: f64, base: u32, n_levels: usize) -> f64 {
    let steps = n_levels.saturating_sub(1).max(1) as f64;
    libm::pow(finest / f64::from(base), 1.0 / steps).max(1.0)
}

/// About an eighth of the picture's pixels: 16 levels of 2 features then have 0.6 times as many weights as an RGB
/// picture of 512x512 has values. As many as pixels if neighbouring pixels are unrelated, as in noise and dithering:
/// they have nothing to share.
pub(super) fn log2_table(n_pixels: u64, roughness: f64) -> u32 {
    let largest = if is_large(n_pixels) { 20 } else { 19 };
    let n_pixels = if roughness > ROUGH { 8 * n_pixels } else { n_pixels };
    (n_pixels.max(1).ilog2().saturating_sub(3)).clamp(8, largest)
}

/// Whether a picture has 8 to 32 megapixels, as a camera's. It has two passes, to fill larger tables: 38.1 dB where one with
/// smaller tables ended at 36.8. For larger ones that would take too long.
fn is_large(n_pixels: u64) -> bool {
    (1 << 23..1 << 25).contains(&n_pixels)
}

/// Threshold on [`Picture::roughness`](crate::picture::Picture::roughness): photographs had at most 0.2 (20 tried, at
/// 128x128 and at full size), dithering has 0.6, noise 1.
const ROUGH: f64 = 0.5;

/// Values of the picture for each weight, up to which Muon gains much over Adam after fixed features (docs/OPTIMIZERS.md).
const MUON_VALUES: f64 = 4.0;

/// Whether Muon is the update rule of a network of ReLUs after fixed features, for pictures of `n_values` values. A few
/// inputs have nothing to orthogonalise.
pub(super) fn gains_from_muon(network: &Mlp, n_values: f64) -> bool {
    network.input_width >= MUON_INPUTS && n_values <= MUON_VALUES * network.n_params() as f64
}

/// Inputs of a first layer that Muon orthogonalises.
const MUON_INPUTS: usize = 16;

/// Of matrices under Muon, for pictures of `n_values` values. A network with few weights for them gains from long steps,
/// one with many from short ones, if those are enough to go far (docs/OPTIMIZERS.md). Sines multiply their arguments by
/// w0.
fn muon_lr(network: &Mlp, n_steps: u64, n_values: f64) -> f64 {
    let per_weight = n_values / network.n_params() as f64;
    let lr = (0.014 * per_weight).min(0.03).max((8.0 / n_steps.max(1) as f64).min(0.1));
    match network.activation {
        Activation::Sine { w0 } | Activation::Finer { w0 } => lr / f64::from(w0),
        _ => lr,
    }
}

/// What Muon does to matrices unless told otherwise.
#[derive(Clone, Copy)]
pub(super) struct UsualMuon {
    pub(super) lr: f64,
    pub(super) layers: MuonLayers,
}

impl UsualMuon {
    /// It gains most in the first layer after fixed features (docs/OPTIMIZERS.md). Two columns of positions have nothing
    /// to orthogonalise, and features of a grid change with its weights.
    pub(super) fn of(network: &Mlp, has_grid: bool, n_steps: u64, n_samples: u32) -> Self {
        let layers = match has_grid || network.input_width < MUON_INPUTS {
            true => MuonLayers::Hidden,
            false => MuonLayers::ButLast,
        };
        let n_values = f64::from(n_samples) * network.output_width as f64;
        Self { lr: muon_lr(network, n_steps, n_values), layers }
    }
}

/// Without a grid it falls with the square root of the batch: fewer samples, noisier gradients.
pub(super) fn lr(optimizer: OptimizerKind, activation: Activation, has_grid: bool, batch_size: u32) -> f64 {
    let adam = match activation {
        Activation::Relu | Activation::LeakyRelu { .. } if has_grid => 1e-2,
        Activation::Sine { .. } | Activation::Finer { .. } => 5e-4,
        Activation::Sigmoid => 2e-2,
        _ => 5e-3,
    };
    let noise = if has_grid { 1.0 } else { (f64::from(batch_size.min(BATCH)) / f64::from(BATCH)).sqrt() };
    let adam = adam * noise;
    match optimizer {
        OptimizerKind::Sgd => 0.1,
        OptimizerKind::Nesterov => 1.0,
        OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::AdaBelief => adam,
        // Of what is not orthogonalised.
        OptimizerKind::Muon => 0.2 * adam,
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

/// Passes over the training pixels: about the same work for every picture above 512 x 512, and enough steps to
/// converge for small ones.
pub(super) fn epochs(has_grid: bool, n_samples: u32) -> u64 {
    let samples = if has_grid { 60 } else { 30 } * 512 * 512;
    let n_samples = u64::from(n_samples).max(1);
    let least = if has_grid && is_large(n_samples) { 2 } else { 1 };
    ((samples + n_samples / 2) / n_samples).clamp(least, 400)
}

/// Features of a grid start near 0, where one step can make a ReLU inactive for every sample; a leaky one recovers.
pub(super) fn activation(has_grid: bool) -> Activation {
    if has_grid { Activation::LeakyRelu { slope: 0.01 } } else { Activation::Relu }
}

/// Adam's with a grid, Mueller et al. 2022, appendix C: most entries are rarely visited, so their moments must have a
/// short memory.
pub(super) fn adam_with_grid(parameter: &str) -> Option<f64> {
    match parameter {
        "beta2" => Some(0.99),
        "epsilon" => Some(1e-15),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_have_large_tables_and_time_to_fill_them() {
        let of = |n: u32| (log2_table(n.into(), 0.1), batch(true, false, n).to_string(), epochs(true, n));
        let expected = |log2_table, batch: &str, epochs| (log2_table, batch.to_owned(), epochs);
        assert_eq!(of(512 * 512), expected(15, "4096", 60));
        assert_eq!(of(8_000_000), expected(19, "16384", 2));
        assert_eq!(of(6028 * 3391), expected(20, "32768", 2));
        assert_eq!(of(40_000_000), expected(19, "16384", 1));
    }
}
