//! From what was asked for to a backend that holds the job.

use super::cpu::CpuTrainer;
use super::{Backend, BackendError, Job};
use crate::config::{BackendChoice, DeviceConfig};

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
    let cpu = |job: Job, note| -> Result<Opened, BackendError> {
        super::cpu::memory::check::<f32>(&job.model, &job.optimizer, job.batch_size, threads)?;
        Ok(Opened { backend: Box::new(CpuTrainer::new(job, &initial_params(), threads)?), note })
    };
    match device.backend.unwrap_or_default() {
        BackendChoice::Cpu => cpu(job, None),
        BackendChoice::Auto | BackendChoice::Gpu => {
            cpu(job, Some("no GPU found: training on the CPU".into()))
        }
    }
}
