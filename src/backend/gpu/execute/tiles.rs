//! Colours of any raster from the current weights, tile by tile.

use super::resources::{Prepared, Resources};
use crate::backend::gpu::device::{Budget, Gpu, Staging, Submission};
use crate::backend::gpu::kernel::MatmulTiling;
use crate::backend::gpu::ops::sample::RasterParams;
use crate::backend::gpu::ops::{Layout, record};
use crate::backend::gpu::plan::Plan;
use crate::backend::{BackendError, Result};
use crate::model::{Model, Raster};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

/// Compares the kernels of a plan with the CPU's f64.
pub(crate) type Proof = for<'a> fn(&'a Arc<Gpu>, &'a Plan) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Cached plans for tiles of different sizes: the whole tile and the remainders of a few rasters.
const KEPT_PLANS: usize = 4;

/// What products are tried with if the driver does not compile the tiles that waste least.
pub(crate) const OTHER_TILES: [MatmulTiling; 2] = [MatmulTiling::Tile32, MatmulTiling::Tile64];

/// Says what is done `instead` of what the driver does not compile.
///
/// # Errors
/// `error` itself, if it is another.
pub(crate) fn report(error: BackendError, instead: &str) -> Result<()> {
    let BackendError::NotCompiled { kernel, device, reason } = error else { return Err(error) };
    log::warn!("the driver of {device} does not compile the kernel {kernel} ({reason}): {instead} instead");
    Ok(())
}

/// A tile is computed while the one before is read back.
const TILES_IN_FLIGHT: usize = 2;

/// A submitted tile, and where its colours go.
struct InFlight<'a> {
    submission: Submission,
    staging: Staging,
    tile: &'a mut [f32],
}

/// Prediction plans over the buffers of a layout.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    plans: Vec<(usize, RasterParams, Prepared)>,
    staging: Vec<Staging>,
    /// The check a plan must pass before it is first used: tiles of different sizes may use different kernels.
    pub(crate) proof: Option<Proof>,
}

impl Tiles {
    /// Writes the colours of the pixels of `raster` from `first_pixel` on, shape (pixels, channels).
    pub(crate) async fn predict(
        &mut self,
        resources: &mut Resources,
        model: &Model,
        layout: &Layout,
        (raster, first_pixel): (&Raster, u64),
        out: &mut [f32],
    ) -> Result<()> {
        let channels = model.network.output_width;
        assert_eq!(out.len() % channels, 0, "whole pixels");
        let colours = layout.forward.colours;
        while self.staging.len() < TILES_IN_FLIGHT {
            let size = resources.decl(colours).size_bytes();
            self.staging.push(Staging::new(&resources.gpu, size).await?);
        }
        let mut pixel = first_pixel;
        let mut in_flight = VecDeque::new();
        for tile in out.chunks_mut(layout.tile * channels) {
            if in_flight.len() == TILES_IN_FLIGHT {
                self.finish_first(&resources.gpu, &mut in_flight).await?;
            }
            let n_pixels = tile.len() / channels;
            let (_, params, plan) = self.plan(resources, model, layout, n_pixels).await?;
            let params = params.at(raster, pixel);
            resources.gpu.queue.write_buffer(&plan.params, 0, bytemuck::bytes_of(&params));
            let size = 4 * tile.len() as u64;
            let mut encoder = resources.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                (0..plan.dispatches.len()).for_each(|d| plan.encode(d, 0, resources, &mut pass));
            }
            let staging = self.staging.pop().expect("fewer tiles are in flight than there are");
            encoder.copy_buffer_to_buffer(resources.buffer(colours), 0, &staging.buffer, 0, Some(size));
            let submission = resources.gpu.submit(Some(encoder.finish()), Some((&staging, size)));
            in_flight.push_back(InFlight { submission, staging, tile });
            pixel += n_pixels as u64;
        }
        while !in_flight.is_empty() {
            self.finish_first(&resources.gpu, &mut in_flight).await?;
        }
        Ok(())
    }

    /// Waits for the first tile in flight.
    async fn finish_first(&mut self, gpu: &Gpu, in_flight: &mut VecDeque<InFlight<'_>>) -> Result<()> {
        let Some(InFlight { submission, staging, tile }) = in_flight.pop_front() else { return Ok(()) };
        gpu.wait(submission).await?;
        staging.read(4 * tile.len() as u64, |bytes| bytemuck::cast_slice_mut(tile).copy_from_slice(bytes))?;
        self.staging.push(staging);
        Ok(())
    }

    async fn plan(
        &mut self,
        resources: &mut Resources,
        model: &Model,
        layout: &Layout,
        n_pixels: usize,
    ) -> Result<&(usize, RasterParams, Prepared)> {
        let known = self.plans.iter().position(|(n, ..)| *n == n_pixels);
        let index = match known {
            Some(index) => index,
            None => {
                let mut made = self.prepare(resources, model, layout, n_pixels).await;
                for tiling in OTHER_TILES.into_iter().filter(|_| layout.fused_prediction.is_none()) {
                    let Err(error) = made else { break };
                    report(error, "the last pixels are computed with other tiles")?;
                    let budget = Budget { prediction_tiles: Some(tiling), ..layout.budget };
                    let layout = Layout { budget, ..layout.clone() };
                    made = self.prepare(resources, model, &layout, n_pixels).await;
                }
                let (params, prepared) = made?;
                if self.plans.len() == KEPT_PLANS {
                    self.plans.remove(0);
                }
                self.plans.push((n_pixels, params, prepared));
                self.plans.len() - 1
            }
        };
        Ok(&self.plans[index])
    }

    /// A plan that has passed its check.
    async fn prepare(
        &self,
        resources: &mut Resources,
        model: &Model,
        layout: &Layout,
        n_pixels: usize,
    ) -> Result<(RasterParams, Prepared)> {
        let plan = record::prediction(model, layout, n_pixels);
        if let Some(proof) = self.proof {
            proof(&resources.gpu, &plan).await?;
        }
        let params = bytemuck::pod_read_unaligned(&plan.dispatches[0].params);
        Ok((params, resources.prepare(&plan).await?))
    }
}
