//! Replaces `gpu.rs` when the feature `gpu` is off: there is no GPU.

use afterimage::backend::tuned::{KernelTime, TunedConfig};
use afterimage::backend::{BackendChoice, BackendError, DeviceOptions, Precision};
use afterimage::bench::{BenchJob, Ceilings};
use anyhow::bail;

pub(super) enum Device {}

impl Device {
    pub(super) fn open(
        backend: BackendChoice,
        adapter: Option<&str>,
        _: &DeviceOptions,
    ) -> anyhow::Result<Option<Self>> {
        if backend == BackendChoice::Gpu || adapter.is_some() {
            bail!("this build has no GPU backend, since its feature `gpu` is off; use --backend cpu");
        }
        Ok(None)
    }

    pub(super) fn name(&self) -> String {
        match *self {}
    }

    pub(super) fn driver(&self) -> String {
        match *self {}
    }

    pub(super) fn ceilings(&self, _: Precision, _: f64) -> anyhow::Result<Ceilings> {
        match *self {}
    }

    pub(super) fn kernel_times(
        &self,
        _: &BenchJob,
        _: &TunedConfig,
    ) -> Result<Option<Vec<KernelTime>>, BackendError> {
        match *self {}
    }
}
