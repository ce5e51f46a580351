//! Colours of any raster from the current weights, tile by tile.

use super::readback::read_buffers;
use super::resources::{Prepared, Resources};
use crate::backend::gpu::device::{Budget, Gpu, Staging, Submission};
use crate::backend::gpu::kernel::MatmulTiling;
use crate::backend::gpu::ops::errors::{self, SquaredErrorsParams};
use crate::backend::gpu::ops::sample::{PictureParams, RasterParams};
use crate::backend::gpu::ops::{Layout, record};
use crate::backend::gpu::plan::{BufferId, Plan};
use crate::backend::{BackendError, ChannelErrors, Result};
use crate::model::{Model, Raster, SampleSet};
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

/// A plan for tiles of that many pixels.
#[derive(Debug)]
struct TilePlan {
    n_pixels: usize,
    raster: RasterParams,
    /// Of the last dispatch, if it compares the tile with the picture.
    comparison: Option<SquaredErrorsParams>,
    prepared: Prepared,
}

/// What predictions are compared with: a picture, of which `samples` are trained. Buffers: its parts, colours, errors.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) picture: PictureParams,
    pub(crate) samples: SampleSet,
    pub(crate) buffers: Vec<BufferId>,
}

/// Prediction plans over the buffers of a layout.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    plans: Vec<TilePlan>,
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
            let plan = self.plan(resources, (model, layout), n_pixels, None).await?;
            let size = 4 * tile.len() as u64;
            let mut encoder = plan.encode(resources, (raster, pixel));
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

    /// The sums of the errors of the pixels of `raster`, as [`crate::backend::Backend::errors`] has them. Nothing else is
    /// read back.
    pub(crate) async fn errors(
        &mut self,
        resources: &mut Resources,
        of: (&Model, &Layout),
        (raster, comparison): (&Raster, &Comparison),
        about: [f32; 4],
    ) -> Result<Vec<ChannelErrors>> {
        let (n_pixels, tile) = (raster.n_pixels() as usize, of.1.tile);
        let mut in_flight = VecDeque::new();
        let mut first_group = 0;
        for first in (0..n_pixels).step_by(tile) {
            if in_flight.len() == TILES_IN_FLIGHT
                && let Some(submission) = in_flight.pop_front()
            {
                resources.gpu.wait(submission).await?;
            }
            let plan = self.plan(resources, of, tile.min(n_pixels - first), Some(comparison)).await?;
            if let Some(params) = plan.comparison {
                let params = SquaredErrorsParams { first_pixel: first as u32, first_group, about, ..params };
                plan.prepared.write_params(plan.prepared.dispatches.len() - 1, resources, &params);
                first_group += params.n_groups;
            }
            let encoder = plan.encode(resources, (raster, first as u64));
            in_flight.push_back(resources.gpu.submit(Some(encoder.finish()), None));
        }
        let id = *comparison.buffers.last().expect("it has a buffer of errors");
        let words =
            read_buffers(&resources.gpu, &[(resources.buffer(id), resources.decl(id).n_words())]).await?;
        let groups: &[[f32; errors::SUMS]] = bytemuck::cast_slice(&words[0]);
        let sum = |index: usize| groups.iter().map(|group| f64::from(group[index])).sum::<f64>();
        let of_channel = |c: usize| ChannelErrors {
            train: sum(c),
            test: sum(4 + c),
            values: sum(8 + c),
            squares: sum(12 + c),
        };
        Ok((0..comparison.picture.channels as usize).map(of_channel).collect())
    }

    async fn plan(
        &mut self,
        resources: &mut Resources,
        (model, layout): (&Model, &Layout),
        n_pixels: usize,
        comparison: Option<&Comparison>,
    ) -> Result<&TilePlan> {
        let is_it =
            |plan: &TilePlan| (plan.n_pixels, plan.comparison.is_some()) == (n_pixels, comparison.is_some());
        let index = match self.plans.iter().position(is_it) {
            Some(index) => index,
            None => {
                let mut made = self.prepare(resources, (model, layout), n_pixels, comparison).await;
                for tiling in OTHER_TILES.into_iter().filter(|_| layout.fused_prediction.is_none()) {
                    let Err(error) = made else { break };
                    report(error, "the last pixels are computed with other tiles")?;
                    let budget = Budget { prediction_tiles: Some(tiling), ..layout.budget };
                    let layout = Layout { budget, ..layout.clone() };
                    made = self.prepare(resources, (model, &layout), n_pixels, comparison).await;
                }
                let made = made?;
                if self.plans.len() == KEPT_PLANS {
                    self.plans.remove(0);
                }
                self.plans.push(made);
                self.plans.len() - 1
            }
        };
        Ok(&self.plans[index])
    }

    /// A plan that has passed its check.
    async fn prepare(
        &self,
        resources: &mut Resources,
        (model, layout): (&Model, &Layout),
        n_pixels: usize,
        comparison: Option<&Comparison>,
    ) -> Result<TilePlan> {
        let mut plan = record::prediction(model, layout, n_pixels);
        let raster = bytemuck::pod_read_unaligned(&plan.dispatches[0].params);
        let comparison = comparison.map(|Comparison { picture, samples, buffers }| {
            let max_groups = layout.budget.max_groups;
            let dispatch =
                errors::squared_errors((*picture, *samples), n_pixels, buffers.clone(), max_groups);
            let params = bytemuck::pod_read_unaligned(&dispatch.params);
            plan.dispatches.push(dispatch);
            params
        });
        if let Some(proof) = self.proof {
            proof(&resources.gpu, &plan).await?;
        }
        Ok(TilePlan { n_pixels, raster, comparison, prepared: resources.prepare(&plan).await? })
    }
}

impl TilePlan {
    /// The commands for the pixels of a raster from a number on.
    fn encode(&self, resources: &Resources, (raster, first): (&Raster, u64)) -> wgpu::CommandEncoder {
        self.prepared.write_params(0, resources, &self.raster.at(raster, first));
        let mut encoder = resources.gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            (0..self.prepared.dispatches.len())
                .for_each(|d| self.prepared.encode(d, 0, resources, &mut pass));
        }
        encoder
    }
}
