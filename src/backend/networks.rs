//! Several networks of one shape, each on its own picture, trained at once on a GPU.

use super::on_gpu::{self, Gpu};
use super::select::{Chosen, choose_gpu};
use super::{DeviceRequest, NetworkJob, Precision, Result};
use crate::model::TrainingState;
use std::sync::Arc;

/// A GPU for training several networks at once.
pub struct NetworkTrainer {
    gpu: Arc<Gpu>,
    precision: Precision,
}

impl NetworkTrainer {
    /// Opens the GPU that `request` asks for; `None` if that is the CPU.
    ///
    /// # Errors
    /// When no device fits the request.
    pub async fn open(request: &DeviceRequest) -> Result<Option<Self>> {
        Ok(match choose_gpu(request).await? {
            Chosen::Gpu(gpu) => Some(Self { gpu, precision: request.precision }),
            Chosen::Cpu | Chosen::CpuInstead => None,
        })
    }

    /// Trains as many of `jobs` as fit on the device together, from the first on, for `n_steps` steps each, and returns
    /// their states. Each is what it is when it is trained alone by the same kernels, to the bit. `None` if `stop` became
    /// true before the end, none if they can only be trained one after the other.
    ///
    /// # Errors
    /// When a network does not fit the device, or it fails.
    pub async fn train(
        &self,
        jobs: Vec<NetworkJob>,
        n_steps: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<TrainingState>>> {
        on_gpu::train_networks(&self.gpu, self.precision, jobs, (n_steps, stop)).await
    }
}
