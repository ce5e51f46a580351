//! Opening GPUs. Replaced by `no_gpu.rs` when the feature `gpu` is off.

pub(super) use super::gpu::Gpu;
use super::gpu::ops::Layout;
use super::gpu::{AdapterChoice, GpuBackend, GpuPredictor, KernelConfig, tune};
use super::tuned::TunedConfig;
use super::{
    Backend, BackendChoice, BackendError, BackendInfo, DeviceOptions, DeviceRequest, Job, Precision, Predict,
};
use crate::model::{Model, TrainingState};
use std::sync::Arc;
use std::time::Duration;

/// Why `auto` falls back to the CPU.
pub(super) const MISSING: &str = "no hardware GPU found";

/// Whether `auto` finds a GPU.
pub async fn has_hardware_gpu(options: &DeviceOptions) -> bool {
    Gpu::open(&AdapterChoice::Hardware, options.clone()).await.is_ok()
}

/// Opens the GPU that `request` asks for.
pub(super) async fn open(request: &DeviceRequest) -> Result<Arc<Gpu>, BackendError> {
    let choice = match (&request.adapter, request.backend) {
        (Some(name), _) => AdapterChoice::Named(name.clone()),
        (None, BackendChoice::Gpu) => AdapterChoice::Any,
        (None, _) => AdapterChoice::Hardware,
    };
    Gpu::open(&choice, request.options.clone()).await
}

/// A backend holding `job`, and a line about it. `before` is how a GPU has trained it so far.
pub(super) async fn train(
    gpu: Arc<Gpu>,
    job: Job,
    how: (Precision, Option<&TunedConfig>),
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<(Box<dyn Backend>, String), BackendError> {
    let mut note = format!("training on {} ({})", gpu.info.name, gpu.info.backend);
    let (backend, timing) = trainer(gpu, job, how, initial_params).await?;
    if backend.info().streams_picture {
        note.push_str("; the picture stays on the host");
    }
    if let Some(timing) = timing {
        note.push_str(&format!("; finding its fastest kernels took {:.1} s", timing.as_secs_f64()));
    }
    Ok((Box::new(backend), note))
}

/// The backend, and how long tuning took, if the job was not in the cache.
async fn trainer(
    gpu: Arc<Gpu>,
    job: Job,
    (precision, before): (Precision, Option<&TunedConfig>),
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<(GpuBackend, Option<Duration>), BackendError> {
    let budget = gpu.budget();
    let before = before.and_then(|method| method.on(&gpu, precision)).cloned();
    let rules = KernelConfig::choose(&gpu, precision)?;
    // Checks that the job fits before weights are made.
    Layout::training(&job, budget, before.clone().unwrap_or(rules))?;
    let state = TrainingState::new(initial_params(), job.optimizer, &job.options.refinements);
    let (config, timing) = match before {
        Some(before) => (before, None),
        None => tune::choose_config(&gpu, (&job, &state), precision).await?,
    };
    let mut backend = GpuBackend::with(Arc::clone(&gpu), job, &state, (budget, config)).await?;
    backend.self_test().await?;
    // Some drivers compile a kernel when it first runs.
    gpu.keep_pipelines();
    Ok((backend, timing))
}

/// A predictor holding `params`, and its description.
pub(super) async fn predict(
    gpu: Arc<Gpu>,
    model: &Model,
    params: &[f32],
) -> Result<(Box<dyn Predict>, BackendInfo), BackendError> {
    let mut predictor = GpuPredictor::new(Arc::clone(&gpu), model.clone(), params).await?;
    predictor.self_test().await?;
    gpu.keep_pipelines();
    let info = predictor.info();
    Ok((Box::new(predictor), info))
}
