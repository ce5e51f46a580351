//! Replaces `on_gpu.rs` when the feature `gpu` is off: there is no GPU.

use super::tuned::TunedConfig;
use super::{
    Backend, BackendError, BackendInfo, DeviceOptions, DeviceRequest, Job, NetworkJob, Precision, Predict,
    Result,
};
use crate::model::{Model, TrainingState};
use std::sync::Arc;

/// Cannot be constructed.
pub(super) enum Gpu {}

/// Why `auto` falls back to the CPU.
pub(super) const MISSING: &str = "this build has no GPU backend";

/// Whether `auto` finds a GPU.
pub async fn has_hardware_gpu(_: &DeviceOptions) -> bool {
    false
}

pub(super) async fn open(_: &DeviceRequest) -> Result<Arc<Gpu>> {
    let reason = "this build has no GPU backend, since its feature `gpu` is off; use --backend cpu";
    Err(BackendError::NoAdapter(reason.into()))
}

pub(super) async fn train(
    gpu: Arc<Gpu>,
    _: Job,
    _: (Precision, Option<&TunedConfig>),
    _: impl Fn() -> Vec<f32>,
) -> Result<(Box<dyn Backend>, String)> {
    match *gpu {}
}

pub(super) async fn train_networks(
    gpu: &Arc<Gpu>,
    _: Precision,
    _: Vec<NetworkJob>,
    _: (u64, &dyn Fn() -> bool),
) -> Result<Option<Vec<TrainingState>>> {
    match **gpu {}
}

pub(super) async fn predict(gpu: Arc<Gpu>, _: &Model, _: &[f32]) -> Result<(Box<dyn Predict>, BackendInfo)> {
    match *gpu {}
}
