//! Opens a predictor for a request.

use super::cpu::{self, CpuPredictor, thread_pool};
use super::on_gpu;
use super::select::{Chosen, choose_gpu};
use super::{BackendError, BackendInfo, DeviceRequest, Predict, Result};
use crate::model::Model;

/// A predictor ready to render.
pub struct OpenedPredictor {
    /// Holds the model and its parameters.
    pub predictor: Box<dyn Predict>,
    /// The device.
    pub info: BackendInfo,
    /// A message for the user, if the choice needs explaining.
    pub note: Option<String>,
}

/// Opens the best predictor for `request`: the GPU that [`super::open`] would train on, or the CPU.
/// `params` is the flat buffer of `model.layout()`.
///
/// # Errors
/// When no device fits the request or the model does not fit the device.
pub async fn open_predictor(
    request: &DeviceRequest,
    model: &Model,
    params: &[f32],
) -> Result<OpenedPredictor> {
    let gpu = match choose_gpu(request).await? {
        Chosen::Gpu(gpu) => gpu,
        Chosen::Cpu | Chosen::CpuInstead => return on_cpu(request, model, params, None),
    };
    match on_gpu::predict(gpu, model, params).await {
        Err(error @ (BackendError::WrongResults { .. } | BackendError::NotCompiled { .. }))
            if request.is_open() =>
        {
            on_cpu(request, model, params, Some(format!("{error}; rendering on the CPU")))
        }
        opened => opened.map(|(predictor, info)| {
            let note = Some(format!("rendering on {} ({})", info.device, info.api));
            OpenedPredictor { predictor, info, note }
        }),
    }
}

fn on_cpu(
    request: &DeviceRequest,
    model: &Model,
    params: &[f32],
    note: Option<String>,
) -> Result<OpenedPredictor> {
    let pool = thread_pool(request.threads)?;
    cpu::memory::check_predictor(model, pool.current_num_threads(), &request.options)?;
    let predictor = CpuPredictor::<f32>::on(pool, model.clone(), params)?;
    Ok(OpenedPredictor { info: predictor.info(), predictor: Box::new(predictor), note })
}
