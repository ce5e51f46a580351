//! Opens a backend for a request.

use super::cpu::{CpuTrainer, thread_pool};
use super::on_gpu::{self, Gpu};
use super::tuned::TunedConfig;
use super::{Backend, BackendChoice, BackendError, DeviceRequest, Job, Precision, Result};
use std::sync::Arc;

/// A backend ready to train.
pub struct Opened {
    /// Holds the job and its initial parameters.
    pub backend: Box<dyn Backend>,
    /// A message for the user, if the choice needs explaining.
    pub note: Option<String>,
}

/// Opens the requested backend and puts `job` on it. `initial_params` is called only once the job is known to fit.
///
/// # Errors
/// When no device fits the request or the job does not fit the device.
pub async fn open(
    request: &DeviceRequest,
    job: Job,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Opened> {
    open_as(request, None, job, initial_params).await
}

/// Like [`open`], for a resumed run: `before` is how a GPU has trained it so far.
///
/// # Errors
/// When no device fits the request or the job does not fit the device.
pub async fn open_as(
    request: &DeviceRequest,
    before: Option<&TunedConfig>,
    job: Job,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Opened> {
    let cpu = |note| {
        if request.precision == Precision::Mixed {
            let reason = "--precision mixed is for GPUs, and this run is on the CPU; leave it out or use --precision f32";
            return Err(BackendError::NoAdapter(reason.into()));
        }
        let backend = open_cpu(job.clone(), request, &initial_params)?;
        Ok(Opened { backend, note })
    };
    let gpu = match choose_gpu(request).await? {
        Chosen::Gpu(gpu) => gpu,
        Chosen::Cpu => return cpu(None),
        Chosen::CpuInstead => return cpu(Some(format!("{}: training on the CPU", on_gpu::MISSING))),
    };
    match on_gpu::train(gpu, job.clone(), (request.precision, before), &initial_params).await {
        Err(error @ (BackendError::WrongResults { .. } | BackendError::NotCompiled { .. }))
            if request.is_open() =>
        {
            cpu(Some(format!("{error}; training on the CPU")))
        }
        opened => opened.map(|(backend, note)| Opened { backend, note: Some(note) }),
    }
}

/// How a request resolves on this machine.
pub(super) enum Chosen {
    /// This GPU.
    Gpu(Arc<Gpu>),
    /// The CPU, as requested.
    Cpu,
    /// The CPU, since no GPU is available.
    CpuInstead,
}

/// Opens the GPU that `request` asks for, if it asks for one.
pub(super) async fn choose_gpu(request: &DeviceRequest) -> Result<Chosen> {
    if request.backend == BackendChoice::Cpu {
        let reason = "--adapter names a GPU and --backend cpu uses none; give one of the two";
        return match request.adapter {
            Some(_) => Err(BackendError::NoAdapter(reason.into())),
            None => Ok(Chosen::Cpu),
        };
    }
    match on_gpu::open(request).await {
        Err(BackendError::NoAdapter(reason)) if request.is_open() => {
            log::info!("{reason}");
            Ok(Chosen::CpuInstead)
        }
        opened => opened.map(Chosen::Gpu),
    }
}

fn open_cpu(
    job: Job,
    request: &DeviceRequest,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Box<dyn Backend>> {
    let pool = thread_pool(request.threads)?;
    super::cpu::memory::check::<f32>(&job, pool.current_num_threads(), &request.options)?;
    Ok(Box::new(CpuTrainer::<f32>::on(pool, job, &initial_params())))
}
