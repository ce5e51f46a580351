//! What is used instead of a kernel that a driver does not compile: kernels that ask less of it. What fails its
//! self-test is no such case, except where ways are timed.

use super::device::{Budget, Gpu};
use super::kernel::{KernelConfig, MatmulTiling, Storage};
use super::ops::{Layout, fused, layout};
use super::prove;
use crate::backend::{BackendError, Job};
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
    layout_for: impl Fn(Budget) -> Result<Layout, BackendError>,
    n_pixels: Option<usize>,
) -> Result<Budget, BackendError> {
    let mut budget = gpu.budget();
    loop {
        let layout = layout_for(budget)?;
        let n_pixels = n_pixels.unwrap_or(layout.tile);
        let Err(error) = prove::predictions(gpu, (model, &layout), n_pixels).await else { return Ok(budget) };
        let instead = if fused::of_prediction(model, &budget).is_some() {
            budget.fused_predictions = false;
            "pictures are computed layer by layer"
        } else if !budget.small_tiles {
            budget.small_tiles = true;
            "pictures are computed with the smallest tiles"
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
    let by_layers = KernelConfig { fused: Some(false), ..config.clone() };
    let storage = if precision == Precision::Auto { Storage::F32 } else { config.storage };
    let plain = KernelConfig { storage, fused: Some(false), ..KernelConfig::default() };
    let smallest = KernelConfig::only(storage, MatmulTiling::Tile32, job.model.network.layers());
    let smallest = KernelConfig { fused: Some(false), ..smallest };
    let is_fused = layout::fused_step(job, budget, config).is_some();
    let mut ways = Vec::new();
    ways.extend(is_fused.then(|| (budget, by_layers.clone())));
    ways.extend((plain != by_layers).then_some((budget, plain)));
    ways.push((Budget { small_tiles: true, ..budget }, smallest));
    ways
}

/// Says what is done `instead` of what the driver does not compile.
///
/// # Errors
/// `error` itself, if it is another.
pub fn report(error: BackendError, instead: &str) -> Result<(), BackendError> {
    let BackendError::NotCompiled { kernel, device, reason } = error else { return Err(error) };
    log::warn!("the driver of {device} does not compile the kernel {kernel} ({reason}): {instead} instead");
    Ok(())
}
