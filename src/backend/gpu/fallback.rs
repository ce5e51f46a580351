//! What is used instead of a kernel that a driver does not compile: kernels that ask less of it. A kernel that computes
//! wrong results is not replaced, except while candidates are timed.

use super::device::{Budget, Gpu};
use super::execute::{OTHER_TILES, report};
use super::kernel::{KernelConfig, Storage};
use super::ops::{Layout, fused, layout};
use super::prove;
use crate::backend::{Job, Result};
use crate::job::Precision;
use crate::model::Model;
use std::sync::Arc;

/// What `gpu` may use for predictions of `n_pixels` pixels: all that it has, if its driver compiles that. `layout_for`
/// lays out buffers.
///
/// # Errors
/// When the driver compiles none of it, the model does not fit, or the device fails.
pub async fn budget_for(
    gpu: &Arc<Gpu>,
    model: &Model,
    layout_for: impl Fn(Budget) -> Result<Layout>,
    n_pixels: Option<usize>,
) -> Result<Budget> {
    let mut budget = gpu.budget();
    let mut tiles = OTHER_TILES.into_iter();
    loop {
        let layout = layout_for(budget)?;
        let n_pixels = n_pixels.unwrap_or(layout.tile);
        let Err(error) = prove::predictions(gpu, (model, &layout), n_pixels).await else { return Ok(budget) };
        let instead = if fused::of_prediction(model, &budget).is_some() {
            budget.fused_predictions = false;
            "pictures are computed layer by layer"
        } else if let Some(tiling) = tiles.next() {
            budget.prediction_tiles = Some(tiling);
            "pictures are computed with other tiles"
        } else {
            return Err(error);
        };
        report(error, instead)?;
    }
}

/// Ways to train `job` instead of `config`, each of which asks less of the driver than the one before.
pub fn ways(
    job: &Job,
    budget: Budget,
    config: &KernelConfig,
    precision: Precision,
) -> Vec<(Budget, KernelConfig)> {
    let is_fused = |config: &KernelConfig| layout::fused_step(job, budget, config).is_some();
    let separate = KernelConfig { fused: Some(true), separate_samples: true, ..config.clone() };
    let usual_blocks = KernelConfig { fused_block: None, ..separate.clone() };
    let without_matrices = KernelConfig { fused_tiling: None, ..usual_blocks.clone() };
    let by_layers = KernelConfig { fused: Some(false), separate_samples: false, ..without_matrices.clone() };
    let storage = if precision == Precision::Auto { Storage::F32 } else { config.storage };
    let plain = KernelConfig { storage, fused: Some(false), ..KernelConfig::default() };
    let mut ways = Vec::new();
    if is_fused(config) {
        ways.extend(layout::fetches_samples(job, budget, config).then_some((budget, separate)));
        let has_usual_blocks = config.fused_block.is_some() && is_fused(&usual_blocks);
        ways.extend(has_usual_blocks.then_some((budget, usual_blocks)));
        let is_smaller = config.fused_tiling.is_some() && is_fused(&without_matrices);
        ways.extend(is_smaller.then_some((budget, without_matrices)));
        ways.push((budget, by_layers.clone()));
    }
    ways.extend((plain != by_layers).then_some((budget, plain)));
    ways.extend(OTHER_TILES.map(|tiling| {
        let only = KernelConfig::only(storage, tiling, job.model.network.layers());
        (Budget { prediction_tiles: Some(tiling), ..budget }, KernelConfig { fused: Some(false), ..only })
    }));
    ways
}
