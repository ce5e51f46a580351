//! Measurements on a GPU. Replaced by `no_gpu.rs` when the feature `gpu` is off.

use afterimage::backend::gpu::device::is_software;
use afterimage::backend::gpu::{AdapterChoice, DeviceOptions, Gpu, GpuBackend, KernelConfig, tune};
use afterimage::backend::tuned::{KernelTime, Storage, TunedConfig};
use afterimage::backend::{BackendChoice, BackendError, Precision};
use afterimage::bench::{BenchJob, Ceilings};
use afterimage::block_on;
use afterimage::model::{Steps, TrainingState};
use anyhow::bail;
use std::sync::Arc;

pub(super) struct Device(Arc<Gpu>);

impl Device {
    /// The requested GPU; `None` if the CPU was requested.
    pub(super) fn open(
        backend: BackendChoice,
        adapter: Option<&str>,
        options: &DeviceOptions,
    ) -> anyhow::Result<Option<Self>> {
        let choice = match (backend, adapter) {
            (BackendChoice::Cpu, Some(_)) => {
                bail!("--adapter names a GPU and --backend cpu uses none; give one of the two")
            }
            (BackendChoice::Cpu, None) => return Ok(None),
            (_, Some(name)) => AdapterChoice::Named(name.to_owned()),
            (BackendChoice::Gpu, None) => AdapterChoice::Any,
            (BackendChoice::Auto, None) => AdapterChoice::Hardware,
        };
        match block_on(Gpu::open(&choice, DeviceOptions { cache: None, ..options.clone() })) {
            Ok(gpu) => Ok(Some(Self(gpu))),
            Err(BackendError::NoAdapter(_)) if backend == BackendChoice::Auto && adapter.is_none() => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn name(&self) -> String {
        self.0.info.name.clone()
    }

    pub(super) fn driver(&self) -> String {
        self.0.driver()
    }

    pub(super) fn ceilings(&self, precision: Precision, seconds: f64) -> anyhow::Result<Ceilings> {
        let mixed = KernelConfig::choose(&self.0, Precision::Mixed);
        let storages = match precision {
            Precision::F32 => &[Storage::F32][..],
            Precision::Mixed => mixed.map(|_| &Storage::ALL[..])?,
            Precision::Auto if mixed.is_ok() && !is_software(&self.0.info) => &Storage::ALL,
            Precision::Auto => &[Storage::F32],
        };
        let (products, gigabytes_per_second) = block_on(tune::ceilings(&self.0, storages, seconds))?;
        Ok(Ceilings {
            gflop_per_second: products[0],
            mixed_gflop_per_second: products.get(1).copied(),
            gigabytes_per_second,
        })
    }

    /// Of the second step of `job`, so that nothing is compiled in it.
    pub(super) fn kernel_times(
        &self,
        job: &BenchJob,
        method: &TunedConfig,
    ) -> Result<Option<Vec<KernelTime>>, BackendError> {
        let (run, picture) = job.resolve();
        let state = TrainingState::new(run.initial_params(), run.optimizer, &run.options.refinements);
        let (budget, of_picture) = (self.0.budget(), run.job(picture));
        let how = (budget, method.config.clone());
        let mut backend = block_on(GpuBackend::with(Arc::clone(&self.0), of_picture, &state, how))?;
        let mut steps = Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr);
        let mut profile = || block_on(backend.profile(&steps.next().expect("without end")));
        profile()?;
        profile()
    }
}
