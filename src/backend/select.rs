//! From what was asked for to a backend that holds the job.

use super::cpu::CpuTrainer;
use super::gpu::device::{Budget, cache_folder};
use super::gpu::ops::Layout;
use super::gpu::{
    AdapterChoice, DeviceOptions, Gpu, GpuBackend, KernelConfig, TunedConfig, faults_from_env, tune,
};
use super::{Backend, BackendChoice, BackendError, DeviceRequest, Job, Precision};
use crate::model::TrainingState;
use std::sync::Arc;
use std::time::Duration;

/// A backend ready to train.
pub struct Opened {
    /// With the job and its initial parameters on it.
    pub backend: Box<dyn Backend>,
    /// One line for the person, where the choice needs explaining.
    pub note: Option<String>,
}

/// Opens the backend that is asked for and puts `job` on it. `initial_params` is only called once
/// the job is known to fit.
///
/// # Errors
/// When no device fits the request or the job does not fit the device.
pub fn open(
    request: &DeviceRequest,
    job: Job,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Opened, BackendError> {
    open_as(request, None, job, initial_params)
}

/// As [`open`], for a run that goes on: `before` is how a GPU trained it so far.
///
/// # Errors
/// When no device fits the request or the job does not fit the device.
pub fn open_as(
    request: &DeviceRequest,
    before: Option<&TunedConfig>,
    job: Job,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Opened, BackendError> {
    let cpu = |note| {
        if request.precision == Precision::Mixed {
            let reason = "--precision mixed is for GPUs, and this run is on the CPU; leave it out or use --precision f32";
            return Err(BackendError::NoAdapter(reason.into()));
        }
        let backend = open_cpu(job.clone(), request.threads, &initial_params)?;
        Ok(Opened { backend, note })
    };
    let gpu = match choose_gpu(request)? {
        Chosen::Gpu(gpu) => gpu,
        Chosen::Cpu => return cpu(None),
        Chosen::CpuInstead => return cpu(Some("no hardware GPU found: training on the CPU".into())),
    };
    let on = format!("training on {} ({})", gpu.info.name, gpu.info.backend);
    match open_gpu(gpu, job.clone(), (request.precision, before), &initial_params) {
        Err(error @ BackendError::WrongResults { .. }) if request.is_open() => {
            cpu(Some(format!("{error}; training on the CPU")))
        }
        opened => {
            let (backend, timing) = opened?;
            let mut note = on;
            if backend.info().streams_picture {
                note.push_str("; the picture stays on the host");
            }
            if let Some(timing) = timing {
                note.push_str(&format!("; its fastest kernels were found in {:.1} s", timing.as_secs_f64()));
            }
            Ok(Opened { backend: Box::new(backend), note: Some(note) })
        }
    }
}

/// What a request comes to on this machine.
pub(super) enum Chosen {
    /// This GPU.
    Gpu(Arc<Gpu>),
    /// The CPU, as asked for.
    Cpu,
    /// The CPU, since there is no hardware GPU.
    CpuInstead,
}

/// Opens the GPU that `request` asks for, where it asks for one.
pub(super) fn choose_gpu(request: &DeviceRequest) -> Result<Chosen, BackendError> {
    let choice = match (request.backend, request.adapter.clone()) {
        (BackendChoice::Cpu, Some(_)) => {
            let reason = "--adapter names a GPU and --backend cpu uses none; give one of the two";
            return Err(BackendError::NoAdapter(reason.into()));
        }
        (BackendChoice::Cpu, None) => return Ok(Chosen::Cpu),
        (_, Some(name)) => AdapterChoice::Named(name),
        (BackendChoice::Gpu, None) => AdapterChoice::Any,
        (BackendChoice::Auto, None) => AdapterChoice::Hardware,
    };
    let options = DeviceOptions { cache: cache_folder(), faults: faults_from_env()?, ..Default::default() };
    match Gpu::open(&choice, options) {
        Err(BackendError::NoAdapter(reason)) if request.is_open() => {
            log::info!("{reason}");
            Ok(Chosen::CpuInstead)
        }
        opened => opened.map(Chosen::Gpu),
    }
}

/// The backend, and how long it took to find out how it is fastest, if that was not known.
fn open_gpu(
    gpu: Arc<Gpu>,
    job: Job,
    (precision, before): (Precision, Option<&TunedConfig>),
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<(GpuBackend, Option<Duration>), BackendError> {
    let budget = Budget::of(&gpu.limits);
    let before = before.and_then(|method| method.on(&gpu, precision)).cloned();
    let rules = KernelConfig::choose(&gpu, precision)?;
    // Refuses what does not fit before there are weights.
    Layout::training(&job, budget, before.clone().unwrap_or(rules))?;
    let state = TrainingState::new(initial_params(), job.optimizer, &job.options.refinements);
    let (config, timing) = match before {
        Some(before) => (before, None),
        None => tune::choose_config(&gpu, (&job, &state), budget, precision)?,
    };
    let mut backend = GpuBackend::with(Arc::clone(&gpu), job, &state, (budget, config))?;
    backend.self_test()?;
    // Some drivers compile when a kernel first runs.
    gpu.keep_pipelines();
    Ok((backend, timing))
}

fn open_cpu(
    job: Job,
    threads: usize,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Box<dyn Backend>, BackendError> {
    super::cpu::memory::check::<f32>(&job, threads)?;
    Ok(Box::new(CpuTrainer::new(job, &initial_params(), threads)?))
}
