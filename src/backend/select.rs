//! From what was asked for to a backend that holds the job.

use super::cpu::CpuTrainer;
use super::gpu::budget::Budget;
use super::gpu::memory::Layout;
use super::gpu::tuning;
use super::gpu::{AdapterChoice, DeviceOptions, Gpu, GpuBackend, Precision, Variants};
use super::{Backend, BackendError, Job};
use crate::model::TrainingState;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The best hardware GPU, or the CPU where there is none
    #[default]
    Auto,
    /// A GPU, or a software driver where that is all there is
    Gpu,
    /// The processor
    Cpu,
}

/// What a run asks to be trained on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Which kind.
    pub backend: BackendChoice,
    /// A GPU by part of its name or by its number.
    pub adapter: Option<String>,
    /// Threads of the CPU backend, 0 for all cores.
    pub threads: usize,
    /// How a GPU computes; the CPU backend has f32 alone.
    pub precision: Precision,
}

impl DeviceRequest {
    /// Whether any backend will do.
    pub(super) fn is_open(&self) -> bool {
        self.backend == BackendChoice::Auto && self.adapter.is_none()
    }
}

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
    match open_gpu(gpu, job.clone(), request.precision, &initial_params) {
        Err(error @ BackendError::WrongResults { .. }) if request.is_open() => {
            cpu(Some(format!("{error}; training on the CPU")))
        }
        opened => {
            let backend = Box::new(opened?);
            let streams = backend.info().streams_picture;
            let note = if streams { format!("{on}; the picture stays on the host") } else { on };
            Ok(Opened { backend, note: Some(note) })
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
    match Gpu::open(&choice, DeviceOptions { keeps_pipelines: true, ..Default::default() }) {
        Err(BackendError::NoAdapter(reason)) if request.is_open() => {
            log::info!("{reason}");
            Ok(Chosen::CpuInstead)
        }
        opened => opened.map(Chosen::Gpu),
    }
}

fn open_gpu(
    gpu: Arc<Gpu>,
    job: Job,
    precision: Precision,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<GpuBackend, BackendError> {
    let budget = Budget::of(&gpu.limits);
    Layout::training(&job, budget, Variants::choose(&gpu, precision)?)?;
    let variants = tuning::variants(&gpu, &job, budget, precision)?;
    let params = initial_params();
    let state = TrainingState::new(params, job.optimizer, &job.options.refinements);
    let backend = GpuBackend::with(Arc::clone(&gpu), job, &state, (budget, variants))?;
    backend.self_test()?;
    // Some drivers compile when a kernel first runs.
    gpu.keep_pipelines();
    Ok(backend)
}

fn open_cpu(
    job: Job,
    threads: usize,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Box<dyn Backend>, BackendError> {
    super::cpu::memory::check::<f32>(&job, threads)?;
    Ok(Box::new(CpuTrainer::new(job, &initial_params(), threads)?))
}
