//! From what was asked for to a predictor that holds a trained model.

use super::cpu::CpuPredictor;
use super::gpu::{AdapterChoice, DeviceOptions, Gpu, GpuPredictor};
use super::{BackendChoice, BackendError, BackendInfo, DeviceRequest, Predict};
use crate::model::Model;
use std::sync::Arc;

/// A predictor ready to render.
pub struct OpenedPredictor {
    /// With the model and its parameters on it.
    pub predictor: Box<dyn Predict>,
    /// What it runs on.
    pub info: BackendInfo,
    /// One line for the person, where the choice needs explaining.
    pub note: Option<String>,
}

/// Opens the best predictor for `request`: the GPU that [`super::open`] would train on, or the CPU. `params` is the
/// flat buffer of `model.layout()`.
///
/// # Errors
/// When no device fits the request or the model does not fit the device.
pub fn open_predictor(
    request: &DeviceRequest,
    model: &Model,
    params: &[f32],
) -> Result<OpenedPredictor, BackendError> {
    let (gpu, missing) = match choose_gpu(request) {
        Ok(gpu) => (gpu, None),
        Err(reason) if request.is_open() => (None, Some(reason)),
        Err(error) => return Err(error),
    };
    let note = match gpu.map(|gpu| on_gpu(gpu, model, params)) {
        Some(Err(error @ BackendError::WrongResults { .. })) if request.is_open() => {
            Some(format!("{error}; rendering on the CPU"))
        }
        Some(opened) => return opened,
        None => {
            if let Some(reason) = missing {
                log::info!("{reason}");
            }
            None
        }
    };
    let predictor = CpuPredictor::<f32>::new(model.clone(), params, request.threads)?;
    Ok(OpenedPredictor { info: predictor.info(), predictor: Box::new(predictor), note })
}

/// The GPU that is asked for; none where it is the CPU.
fn choose_gpu(request: &DeviceRequest) -> Result<Option<Arc<Gpu>>, BackendError> {
    let choice = match (request.backend, request.adapter.clone()) {
        (BackendChoice::Cpu, Some(_)) => {
            let reason = "--adapter names a GPU and --backend cpu uses none; give one of the two";
            return Err(BackendError::NoAdapter(reason.into()));
        }
        (BackendChoice::Cpu, None) => return Ok(None),
        (_, Some(name)) => AdapterChoice::Named(name),
        (BackendChoice::Gpu, None) => AdapterChoice::Any,
        (BackendChoice::Auto, None) => AdapterChoice::Hardware,
    };
    Gpu::open(&choice, DeviceOptions::default()).map(Some)
}

fn on_gpu(gpu: Arc<Gpu>, model: &Model, params: &[f32]) -> Result<OpenedPredictor, BackendError> {
    let predictor = GpuPredictor::new(gpu, model.clone(), params)?;
    predictor.self_test()?;
    let info = predictor.info();
    let note = Some(format!("rendering on {} ({})", info.device, info.api));
    Ok(OpenedPredictor { predictor: Box::new(predictor), info, note })
}
