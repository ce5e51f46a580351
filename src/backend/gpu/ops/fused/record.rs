//! How a plan dispatches the fused kernels.

use super::blocking::Blocking;
use super::{FusedParams, PARTS, WeightRows, definitions};
use crate::backend::Job;
use crate::backend::gpu::device::Budget;
use crate::backend::gpu::ops::dense;
use crate::backend::gpu::ops::loss::{self, Part};
use crate::backend::gpu::ops::sample::PictureParams;
use crate::backend::gpu::plan::{BufferId, Dispatch, ForwardBuffers, TrainingBuffers, Workgroups};
use crate::model::encoding::Interpolation;
use crate::model::{Encoding, Model};

/// Target number of workgroups, to fill a GPU several times over.
const WANTED_GROUPS: usize = 512;

/// How `n_samples` are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    pub count: usize,
    /// Blocks of samples per workgroup; the last may have fewer.
    pub blocks: usize,
}

impl Groups {
    /// For blocks of `block` samples and at most `most` workgroups.
    pub(super) fn new(n_samples: usize, block: usize, most: usize) -> Self {
        let n_blocks = n_samples.div_ceil(block);
        let blocks = n_blocks.div_ceil(most.clamp(1, n_blocks));
        Self { count: n_blocks.div_ceil(blocks), blocks }
    }

    pub(crate) fn of_step(model: &Model, blocking: &Blocking, n_samples: usize, budget: &Budget) -> Self {
        Self::new(n_samples, blocking.block, Self::most(model, blocking, n_samples, budget))
    }

    /// Maximum workgroups of a step of up to `n_samples` samples: each has its own gradients.
    pub(crate) fn most(model: &Model, blocking: &Blocking, n_samples: usize, budget: &Budget) -> usize {
        let fitting = budget.partials_bytes() / (4 * model.network.n_params() as u64);
        WANTED_GROUPS.min(fitting as usize).min(n_samples.div_ceil(blocking.block))
    }
}

/// For `n_samples` samples in `groups`; fields for the loss are 0.
pub(super) fn params(
    model: &Model,
    blocking: &Blocking,
    n_samples: usize,
    groups: Groups,
    grid: Workgroups,
) -> FusedParams {
    let (network, encoding) = (&model.network, &model.encoding);
    let rows = &blocking.rows;
    let (n_units, n_features, smoothstep) = match encoding {
        Encoding::Fourier { frequencies } => (frequencies.len(), 0, false),
        Encoding::Pointwise(pointwise) => (pointwise.formula().n_units(), 0, false),
        Encoding::Grid(grid) => {
            (grid.levels.len(), grid.features_per_level, grid.interpolation == Interpolation::Smoothstep)
        }
        Encoding::TrainedFourier { .. } | Encoding::Composite(_) => unreachable!("it is not fused"),
    };
    FusedParams {
        grid_width: grid.width,
        n_groups: groups.count as u32,
        n_samples: n_samples as u32,
        blocks_per_group: groups.blocks as u32,
        input_width: network.input_width as u32,
        hidden_width: network.hidden_width as u32,
        output_width: network.output_width as u32,
        n_layers: network.n_layers as u32,
        first_weight: encoding.n_params() as u32,
        n_params: network.n_params() as u32,
        hidden_rows: rows.hidden as u32,
        feature_row: rows.feature_row as u32,
        feature_rows: rows.features as u32,
        value_row: rows.value_row as u32,
        features_kept: rows.features_kept.into(),
        n_units: n_units as u32,
        n_features: n_features as u32,
        smoothstep: smoothstep.into(),
        ..FusedParams::default()
    }
}

/// The samples that a part of a step fetches itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetched {
    /// First of them within the step.
    pub first_row: usize,
    /// The picture.
    pub parts: [BufferId; PARTS],
    pub n_parts: usize,
    pub words_per_part: usize,
}

/// Partial losses and gradients of part of a step, for each of its workgroups. Another kernel has fetched the samples
/// unless they are `fetched`.
pub(crate) fn step(
    job: &Job,
    (f, b): (&ForwardBuffers, &TrainingBuffers),
    (blocking, fetched): (&Blocking, Option<Fetched>),
    (part, groups): (Part, Groups),
    max_groups: u32,
) -> Dispatch {
    let (model, network) = (&job.model, &job.model.network);
    let definitions = definitions(&model.encoding).expect("chosen for an encoding that has them");
    let n_samples = part.n_values / network.output_width;
    let grid = Workgroups::fold(groups.count, max_groups);
    let mut params = FusedParams {
        scale: (1.0 / part.n_step_values as f64) as f32,
        gradient_scale: part.gradient_scale,
        channel_weights: job.options.channel_weights,
        ..params(model, blocking, n_samples, groups, grid)
    };
    let (def, samples, n_parts) = match fetched {
        Some(Fetched { first_row, parts, n_parts, words_per_part }) => {
            params.picture = PictureParams::of(job, first_row, words_per_part);
            (&definitions.step_of_picture, parts, n_parts)
        }
        None => (&definitions.step, [f.coords, b.targets, b.sample_weights], 1),
    };
    let formulas = [network.activation, network.output_activation];
    let kernel = super::kernel(def, Some(job.loss), formulas, (blocking, n_parts, WeightRows::of(model)));
    let mut buffers = vec![f.params, constants(f)];
    buffers.extend(samples);
    buffers.extend([b.partials, b.loss_partials]);
    buffers.extend(b.grid_sums);
    let flop = network.training_flop(n_samples) + 50.0 * (n_samples * network.input_width) as f64;
    Dispatch::new(kernel, &params, buffers, grid, flop)
}

/// The sums of those over the workgroups.
pub(crate) fn sums(
    job: &Job,
    b: &TrainingBuffers,
    blocking: &Blocking,
    (part, groups): (Part, Groups),
    reduction: dense::Reduction,
) -> [Dispatch; 2] {
    let slices = dense::Slices { count: groups.count, length: groups.blocks * blocking.block };
    let of_network = job.model.encoding.n_params()..job.model.layout().n_params();
    [
        dense::reduce(slices, of_network, reduction, [b.partials, b.grads]),
        loss::reduce(part, groups.count, [b.loss_partials, b.progress, b.ring], reduction.max_groups),
    ]
}

/// Constants of the encoding. A kernel without any does not read them.
fn constants(f: &ForwardBuffers) -> BufferId {
    f.constants.first().copied().flatten().unwrap_or(f.params)
}

pub(crate) fn predict(
    model: &Model,
    f: &ForwardBuffers,
    blocking: &Blocking,
    n_pixels: usize,
    max_groups: u32,
) -> Dispatch {
    let network = &model.network;
    let definitions = definitions(&model.encoding).expect("chosen for an encoding that has them");
    let groups = Groups::new(n_pixels, blocking.block, usize::MAX);
    let grid = Workgroups::fold(groups.count, max_groups);
    let params = params(model, blocking, n_pixels, groups, grid);
    let formulas = [network.activation, network.output_activation];
    let kernel = super::kernel(&definitions.predict, None, formulas, (blocking, 1, WeightRows::of(model)));
    let buffers = vec![f.params, constants(f), f.coords, f.colours];
    Dispatch::new(kernel, &params, buffers, grid, network.training_flop(n_pixels) / 3.0)
}
