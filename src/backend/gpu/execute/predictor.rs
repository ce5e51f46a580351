//! Renders a trained model.

use super::readback::write_words;
use super::resources::Resources;
use super::tiles::Tiles;
use crate::backend::gpu::device::{Budget, Gpu};
use crate::backend::gpu::ops::encode::constants;
use crate::backend::gpu::ops::{Layout, record};
use crate::backend::gpu::plan::Plan;
use crate::backend::{BackendError, BackendInfo, Predict, Result};
use crate::model::{Model, Raster};
use async_trait::async_trait;
use std::sync::Arc;

pub(super) async fn write_constants(resources: &Resources, model: &Model, layout: &Layout) -> Result<()> {
    for (part, id) in model.encoding.parts().iter().zip(&layout.forward.constants) {
        if let (Some(constants), Some(id)) = (constants(part), id) {
            write_words(&resources.gpu, resources.buffer(*id), 0, &constants.words).await?;
        }
    }
    Ok(())
}

/// Renders a trained model: no picture, no training state.
#[derive(Debug)]
pub struct GpuPredictor {
    resources: Resources,
    model: Model,
    layout: Layout,
    pub(crate) tiles: Tiles,
}

impl GpuPredictor {
    /// Puts `params`, the flat buffer of `model.layout()`, on the device.
    ///
    /// # Errors
    /// When the network does not fit or the device fails.
    pub async fn new(gpu: Arc<Gpu>, model: Model, params: &[f32]) -> Result<Self> {
        let budget = gpu.budget();
        Self::with(gpu, model, params, budget).await
    }

    /// Like [`GpuPredictor::new`], with a budget smaller than the device's limits.
    ///
    /// # Errors
    /// As [`GpuPredictor::new`].
    pub async fn with(gpu: Arc<Gpu>, model: Model, params: &[f32], budget: Budget) -> Result<Self> {
        let n_params = model.layout().n_params();
        if params.len() != n_params {
            return Err(BackendError::StateMismatch(format!("{} parameters of {n_params}", params.len())));
        }
        let layout = Layout::prediction(&model, budget)?;
        let resources = Resources::new(gpu, layout.buffers.clone()).await?;
        write_constants(&resources, &model, &layout).await?;
        let buffer = resources.buffer(layout.forward.params);
        write_words(&resources.gpu, buffer, 0, bytemuck::cast_slice(params)).await?;
        Ok(Self { resources, model, layout, tiles: Tiles::default() })
    }

    pub(crate) fn info(&self) -> BackendInfo {
        BackendInfo { chunk_size: self.layout.tile as u32, ..self.resources.gpu.description() }
    }

    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.resources.gpu
    }

    /// The plan of a whole tile.
    pub(crate) fn plan(&self) -> Plan {
        record::prediction(&self.model, &self.layout, self.layout.tile)
    }
}

#[async_trait(?Send)]
impl Predict for GpuPredictor {
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<()> {
        self.tiles.predict(&mut self.resources, &self.model, &self.layout, (raster, first), out).await
    }
}
