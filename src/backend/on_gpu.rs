//! Opening GPUs. Replaced by `no_gpu.rs` when the feature `gpu` is off.

pub(super) use super::gpu::Gpu;
use super::gpu::device::{Budget, is_software};
use super::gpu::execute::report;
use super::gpu::ops::{Layout, layout};
use super::gpu::{AdapterChoice, GpuBackend, GpuNetworks, GpuPredictor, KernelConfig, fallback, tune};
use super::tuned::TunedConfig;
use super::{
    Backend, BackendChoice, BackendError, BackendInfo, DeviceOptions, DeviceRequest, Job, NetworkJob,
    Precision, Predict, Result, memory,
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
pub(super) async fn open(request: &DeviceRequest) -> Result<Arc<Gpu>> {
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
) -> Result<(Box<dyn Backend>, String)> {
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
) -> Result<(GpuBackend, Option<Duration>)> {
    let before = before.and_then(|method| method.on(&gpu, precision)).cloned();
    let rules = KernelConfig::choose(&gpu, precision)?;
    // Checks that the job fits before weights are made.
    let usual = before.as_ref().unwrap_or(&rules);
    let layout_for = |budget| Layout::training(&job, budget, usual.clone()).map(|(layout, _)| layout);
    let usual = layout_for(gpu.budget())?;
    // A software driver's memory is this machine's.
    let on_device = if is_software(&gpu.info) { usual.size_bytes() } else { 0 };
    memory::check(&job.model, "train", memory::state_copies(&job).saturating_add(on_device), &gpu.options)?;
    if layout::has_grid(&job) {
        tune::try_wide_atomics(&gpu).await?;
    }
    let n_pixels = Some(job.picture.n_pixels() as usize);
    let budget = fallback::budget_for(&gpu, &job.model, layout_for, n_pixels).await?;
    let state = TrainingState::new(initial_params(), job.optimizer, &job.options.refinements);
    let (config, timing) = match before {
        Some(before) => (before, None),
        None => match tune::choose_config(&gpu, (&job, &state), precision).await {
            // All that was timed was left out, and said to be.
            Err(BackendError::NotCompiled { .. }) => (rules, None),
            chosen => chosen?,
        },
    };
    let mut ways = fallback::ways(&job, budget, &config, precision).into_iter();
    let mut way = (budget, config);
    let backend = loop {
        let error = match with_proof(&gpu, &job, &state, way).await {
            Ok(backend) => break backend,
            Err(error) => error,
        };
        way = match ways.next() {
            Some(next) => next,
            None => return Err(error),
        };
        let tiles = way.1.tuned.first().map(|tile| format!(" and {}", tile.tiling.name()));
        report(error, &format!("training {}{}", way.1.name(), tiles.unwrap_or_default()))?;
    };
    // Some drivers compile a kernel when it first runs.
    gpu.keep_pipelines();
    Ok((backend, timing))
}

/// A backend whose kernels have passed their self-tests.
async fn with_proof(
    gpu: &Arc<Gpu>,
    job: &Job,
    state: &TrainingState,
    how: (Budget, KernelConfig),
) -> Result<GpuBackend> {
    let mut backend = GpuBackend::with(Arc::clone(gpu), job.clone(), state, how).await?;
    backend.self_test().await?;
    Ok(backend)
}

/// Target duration of a call, after which it is asked whether to stop.
const GROUP_TIME: Duration = Duration::from_millis(100);

/// Trains as many of `jobs` as fit together for `n_steps` steps, and returns their states; `None` if `stop` became true.
pub(super) async fn train_networks(
    gpu: &Arc<Gpu>,
    precision: Precision,
    jobs: Vec<NetworkJob>,
    (n_steps, stop): (u64, &dyn Fn() -> bool),
) -> Result<Option<Vec<TrainingState>>> {
    if layout::has_grid(&jobs[0].job) {
        tune::try_wide_atomics(gpu).await?;
    }
    let how = (gpu.budget(), KernelConfig::choose(gpu, precision)?);
    let Some(mut networks) = GpuNetworks::new(Arc::clone(gpu), jobs, how).await? else {
        return Ok(Some(Vec::new()));
    };
    networks.self_test().await?;
    gpu.keep_pipelines();
    log::info!("training {} networks at once on {} ({})", networks.len(), gpu.info.name, gpu.info.backend);
    let clock = gpu.options.clock;
    let (mut done, mut at_a_time) = (0, 1);
    while done < n_steps {
        if stop() {
            return Ok(None);
        }
        let (start, n) = (clock.now(), at_a_time.min(n_steps - done));
        networks.advance(n as usize).await?;
        done += n;
        at_a_time = if clock.since(start) < GROUP_TIME { 2 * at_a_time } else { (at_a_time / 2).max(1) };
    }
    networks.states().await.map(Some)
}

/// A predictor holding `params`, and its description.
pub(super) async fn predict(
    gpu: Arc<Gpu>,
    model: &Model,
    params: &[f32],
) -> Result<(Box<dyn Predict>, BackendInfo)> {
    let budget = fallback::budget_for(&gpu, model, |budget| Layout::prediction(model, budget), None).await?;
    let mut predictor = GpuPredictor::with(Arc::clone(&gpu), model.clone(), params, budget).await?;
    predictor.self_test().await?;
    gpu.keep_pipelines();
    let info = predictor.info();
    Ok((Box::new(predictor), info))
}
