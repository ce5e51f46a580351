//! Refinements of the update: clipping, and the moving average of the weights.

use super::testing::{case, case_of, poison, positive, uniform};
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, ROUNDING};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, Source, StepParams, close_bounded, params_block, read, wgsl,
    write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::Arithmetic;
use crate::model::refinements::clip_factor;
use bytemuck::Zeroable;

params_block! {
    GradientNormParams {
        n_params: u32,
        /// Workgroups, and partial sums.
        n_groups: u32,
    }
}

params_block! {
    ClipParams {
        grid_width: u32,
        n_params: u32,
        /// Partial sums of the squared norm.
        n_shares: u32,
        clip_norm: f32,
    }
}

params_block! {
    AverageParams {
        grid_width: u32,
        n_params: u32,
    }
}

/// Sums of a thread's values at a stride.
pub(super) const STRIDED_SUM: Source = wgsl!("strided_sum.wgsl");
/// The threads that add in a tree.
pub(super) const REDUCE_THREADS: Source = wgsl!("reduce_threads.wgsl");
/// The sum of a workgroup's threads in a tree.
pub(super) const REDUCE_TREE: Source = wgsl!("reduce.wgsl");
/// The norm whose squares a kernel before summed in shares.
pub(super) const NORM_OF_SHARES: Source = wgsl!("norm_of_shares.wgsl");

/// Partial sums of the gradient's squared norm.
pub(crate) static NORM: KernelDef = KernelDef {
    name: "gradient_norm",
    parts: &[STRIDED_SUM, REDUCE_THREADS, REDUCE_TREE, wgsl!("gradient_norm.wgsl")],
    bindings: &[read("grads"), write("squares")],
    ..KernelDef::plain::<GradientNormParams>(norm_reference, norm_cases)
};

pub(crate) static CLIP: KernelDef = KernelDef {
    name: "clip_gradients",
    parts: &[STRIDED_SUM, REDUCE_THREADS, REDUCE_TREE, NORM_OF_SHARES, wgsl!("clip_gradients.wgsl")],
    bindings: &[read("squares"), write("grads")],
    ..KernelDef::plain::<ClipParams>(clip_reference, clip_cases)
};

pub(crate) static AVERAGE: KernelDef = KernelDef {
    name: "average_weights",
    parts: &[wgsl!("average_weights.wgsl")],
    uses_step: true,
    bindings: &[read("weights"), write("average")],
    ..KernelDef::plain::<AverageParams>(average_reference, average_cases)
};

/// Maximum number of partial sums: every workgroup of the clipping adds them up again.
const MAX_SHARES: usize = 1024;

/// Number of partial sums for `n_params` gradients: 16 values per thread, while there are few.
pub(crate) fn n_shares(n_params: usize) -> usize {
    n_params.div_ceil(16 * THREADS).clamp(1, MAX_SHARES)
}

/// Scales the gradients down to `clip_norm`. Buffers: grads, partial sums.
pub(crate) fn clip(
    clip_norm: f64,
    n_params: usize,
    [grads, squares]: [BufferId; 2],
    max_groups: u32,
) -> [Dispatch; 2] {
    let grid = Workgroups::fold(n_params.div_ceil(THREADS), max_groups);
    let clip = ClipParams {
        grid_width: grid.width,
        n_params: n_params as u32,
        n_shares: n_shares(n_params) as u32,
        clip_norm: clip_norm as f32,
    };
    [
        norm(n_params, [grads, squares]),
        Dispatch::new(Kernel::plain(&CLIP), &clip, vec![squares, grads], grid, 8.0 * n_params as f64),
    ]
}

/// Partial sums of the squares of the first `n` values. Buffers: values, partial sums.
pub(super) fn norm(n: usize, buffers: [BufferId; 2]) -> Dispatch {
    let n_shares = n_shares(n) as u32;
    let params = GradientNormParams { n_params: n as u32, n_groups: n_shares };
    let shares = Workgroups { width: n_shares, height: 1 };
    Dispatch::new(Kernel::plain(&NORM), &params, buffers.to_vec(), shares, 4.0 * n as f64)
}

/// Updates the average after the weights. Buffers: params, average.
pub(crate) fn average(n_params: usize, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let grid = Workgroups::fold(n_params.div_ceil(THREADS), max_groups);
    let params = AverageParams { grid_width: grid.width, n_params: n_params as u32 };
    Dispatch::new(Kernel::plain(&AVERAGE), &params, buffers.to_vec(), grid, 8.0 * n_params as f64)
}

/// A sum of `n` non-negative terms, with `depth` the longest chain of additions.
pub(super) fn sum(values: impl Iterator<Item = f64>, depth: usize) -> Bounded {
    let value: f64 = values.sum();
    Bounded { value, error: (depth + 2) as f64 * ROUNDING * value + FLUSH }
}

fn norm_reference(call: &Call) -> Vec<Expected> {
    let p: GradientNormParams = call.params();
    let (n, n_groups) = (p.n_params as usize, p.n_groups as usize);
    let grads = call.f64s(0, 0, n);
    // A thread's values, and eight levels of the tree.
    let depth = n.div_ceil(n_groups * THREADS) + 8;
    let share = |group: usize| {
        let of_group = |i: &usize| i / THREADS % n_groups == group;
        sum((0..n).filter(of_group).map(|i| grads[i] * grads[i]), depth)
    };
    vec![close_bounded(1, (0..n_groups).map(share))]
}

fn clip_reference(call: &Call) -> Vec<Expected> {
    let p: ClipParams = call.params();
    let (n, n_shares) = (p.n_params as usize, p.n_shares as usize);
    let squares = sum(call.f64s(0, 0, n_shares).into_iter(), n_shares.div_ceil(THREADS) + 8);
    let factor = clip_factor(p.clip_norm.into(), squares.value.sqrt());
    // Roundings of the factor: half the sum's relative error, the root, 1e-6, the quotient.
    let relative = 0.5 * squares.error / squares.value.max(f64::MIN_POSITIVE);
    let norm = Bounded { value: squares.value, error: 0.0 }.sqrt();
    let rounded = Bounded::exact(p.clip_norm.into()) / (norm + Bounded::of(1e-6));
    let error = if factor < 1.0 { rounded.error + relative * factor } else { 0.0 };
    let factor = Bounded { value: factor, error };
    vec![close_bounded(1, call.f64s(1, 0, n).into_iter().map(|g| factor * Bounded::exact(g)))]
}

fn average_reference(call: &Call) -> Vec<Expected> {
    let p: AverageParams = call.params();
    let rate = Bounded::exact(call.step.average_rate.into());
    let rows = call.f64s(0, 0, p.n_params as usize).into_iter().zip(call.f64s(1, 0, p.n_params as usize));
    let moved = |(w, a): (f64, f64)| {
        let (w, a) = (Bounded::exact(w), Bounded::exact(a));
        a + rate * (w - a)
    };
    vec![close_bounded(1, rows.map(moved))]
}

fn norm_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_groups: usize| {
        let params = GradientNormParams { n_params: n as u32, n_groups: n_groups as u32 };
        let buffers = vec![uniform(1, n, 1e-2), poison(n_groups)];
        case(format!("{n} gradients, {n_groups} shares"), params, buffers, [n_groups as u32, 1])
    };
    vec![one(1, 1), one(257, 2), one(5000, 3)]
}

fn clip_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_shares: usize, clip_norm: f32, max_groups: u32| {
        let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params =
            ClipParams { grid_width: grid.width, n_params: n as u32, n_shares: n_shares as u32, clip_norm };
        let label = format!("{n} gradients, {n_shares} shares, norm {clip_norm}");
        case(label, params, vec![positive(1, n_shares, 1.0), uniform(2, n, 1.0)], grid.size())
    };
    vec![one(1, 1, 0.1, 65_535), one(257, 300, 1.0, 65_535), one(255, 2, 100.0, 65_535), one(2003, 3, 0.5, 3)]
}

fn average_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, average_rate: f32, max_groups: u32| {
        let dispatch = average(n, Default::default(), max_groups);
        let buffers = vec![uniform(1, n, 1.0), uniform(2, n, 1.0)];
        let step = StepParams { average_rate, ..StepParams::zeroed() };
        Case { step, ..case_of(format!("{n} weights, rate {average_rate}"), dispatch, buffers) }
    };
    vec![one(1, 1.0, 65_535), one(257, 0.01, 65_535), one(2003, 0.5, 3)]
}
