//! Finds how a device trains a job fastest: measured at first use, and cached for later runs.
//!
//! The candidates are fused and layer-by-layer steps, with values between layers in 32 and in 16 bits, and fused ones
//! with cooperative matrices, as far as `--precision` and the device allow. Each is compared with the CPU, then timed as
//! a whole (`steps.rs`); layer by layer with the fastest tiles for each product (`tiles.rs`). Candidates that fail their
//! self-test are left out. The choice changes only the last bits of a result, unless it is to store 16 bits, which only
//! `--precision auto` leaves open.
//!
//! It is measured once per device, driver and kind of job, and cached in `tuning.json` in the folder of
//! [`DeviceOptions::cache`](super::DeviceOptions::cache) (`cache.rs`). A run's checkpoints store it too, so that it
//! resumes to the bit. Software drivers are not timed, unless [`DeviceOptions::tune`](super::DeviceOptions::tune)
//! says so.

mod cache;
mod ceilings;
mod noise;
mod profile;
mod steps;
mod stopwatch;
mod tiles;

pub use ceilings::ceilings;

use crate::backend::gpu::device::{Gpu, Override, is_software};
use crate::backend::gpu::kernel::{Kernel, KernelConfig, MatmulTiling, Precision};
use crate::backend::gpu::ops::{dense, grid, layout};
use crate::backend::gpu::prove;
use crate::backend::{BackendError, Job, Result};
use crate::model::{Activation, TrainingState};
use std::sync::Arc;
use std::time::Duration;

/// How `gpu` trains `job` from `state` with `precision`: the fastest candidate that passes its self-test. Also how
/// long finding it took, if it was not cached.
pub(crate) async fn choose_config(
    gpu: &Arc<Gpu>,
    (job, state): (&Job, &TrainingState),
    precision: Precision,
) -> Result<(KernelConfig, Option<Duration>)> {
    let is_wanted = match gpu.options.tune {
        Override::Never => false,
        Override::Always => true,
        Override::Auto => !is_software(&gpu.info),
    };
    if !is_wanted {
        return Ok((unmeasured(gpu, job, precision).await?, None));
    }
    let start = gpu.options.clock.now();
    let (config, is_new) = steps::fastest(gpu, (job, state), precision).await?;
    Ok((config, is_new.then(|| gpu.options.clock.since(start))))
}

/// The choice by rules, without measuring.
async fn unmeasured(gpu: &Arc<Gpu>, job: &Job, precision: Precision) -> Result<KernelConfig> {
    let config = KernelConfig::choose(gpu, precision)?;
    let is_fused = |config: &KernelConfig| layout::fused_step(job, gpu.budget(), config).is_some();
    // A fused network moves nothing between its layers that 16 bits would make smaller.
    if precision == Precision::Auto && is_fused(&KernelConfig::default()) {
        return Ok(KernelConfig::default());
    }
    if is_fused(&config) {
        return Ok(config);
    }
    sound(gpu, job.model.network.activation, config).await
}

/// `config` without cooperative matrices if they compute wrong results on `gpu`: its other tiles may be sound. A fused
/// step has its own.
async fn sound(gpu: &Arc<Gpu>, activation: Activation, config: KernelConfig) -> Result<KernelConfig> {
    if config.tiling.matrix_size().is_some() && config.fused != Some(true) {
        let kernels = [&dense::FORWARD, &dense::BACKWARD_INPUT, &dense::BACKWARD_WEIGHTS].map(|def| {
            Kernel::with_activation(def, activation).stored_as(config.storage).tiled(config.tiling)
        });
        if !is_sound(gpu, &kernels).await? {
            return Ok(KernelConfig { tiling: MatmulTiling::default(), ..config });
        }
    }
    Ok(config)
}

/// Leaves the 64-bit atomics of `gpu` unused if they compute wrong results.
pub(crate) async fn try_wide_atomics(gpu: &Arc<Gpu>) -> Result<()> {
    let kernel = Kernel::plain(&grid::BACKWARD).with_wide_atomics();
    if gpu.has_wide_atomics() && !is_sound(gpu, &[kernel]).await? {
        gpu.leave_wide_atomics();
    }
    Ok(())
}

async fn is_sound(gpu: &Arc<Gpu>, kernels: &[Kernel]) -> Result<bool> {
    match prove::self_test(gpu, kernels).await {
        Err(
            error @ (BackendError::WrongResults { .. }
            | BackendError::NotCompiled { .. }
            | BackendError::Device(_)),
        ) => {
            log::warn!("not used: {error}");
            Ok(false)
        }
        tested => tested.map(|()| true),
    }
}
