//! Colours of any raster from the current weights, tile by tile.

use super::budget::Budget;
use super::device::Gpu;
use super::memory::Layout;
use super::ops::encode::constants;
use super::ops::sample::RasterParams;
use super::plan;
use super::readback::{Staging, write_words};
use super::session::{Prepared, Session};
use super::verify;
use crate::backend::{BackendError, BackendInfo, Predict};
use crate::model::{Model, Raster};
use std::sync::Arc;

/// Plans kept for tiles of different sizes: the whole tile and the remainders of a few rasters.
const KEPT_PLANS: usize = 4;

/// Prediction plans over the buffers of a session.
#[derive(Debug, Default)]
pub struct Tiles {
    plans: Vec<(usize, RasterParams, Prepared)>,
    staging: Option<Staging>,
    /// Whether kernels are compared with the CPU's f64 before they are first used: tiles of different sizes may
    /// take different ones.
    pub(super) tests_first: bool,
}

impl Tiles {
    /// Writes the colours of the pixels of `raster` from `first_pixel` on, shape (pixels, channels).
    ///
    /// # Errors
    /// When the device fails.
    pub fn predict(
        &mut self,
        session: &mut Session,
        model: &Model,
        layout: &Layout,
        (raster, first_pixel): (&Raster, u64),
        out: &mut [f32],
    ) -> Result<(), BackendError> {
        let channels = model.network.output_width;
        assert_eq!(out.len() % channels, 0, "whole pixels");
        let colours = layout.forward.colours;
        let staging = match self.staging.take() {
            Some(staging) => staging,
            None => Staging::new(&session.gpu, session.decl(colours).size_bytes())?,
        };
        let mut pixel = first_pixel;
        for tile in out.chunks_mut(layout.tile * channels) {
            let n_pixels = tile.len() / channels;
            let (_, params, plan) = self.plan(session, model, layout, n_pixels)?;
            let params = params.at(raster, pixel);
            plan.write_params(&session.gpu.queue, 0, bytemuck::bytes_of(&params));
            let size = 4 * tile.len() as u64;
            let mut encoder = session.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                (0..plan.len()).for_each(|d| plan.encode(d, 0, &session.step_group(), &mut pass));
            }
            encoder.copy_buffer_to_buffer(session.buffer(colours), 0, &staging.buffer, 0, Some(size));
            let submission = session.gpu.queue.submit([encoder.finish()]);
            staging.request(size);
            session.gpu.wait(Some(submission))?;
            staging.read(size, |bytes| bytemuck::cast_slice_mut(tile).copy_from_slice(bytes))?;
            pixel += n_pixels as u64;
        }
        self.staging = Some(staging);
        Ok(())
    }

    fn plan(
        &mut self,
        session: &mut Session,
        model: &Model,
        layout: &Layout,
        n_pixels: usize,
    ) -> Result<&(usize, RasterParams, Prepared), BackendError> {
        let known = self.plans.iter().position(|(n, ..)| *n == n_pixels);
        let index = match known {
            Some(index) => index,
            None => {
                let plan = plan::prediction(model, layout, n_pixels);
                if self.tests_first {
                    verify::self_test(&session.gpu, plan.dispatches.iter().map(|d| &d.kernel))?;
                }
                let params = bytemuck::pod_read_unaligned(&plan.dispatches[0].params);
                let prepared = session.prepare(&plan)?;
                if self.plans.len() == KEPT_PLANS {
                    self.plans.remove(0);
                }
                self.plans.push((n_pixels, params, prepared));
                self.plans.len() - 1
            }
        };
        Ok(&self.plans[index])
    }
}

/// Copies what the encoding needs beside its weights to the device.
pub(super) fn write_constants(session: &Session, model: &Model, layout: &Layout) -> Result<(), BackendError> {
    for (part, id) in model.encoding.parts().iter().zip(&layout.forward.constants) {
        if let (Some(constants), Some(id)) = (constants(part), id) {
            write_words(&session.gpu, session.buffer(*id), 0, &constants.words)?;
        }
    }
    Ok(())
}

/// Renders a trained model: no picture, no training state.
#[derive(Debug)]
pub struct GpuPredictor {
    session: Session,
    model: Model,
    layout: Layout,
    tiles: Tiles,
}

impl GpuPredictor {
    /// Puts `params`, the flat buffer of `model.layout()`, on the device.
    ///
    /// # Errors
    /// When the network does not fit or the device fails.
    pub fn new(gpu: Arc<Gpu>, model: Model, params: &[f32]) -> Result<Self, BackendError> {
        let n_params = model.layout().n_params();
        if params.len() != n_params {
            return Err(BackendError::StateMismatch(format!("{} parameters of {n_params}", params.len())));
        }
        let layout = Layout::prediction(&model, Budget::of(&gpu.limits))?;
        let session = Session::new(gpu, layout.buffers.clone())?;
        write_constants(&session, &model, &layout)?;
        write_words(&session.gpu, session.buffer(layout.forward.params), 0, bytemuck::cast_slice(params))?;
        Ok(Self { session, model, layout, tiles: Tiles::default() })
    }

    /// What it runs on.
    pub fn info(&self) -> BackendInfo {
        let gpu = &self.session.gpu;
        BackendInfo {
            backend: "gpu".to_owned(),
            device: gpu.info.name.clone(),
            api: gpu.info.backend.to_string(),
            driver: gpu.driver(),
            chunk_size: self.layout.tile as u32,
            ..BackendInfo::default()
        }
    }

    /// Compares one quick case of every kernel that whole tiles use with the CPU's f64, and from now on of those
    /// that smaller ones need.
    ///
    /// # Errors
    /// [`BackendError::WrongResults`] names a kernel that fails.
    pub fn self_test(&mut self) -> Result<(), BackendError> {
        let plan = plan::prediction(&self.model, &self.layout, self.layout.tile);
        self.tiles.tests_first = true;
        verify::self_test(&self.session.gpu, plan.dispatches.iter().map(|d| &d.kernel))
    }
}

impl Predict for GpuPredictor {
    fn predict(&mut self, raster: &Raster, first_pixel: u64, out: &mut [f32]) -> Result<(), BackendError> {
        self.tiles.predict(&mut self.session, &self.model, &self.layout, (raster, first_pixel), out)
    }
}
