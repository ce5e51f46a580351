//! Records a step, and a prediction, as plans over a layout.

use super::loss::{self, Part};
use super::{
    Layout, columns, dense, encode, finish, fourier, fused, grid, muon, optimizer, predict, refine, sample,
    streamed,
};
use crate::backend::Job;
use crate::backend::gpu::kernel::KernelConfig;
use crate::backend::gpu::plan::{Dispatch, ForwardBuffers, PicturePlace, Plan, TrainingBuffers};
use crate::model::{Encoding, Model};
use std::ops::Range;

/// Records a training step of `n_samples` samples, in parts of at most the layout's chunk.
pub fn training_step(job: &Job, layout: &Layout, b: &TrainingBuffers, n_samples: usize) -> Plan {
    assert!(n_samples > 0, "a step without samples");
    let ends_in_one = layout.fused_step.is_some() && n_samples <= layout.chunk && finish::is_possible(job);
    let mut step = Step { job, layout, b, ends_in_one, plan: Plan::default() };
    step.record_stored_weights();
    for first in (0..n_samples).step_by(layout.chunk) {
        step.record_part(first..(first + layout.chunk).min(n_samples), n_samples);
    }
    // What follows is in f32, as the gradients and the weights are.
    step.plan = step.plan.stored_as(layout.config.storage);
    step.record_update();
    if layout.budget.wide_atomics { step.plan.with_wide_atomics() } else { step.plan }
}

/// A step and what is recorded of it.
struct Step<'a> {
    job: &'a Job,
    layout: &'a Layout,
    b: &'a TrainingBuffers,
    /// Whether one kernel sums the gradients and updates the parameters.
    ends_in_one: bool,
    plan: Plan,
}

impl Step<'_> {
    /// If products read other weights than those that are updated.
    fn record_stored_weights(&mut self) {
        let (f, model) = (&self.layout.forward, &self.job.model);
        if f.weights != f.params {
            let of_network = model.encoding.n_params()..model.layout().n_params();
            let buffers = [f.params, f.weights];
            self.plan.dispatches.push(dense::store_weights(
                of_network,
                buffers,
                self.layout.budget.max_groups,
            ));
        }
    }

    fn record_part(&mut self, rows: Range<usize>, n_step: usize) {
        let Self { job, layout, b, .. } = *self;
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
        let unit = part.gradient_scale.recip();
        let reduction = dense::Reduction { unit, accumulate: !is_first, max_groups };
        let fetched = self.fetched(rows.start);
        if fetched.is_none() {
            self.record_samples(rows);
        }
        let plan = &mut self.plan.dispatches;
        if let Some(blocking) = &layout.fused_step {
            let groups = fused::Groups::of_step(&job.model, blocking, n, &layout.budget);
            plan.push(fused::step(job, (f, b), (blocking, fetched), (part, groups), max_groups));
            if self.ends_in_one {
                plan.push(finish::finish(job, (b, f.params), (groups.count, unit), max_groups));
            } else {
                plan.extend(fused::sums(job, b, blocking, (part, groups), reduction));
            }
            return;
        }
        record_forward(&job.model, f, n, (config, max_groups), plan);
        plan.extend(loss::loss(job, part, (f.z[network.n_layers - 1], b), max_groups));
        for (index, range) in ranges.iter().enumerate().rev() {
            let activation_before = network.activation_before(index);
            let layer = dense::Layer { range, activation_before, n_samples: n, config, max_groups };
            let x = if index == 0 { f.features } else { f.z[index - 1] };
            let slices = layer.slices(layout.budget.partials_bytes());
            plan.push(layer.backward_weights(slices, [f.z[index], x, b.partials]));
            plan.push(dense::reduce(slices, range.whole(), reduction, [b.partials, b.grads]));
            if index > 0 || job.model.encoding.trained_part().is_some() {
                plan.push(layer.backward_input([f.weights, f.z[index], x]));
            }
        }
        self.record_encoding_backward(n, reduction);
    }

    /// What a fused step fetches itself, from sample `first_row` on.
    fn fetched(&self, first_row: usize) -> Option<fused::Fetched> {
        match self.b.picture {
            PicturePlace::Device { parts: [a, b, c, _], n_parts, words_per_part, .. }
                if self.layout.fetches_samples =>
            {
                Some(fused::Fetched { first_row, parts: [a, b, c], n_parts, words_per_part })
            }
            _ => None,
        }
    }

    /// Fetches the samples `rows`, or reads them from the ring.
    fn record_samples(&mut self, rows: Range<usize>) {
        let Self { job, layout, b, .. } = *self;
        let max_groups = layout.budget.max_groups;
        let buffers = [layout.forward.coords, b.targets, b.sample_weights];
        match &b.picture {
            PicturePlace::Device { parts, words_per_part, sample_index, .. } => {
                let bound = parts.iter().copied().chain(buffers).chain(*sample_index).collect();
                self.plan.dispatches.push(sample::sample(job, rows, *words_per_part, bound, max_groups));
            }
            PicturePlace::Host(ring) => {
                self.plan.dispatches.extend(ring.pieces(rows.clone()).map(|piece| {
                    let first = piece.rows.start - rows.start;
                    streamed::streamed(job, ring, (piece, first), buffers, max_groups)
                }));
            }
        }
    }

    /// From the gradient of the features, which layer 0 has left in their place, to the encoding's weights.
    fn record_encoding_backward(&mut self, n: usize, reduction: dense::Reduction) {
        let Self { job, layout, b, .. } = *self;
        let (f, max_groups, encoding) = (&layout.forward, layout.budget.max_groups, &job.model.encoding);
        let Some((trained, columns)) = encoding.trained_part() else { return };
        let plan = &mut self.plan.dispatches;
        let dl_dfeatures = f.part.unwrap_or(f.features);
        if let Some(part) = f.part {
            let copy = columns::Copy::into_part(n, &columns, encoding.output_width());
            plan.push(columns::copy(copy, [f.features, part], max_groups));
        }
        let constants = encoding.parts().iter().zip(&f.constants).find(|(part, _)| *part == trained);
        match (trained, constants.and_then(|(_, id)| *id), b.grid_sums) {
            (Encoding::Grid(hash_grid), Some(levels), sums) => {
                if sums.is_none() && !reduction.accumulate {
                    plan.push(grid::clear(hash_grid, b.grads, max_groups));
                }
                let buffers = [levels, f.coords, dl_dfeatures, sums.unwrap_or(b.grads)];
                plan.push(grid::backward(hash_grid, n, reduction, sums.is_some(), buffers));
            }
            (Encoding::TrainedFourier { initial }, ..) => {
                let buffers = [f.params, f.coords, dl_dfeatures, b.partials];
                plan.push(fourier::gradients(initial.len(), n, buffers, max_groups));
                let (slices, range) = (fourier::slices(n, max_groups), job.model.layout().encoding);
                plan.push(dense::reduce(slices, range, reduction, [b.partials, b.grads]));
            }
            (other, ..) => unreachable!("no gradients are known of {other:?}"),
        }
    }

    /// What follows once all gradients are summed.
    fn record_update(&mut self) {
        if !self.ends_in_one {
            self.record_update_of_gradients();
        }
        let Self { job, layout, b, .. } = *self;
        if let Some(average) = b.average {
            let (n_params, buffers) = (job.model.layout().n_params(), [layout.forward.params, average]);
            self.plan.dispatches.push(refine::average(n_params, buffers, layout.budget.max_groups));
        }
    }

    fn record_update_of_gradients(&mut self) {
        let Self { job, layout, b, .. } = *self;
        let (n_params, refinements) = (job.model.layout().n_params(), &job.options.refinements);
        let (params, max_groups) = (layout.forward.params, layout.budget.max_groups);
        let plan = &mut self.plan.dispatches;
        if let (Some((Encoding::Grid(hash_grid), _)), Some(sums)) =
            (job.model.encoding.trained_part(), b.grid_sums)
        {
            plan.push(grid::gradients(hash_grid, [sums, b.grads], max_groups));
        }
        if let (Some(clip_norm), Some(squares)) = (refinements.clip_norm, b.squares) {
            plan.extend(refine::clip(clip_norm, n_params, [b.grads, squares], max_groups));
        }
        let buffers = [b.grads, params].into_iter().chain(b.moments.iter().copied()).collect();
        plan.push(optimizer::update(job, buffers, max_groups));
        plan.extend(muon::steps(job, (b, params), &layout.budget));
    }
}

fn record_forward(
    model: &Model,
    f: &ForwardBuffers,
    n: usize,
    (config, max_groups): (&KernelConfig, u32),
    plan: &mut Vec<Dispatch>,
) {
    plan.extend(encode::encode(&model.encoding, n, f, max_groups));
    let mut x = f.features;
    for (index, range) in model.layout().layers.iter().enumerate() {
        let activation_before = model.network.activation_before(index);
        let layer = dense::Layer { range, activation_before, n_samples: n, config, max_groups };
        plan.push(layer.forward([f.weights, f.params, x, f.z[index]]));
        x = f.z[index];
    }
}

/// Records the prediction of `n_pixels` consecutive pixels. The first dispatch is the raster, whose parameters change
/// from tile to tile.
pub(crate) fn prediction(model: &Model, layout: &Layout, n_pixels: usize) -> Plan {
    let params = layout.forward.predicting;
    let f = &ForwardBuffers { params, weights: params, ..layout.forward.clone() };
    let (max_groups, mut config) = (layout.budget.max_groups, KernelConfig::prediction());
    if let Some(tiling) = layout.budget.prediction_tiles {
        config = KernelConfig::only(config.storage, tiling, model.network.layers());
    }
    let mut plan = Plan { dispatches: vec![sample::raster(n_pixels, f.coords, max_groups)] };
    if let Some(blocking) = &layout.fused_prediction {
        plan.dispatches.push(fused::predict(model, f, blocking, n_pixels, max_groups));
        return plan;
    }
    record_forward(model, f, n_pixels, (&config, max_groups), &mut plan.dispatches);
    let network = &model.network;
    let n_values = n_pixels * network.output_width;
    let buffers = [f.z[network.n_layers - 1], f.colours];
    plan.dispatches.push(predict::output(network.output_activation, n_values, buffers, max_groups));
    plan.stored_as(config.storage)
}

/// The predictions of a picture of `n_pixels` pixels, whose sizes decide which kernels are used.
pub fn predictions(model: &Model, layout: &Layout, n_pixels: usize) -> Vec<Plan> {
    let sizes = [layout.tile.min(n_pixels), n_pixels % layout.tile];
    sizes.into_iter().filter(|&n| n > 0).map(|n| prediction(model, layout, n)).collect()
}
