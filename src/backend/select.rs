//! From what was asked for to a backend that holds the job.

use super::cpu::CpuTrainer;
use super::gpu::memory::{Budget, Layout};
use super::gpu::{AdapterChoice, DeviceOptions, Gpu, GpuBackend};
use super::{Backend, BackendError, Job};
use crate::config::{BackendChoice, DeviceConfig};
use crate::model::TrainingState;
use std::sync::Arc;

/// A backend ready to train.
pub struct Opened {
    /// With the job and its initial parameters on it.
    pub backend: Box<dyn Backend>,
    /// One line for the person, where the choice needs explaining.
    pub note: Option<String>,
}

/// Opens the backend that `device` asks for and puts `job` on it. `threads` is for the CPU
/// backend, 0 for all cores. `initial_params` is only called once the job is known to fit.
///
/// # Errors
/// When no device fits the request or the job does not fit the device.
pub fn open(
    device: &DeviceConfig,
    threads: usize,
    job: Job,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Opened, BackendError> {
    let named = device.adapter.clone().map(AdapterChoice::Named);
    let gpu = match (device.backend.unwrap_or_default(), named) {
        (BackendChoice::Cpu, Some(_)) => {
            let reason = "--adapter names a GPU and --backend cpu uses none; give one of the two";
            return Err(BackendError::NoAdapter(reason.into()));
        }
        (BackendChoice::Cpu, None) => None,
        (_, Some(named)) => Some(Gpu::open(&named, DeviceOptions::default())?),
        (BackendChoice::Gpu, None) => Some(Gpu::open(&AdapterChoice::Any, DeviceOptions::default())?),
        (BackendChoice::Auto, None) => match Gpu::open(&AdapterChoice::Hardware, DeviceOptions::default()) {
            Ok(gpu) => Some(gpu),
            Err(reason) => {
                log::info!("{reason}");
                let backend = open_cpu(job, threads, initial_params)?;
                let note = Some("no hardware GPU found: training on the CPU".into());
                return Ok(Opened { backend, note });
            }
        },
    };
    let Some(gpu) = gpu else {
        return Ok(Opened { backend: open_cpu(job, threads, initial_params)?, note: None });
    };
    Layout::training(&job, Budget::of(&gpu.limits))?;
    let note = Some(format!("training on {} ({})", gpu.info.name, gpu.info.backend));
    let params = initial_params();
    let moments = vec![vec![0.0; params.len()]; job.optimizer.n_moments()];
    let state = TrainingState { step: 0, params, moments };
    Ok(Opened { backend: Box::new(GpuBackend::new(Arc::clone(&gpu), job, &state)?), note })
}

fn open_cpu(
    job: Job,
    threads: usize,
    initial_params: impl Fn() -> Vec<f32>,
) -> Result<Box<dyn Backend>, BackendError> {
    super::cpu::memory::check::<f32>(&job.model, &job.optimizer, job.batch_size, threads)?;
    Ok(Box::new(CpuTrainer::new(job, &initial_params(), threads)?))
}
