//! Records a step, and a prediction, as plans over a layout.

use super::loss::{self, Part};
use super::{
    Layout, columns, dense, encode, fourier, fused, grid, optimizer, predict, refine, sample, streamed,
};
use crate::backend::Job;
use crate::backend::gpu::kernel::KernelConfig;
use crate::backend::gpu::plan::{BufferId, ForwardBuffers, PicturePlace, Plan, TrainingBuffers};
use crate::model::{Encoding, Model};

/// Records a training step of `n_samples` samples, in parts of at most the layout's chunk.
pub fn training_step(job: &Job, layout: &Layout, b: &TrainingBuffers, n_samples: usize) -> Plan {
    assert!(n_samples > 0, "a step without samples");
    let mut plan = Plan::default();
    let mut first = 0;
    while first < n_samples {
        let end = (first + layout.chunk).min(n_samples);
        record_part(job, layout, b, first..end, n_samples, &mut plan);
        first = end;
    }
    let n_params = job.model.layout().n_params();
    let (params, max_groups, refinements) =
        (layout.forward.params, layout.budget.max_groups, &job.options.refinements);
    if let (Some((Encoding::Grid(hash_grid), _)), Some(sums)) =
        (job.model.encoding.trained_part(), b.grid_sums)
    {
        plan.dispatches.push(grid::gradients(hash_grid, [sums, b.grads], max_groups));
    }
    if let (Some(clip_norm), Some(squares)) = (refinements.clip_norm, b.squares) {
        plan.dispatches.extend(refine::clip(clip_norm, n_params, [b.grads, squares], max_groups));
    }
    let buffers = [b.grads, params].into_iter().chain(b.moments.iter().copied()).collect();
    plan.dispatches.push(optimizer::update(job, buffers, max_groups));
    if let Some(average) = b.average {
        plan.dispatches.push(refine::average(n_params, [params, average], max_groups));
    }
    plan.stored_as(layout.config.storage)
}

fn record_part(
    job: &Job,
    layout: &Layout,
    b: &TrainingBuffers,
    rows: std::ops::Range<usize>,
    n_step: usize,
    plan: &mut Plan,
) {
    let (max_groups, f, config) = (layout.budget.max_groups, &layout.forward, &layout.config);
    let (network, ranges) = (&job.model.network, job.model.layout().layers);
    let (n, channels, is_first) = (rows.len(), network.output_width, rows.start == 0);
    let part = Part {
        n_values: n * channels,
        n_step_values: n_step * channels,
        is_first,
        is_last: rows.end == n_step,
        gradient_scale: config.storage.gradient_scale(n_step * channels),
    };
    let reduction = dense::Reduction { unit: part.gradient_scale.recip(), accumulate: !is_first, max_groups };
    record_samples(job, b, f.coords, rows, max_groups, plan);
    if let Some(blocking) = &layout.fused_step {
        plan.dispatches.extend(fused::step(job, (f, b), blocking, part, &layout.budget));
        return;
    }
    record_forward(&job.model, f, n, (config, max_groups), plan);
    let last = f.z[network.n_layers - 1];
    plan.dispatches.extend(loss::loss(job, part, (last, b), max_groups));
    for (index, range) in ranges.iter().enumerate().rev() {
        let layer = dense::Layer {
            range,
            activation_before: network.activation_before(index),
            n_samples: n,
            config,
            max_groups,
        };
        let x = if index == 0 { f.features } else { f.z[index - 1] };
        let slices = dense::slices(range.shape, n, layout.budget.partials_bytes());
        plan.dispatches.push(layer.backward_weights(slices, [f.z[index], x, b.partials]));
        plan.dispatches.push(dense::reduce(slices, range.whole(), reduction, [b.partials, b.grads]));
        if index > 0 {
            plan.dispatches.push(layer.backward_input(f.params, f.z[index], x));
        } else {
            record_encoding_backward(job, f, b, &layer, reduction, plan);
        }
    }
}

/// Fetches the samples `rows` of a step, or reads them from the ring.
fn record_samples(
    job: &Job,
    b: &TrainingBuffers,
    coords: BufferId,
    rows: std::ops::Range<usize>,
    max_groups: u32,
    plan: &mut Plan,
) {
    let buffers = [coords, b.targets, b.sample_weights];
    match &b.picture {
        PicturePlace::Device { parts, words_per_part, sample_index } => {
            let bound = parts.iter().copied().chain(buffers).chain(*sample_index).collect();
            plan.dispatches.push(sample::sample(job, rows, *words_per_part, bound, max_groups));
        }
        PicturePlace::Host(ring) => {
            plan.dispatches.extend(ring.pieces(rows.clone()).map(|piece| {
                let first = piece.rows.start - rows.start;
                streamed::streamed(job, ring, (piece, first), buffers, max_groups)
            }));
        }
    }
}

/// Propagates the gradient of layer 0 to the features, in place, and to the encoding's weights.
fn record_encoding_backward(
    job: &Job,
    f: &ForwardBuffers,
    b: &TrainingBuffers,
    first: &dense::Layer,
    reduction: dense::Reduction,
    plan: &mut Plan,
) {
    let encoding = &job.model.encoding;
    let Some((trained, columns)) = encoding.trained_part() else { return };
    let (n, max_groups) = (first.n_samples, first.max_groups);
    plan.dispatches.push(first.backward_input(f.params, f.z[0], f.features));
    let dl_dfeatures = f.part.unwrap_or(f.features);
    if let Some(part) = f.part {
        let copy = columns::Copy::into_part(n, &columns, encoding.output_width());
        plan.dispatches.push(columns::copy(copy, [f.features, part], max_groups));
    }
    let constants = encoding.parts().iter().zip(&f.constants).find(|(part, _)| *part == trained);
    match (trained, constants.and_then(|(_, id)| *id), b.grid_sums) {
        (Encoding::Grid(hash_grid), Some(levels), sums) => {
            if sums.is_none() && !reduction.accumulate {
                plan.dispatches.push(grid::clear(hash_grid, b.grads, max_groups));
            }
            let buffers = [levels, f.coords, dl_dfeatures, sums.unwrap_or(b.grads)];
            plan.dispatches.push(grid::backward(hash_grid, n, reduction, sums.is_some(), buffers));
        }
        (Encoding::TrainedFourier { initial }, ..) => {
            let buffers = [f.params, f.coords, dl_dfeatures, b.partials];
            plan.dispatches.push(fourier::gradients(initial.len(), n, buffers, max_groups));
            let (slices, range) = (fourier::slices(n, max_groups), job.model.layout().encoding);
            plan.dispatches.push(dense::reduce(slices, range, reduction, [b.partials, b.grads]));
        }
        (other, ..) => unreachable!("no gradients are known of {other:?}"),
    }
}

fn record_forward(
    model: &Model,
    f: &ForwardBuffers,
    n: usize,
    (config, max_groups): (&KernelConfig, u32),
    plan: &mut Plan,
) {
    plan.dispatches.extend(encode::encode(&model.encoding, n, f, max_groups));
    let mut x = f.features;
    for (index, range) in model.layout().layers.iter().enumerate() {
        let activation_before = model.network.activation_before(index);
        let layer = dense::Layer { range, activation_before, n_samples: n, config, max_groups };
        plan.dispatches.push(layer.forward(f.params, x, f.z[index]));
        x = f.z[index];
    }
}

/// Records the prediction of `n_pixels` consecutive pixels. The first dispatch is the raster, whose parameters change
/// from tile to tile.
pub(crate) fn prediction(model: &Model, layout: &Layout, n_pixels: usize) -> Plan {
    let f = &ForwardBuffers { params: layout.forward.predicting, ..layout.forward.clone() };
    let (max_groups, config) = (layout.budget.max_groups, KernelConfig::prediction());
    let mut plan = Plan { dispatches: vec![sample::raster(n_pixels, f.coords, max_groups)] };
    if let Some(blocking) = &layout.fused_prediction {
        plan.dispatches.push(fused::predict(model, f, blocking, n_pixels, max_groups));
        return plan;
    }
    record_forward(model, f, n_pixels, (&config, max_groups), &mut plan);
    let network = &model.network;
    let n_values = n_pixels * network.output_width;
    let buffers = [f.z[network.n_layers - 1], f.colours];
    plan.dispatches.push(predict::output(network.output_activation, n_values, buffers, max_groups));
    plan.stored_as(config.storage)
}
