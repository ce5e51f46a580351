//! Losses and their gradient for the last layer.

use super::refine::{REDUCE_THREADS, REDUCE_TREE, STRIDED_SUM};
use super::testing::{case, poison, positive, uniform};
use crate::backend::Job;
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, ROUNDING};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, ExpectedValues, Kernel, KernelDef, Specialization, close, close_bounded,
    params_block, read, wgsl, write, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, TrainingBuffers, Workgroups};
use crate::model::Arithmetic;
use bytemuck::Zeroable;

params_block! {
    LossParams {
        grid_width: u32,
        /// Samples of this part times channels.
        n_values: u32,
        channels: u32,
        /// One over the values of the whole step.
        scale: f32,
        weights: [f32; 4],
        /// S / N: gradients are stored S times as large.
        gradient_scale: f32,
    }
}

params_block! {
    ReduceLossParams {
        /// Workgroups of the loss.
        n_partials: u32,
        /// 1 for the step's first part.
        first_part: u32,
        /// 1 for its last.
        last_part: u32,
    }
}

pub(crate) static LOSS: KernelDef = KernelDef {
    name: "loss",
    parts: &[REDUCE_THREADS, REDUCE_TREE, wgsl!("loss.wgsl")],
    specialization: Specialization::Loss,
    bindings: &[read("targets"), read("sample_weights"), write_stored("z_dl_dz"), write("loss_partials")],
    ..KernelDef::plain::<LossParams>(loss_reference, loss_cases)
};

/// The step's loss and the step counter.
pub(crate) static REDUCE: KernelDef = KernelDef {
    name: "reduce_loss",
    parts: &[STRIDED_SUM, REDUCE_THREADS, REDUCE_TREE, wgsl!("reduce_loss.wgsl")],
    uses_step: true,
    bindings: &[read("loss_partials"), write("progress"), write("ring")],
    ..KernelDef::plain::<ReduceLossParams>(reduce_reference, reduce_cases)
};

/// The part of a step that a loss covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Values of this part: samples times channels.
    pub n_values: usize,
    /// Values of the whole step.
    pub n_step_values: usize,
    /// Whether it is the step's first.
    pub is_first: bool,
    /// Whether it is the step's last.
    pub is_last: bool,
    /// Factor of stored gradients.
    pub gradient_scale: f32,
}

/// Workgroups, and so partial sums, for `n_values` values.
pub(crate) fn n_partials(n_values: usize) -> usize {
    n_values.div_ceil(THREADS)
}

/// Overwrites `z` of the last layer with dl_dz and sums the loss.
pub(crate) fn loss(
    job: &Job,
    part: Part,
    (z, b): (BufferId, &TrainingBuffers),
    max_groups: u32,
) -> [Dispatch; 2] {
    let scale = 1.0 / part.n_step_values as f64;
    let network = &job.model.network;
    let grid = Workgroups::fold(n_partials(part.n_values), max_groups);
    let params = LossParams {
        grid_width: grid.width,
        n_values: part.n_values as u32,
        channels: network.output_width as u32,
        scale: scale as f32,
        weights: job.options.channel_weights,
        gradient_scale: (scale * f64::from(part.gradient_scale)) as f32,
    };
    let n = part.n_values as f64;
    [
        Dispatch::new(
            Kernel::with_loss(&LOSS, job.loss, network.output_activation),
            &params,
            vec![b.targets, b.sample_weights, z, b.loss_partials],
            grid,
            50.0 * n,
        ),
        reduce(part, n_partials(part.n_values), [b.loss_partials, b.progress, b.ring], max_groups),
    ]
}

/// Sums the losses of `n_partials` workgroups. Buffers: loss partials, progress, ring.
pub(crate) fn reduce(part: Part, n_partials: usize, buffers: [BufferId; 3], max_groups: u32) -> Dispatch {
    let params = ReduceLossParams {
        n_partials: n_partials as u32,
        first_part: part.is_first.into(),
        last_part: part.is_last.into(),
    };
    let one = Workgroups::fold(1, max_groups);
    Dispatch::new(Kernel::plain(&REDUCE), &params, buffers.into(), one, 32.0 * n_partials as f64)
}

fn loss_reference(call: &Call) -> Vec<Expected> {
    let p: LossParams = call.params();
    let n = p.n_values as usize;
    // Rounded to the integer N; the rest is the rounding of 1 / N.
    let exact = 1.0 / (1.0 / f64::from(p.scale)).round();
    let scale = Bounded::of(exact);
    // S is a power of two.
    let gradient_scale = Bounded::of(exact * f64::from(p.gradient_scale / p.scale).round());
    let (loss, output) = (call.kernel.loss.expect("a loss is joined in"), call.kernel.activation);
    let (targets, sample_weights, z) =
        (call.f64s(0, 0, n), call.f64s(1, 0, n.div_ceil(p.channels as usize)), call.f64s(2, 0, n));
    let (mut dl_dz, mut values) = (Vec::new(), Vec::new());
    for (i, (&z, &t)) in z.iter().zip(&targets).enumerate() {
        let weight = Bounded::exact(p.weights[i % p.channels as usize].into());
        let (prediction, derivative) = output.value_and_derivative(Bounded::exact(z));
        let (value, dl_dp) = loss.value_and_derivative(prediction, Bounded::exact(t));
        let weight = weight * Bounded::exact(sample_weights[i / p.channels as usize]);
        values.push(weight * scale * value);
        dl_dz.push(weight * gradient_scale * dl_dp * derivative);
    }
    // Losses are not negative, so eight levels of the sum add eight roundings.
    let sum = |part: &[Bounded]| {
        let (value, error): (f64, f64) =
            (part.iter().map(|v| v.value).sum(), part.iter().map(|v| v.error).sum());
        Bounded { value, error: error + 8.0 * ROUNDING * (value + error) + FLUSH }
    };
    let partials = values.chunks(THREADS).map(sum);
    vec![close_bounded(2, dl_dz), close_bounded(3, partials)]
}

fn reduce_reference(call: &Call) -> Vec<Expected> {
    let p: ReduceLossParams = call.params();
    summed(call, p.n_partials as usize, [0, 1, 2], [p.first_part != 0, p.last_part != 0])
}

/// The loss of a part of a step, and the step's if it is the last. Bindings: loss partials, progress, ring.
pub(super) fn summed(
    call: &Call,
    n: usize,
    [partials, progress, ring]: [usize; 3],
    [is_first, is_last]: [bool; 2],
) -> Vec<Expected> {
    let sum: f64 = call.f64s(partials, 0, n).iter().sum();
    let before = if is_first { 0.0 } else { call.f64s(progress, 0, 1)[0] };
    let loss = before + sum;
    // Losses are not negative, so the relative error of the sum is that of its longest chain: a thread's values,
    // eight levels of the tree, and the parts before.
    let error = loss.abs() * ((n / THREADS) as f64 + 12.0) * ROUNDING + FLUSH;
    let mut expected = vec![close(progress, 0, vec![loss], vec![error])];
    if is_last {
        let done = call.buffers[progress][1].wrapping_add(1);
        let slot = 2 * call.step.slot as usize;
        let bits = |binding, start| Expected { binding, start, values: ExpectedValues::Bits(vec![done]) };
        expected.extend([
            close(ring, slot, vec![loss], vec![error]),
            bits(progress, 1),
            bits(ring, slot + 1),
        ]);
    }
    expected
}

fn loss_cases(kernel: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_step: usize, channels: u32, weights: [f32; 4], max_groups: u32| {
        let grid = Workgroups::fold(n_partials(n), max_groups);
        let scale = (1.0 / n_step as f64) as f32;
        let gradient_scale = kernel.storage.gradient_scale(n_step) * scale;
        let (grid_width, n_values) = (grid.width, n as u32);
        let params = LossParams { grid_width, n_values, channels, scale, weights, gradient_scale };
        // Not negative.
        let sample_weights = positive(3, n.div_ceil(channels as usize), 4.0);
        let buffers = vec![uniform(1, n, 1.0), sample_weights, uniform(2, n, 3.0), poison(n_partials(n))];
        case(format!("{n} of {n_step} values, {channels} channels"), params, buffers, grid.size())
    };
    let same = [1.0; 4];
    vec![
        one(1, 1, 1, same, 65_535),
        one(255, 255, 3, same, 65_535),
        one(257, 771, 3, [0.5, 1.0, 2.0, 0.0], 65_535),
        one(3000, 9000, 4, [1.0, 1.0, 1.0, 0.1], 5),
    ]
}

/// `n` loss partials, the progress of 41 steps, and a ring.
pub(super) fn sums(n: usize) -> [Vec<u32>; 3] {
    let mut progress = positive(3, 1, 1.0);
    progress[1] = 41;
    [positive(1, n, 1.0), progress, poison(10)]
}

fn reduce_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, first_part: u32, last_part: u32| {
        let params = ReduceLossParams { n_partials: n as u32, first_part, last_part };
        let label = format!("{n} partial sums, first {first_part}, last {last_part}");
        let mut case = case(label, params, sums(n).into(), [1, 1]);
        case.step = crate::backend::gpu::kernel::StepParams { slot: 3, ..Zeroable::zeroed() };
        case
    };
    vec![one(1, 1, 1), one(257, 1, 0), one(1000, 0, 0), one(255, 0, 1)]
}
