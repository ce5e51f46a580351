//! The references of Muon's kernels, and what they are tested on.

use super::{MuonMatrixParams, MuonNormalizeParams, MuonPolynomialParams, polynomial};
use crate::backend::gpu::kernel::tolerance::Bounded;
use crate::backend::gpu::kernel::{Call, Case, Expected, Kernel, StepParams, close, close_bounded};
use crate::backend::gpu::ops::refine;
use crate::backend::gpu::ops::testing::{case, case_of, poison, positive, uniform};
use crate::backend::gpu::plan::{THREADS, Workgroups};
use crate::model::Arithmetic;
use bytemuck::Zeroable;

fn exact(value: f32) -> Bounded {
    Bounded::exact(value.into())
}

/// Where element e of a W lies in its x.
fn place(p: &MuonMatrixParams, e: usize) -> usize {
    let (i, o) = (p.input_width as usize, p.output_width as usize);
    if p.transposed == 0 { e } else { e % i * o + e / i }
}

/// The expected results of `of`, from the values of a matrix and where its W and its x begin, for each matrix.
fn of_matrices(p: &MuonMatrixParams, of: impl Fn(usize, usize, usize) -> Vec<Expected>) -> Vec<Expected> {
    let n = (p.input_width * p.output_width) as usize;
    let one = |m: u32| of(n, (p.weight_offset + m * p.weight_stride) as usize, (m * p.x_stride) as usize);
    (0..p.n_matrices).flat_map(one).collect()
}

/// A part of a buffer, from `offset` on.
fn part(binding: usize, offset: usize, values: &[Bounded]) -> Expected {
    let (values, errors) = values.iter().map(|v| (v.value, v.error)).unzip();
    close(binding, offset, values, errors)
}

pub(super) fn direction(call: &Call) -> Vec<Expected> {
    let p: MuonMatrixParams = call.params();
    let (old, new) = (exact(p.momentum), exact(p.one_minus_momentum));
    of_matrices(&p, |n, offset, x_offset| {
        let [grads, weights, moments] = [0, 1, 2].map(|binding| call.f64s(binding, offset, n));
        let mut x = vec![Bounded::exact(0.0); n];
        let mut after = Vec::new();
        for e in 0..n {
            let [g, w, m] = [&grads, &weights, &moments].map(|values| Bounded::exact(values[e]));
            let g = g + exact(p.l2) * w;
            let m = old * m + new * g;
            x[place(&p, e)] = old * m + new * g;
            after.push(m);
        }
        vec![part(2, offset, &after), part(3, x_offset, &x)]
    })
}

pub(super) fn normalize(call: &Call) -> Vec<Expected> {
    let p: MuonNormalizeParams = call.params();
    let n_shares = p.n_shares as usize;
    let squares = refine::sum(call.f64s(0, 0, n_shares).into_iter(), n_shares.div_ceil(THREADS) + 8);
    let norm = squares.sqrt();
    let smallest = exact(p.smallest_norm);
    let norm = if norm.value < smallest.value { smallest } else { norm };
    vec![close_bounded(1, call.f64s(1, 0, p.n_values as usize).into_iter().map(|x| Bounded::exact(x) / norm))]
}

pub(super) fn polynomial_reference(call: &Call) -> Vec<Expected> {
    let p: MuonPolynomialParams = call.params();
    let n = p.n_rows as usize;
    let (gram, squared) = (call.f64s(0, 0, n * n), call.f64s(1, 0, n * n));
    let value = |i: usize| {
        let diagonal = if i.is_multiple_of(n + 1) { exact(p.a) } else { Bounded::exact(0.0) };
        diagonal + exact(p.b) * Bounded::exact(gram[i]) + exact(p.c) * Bounded::exact(squared[i])
    };
    vec![close_bounded(1, (0..n * n).map(value))]
}

pub(super) fn update(call: &Call) -> Vec<Expected> {
    let p: MuonMatrixParams = call.params();
    let (keep, lr) = (exact(call.step.matrix_keep), exact(call.step.matrix_lr));
    of_matrices(&p, |n, offset, x_offset| {
        let (x, weights) = (call.f64s(0, x_offset, n), call.f64s(1, offset, n));
        let one = |e: usize| {
            let (w, x) = (Bounded::exact(weights[e]), Bounded::exact(x[place(&p, e)]));
            keep * w - lr * exact(p.scale) * x
        };
        vec![part(1, offset, &(0..n).map(one).collect::<Vec<_>>())]
    })
}

/// Cases of shapes with their widest grid, from an odd offset on: tall, wide, several, square. `buffers` are those for
/// weights of the first number and x of the second.
fn matrix_cases(seed: u64, buffers: impl Fn(usize, usize, Vec<u32>) -> Vec<Vec<u32>>) -> Vec<Case> {
    let one = |(n_matrices, output_width, input_width, max_groups): (usize, usize, usize, u32)| {
        let n = output_width * input_width;
        let grid = Workgroups::fold((n_matrices * n).div_ceil(THREADS), max_groups);
        let (weight_stride, x_stride) = (n + output_width, n.next_multiple_of(4) + 4);
        let params = MuonMatrixParams {
            grid_width: grid.width,
            n_matrices: n_matrices as u32,
            weight_offset: 5,
            weight_stride: weight_stride as u32,
            x_stride: x_stride as u32,
            input_width: input_width as u32,
            output_width: output_width as u32,
            transposed: (output_width > input_width).into(),
            l2: 0.1,
            momentum: 0.95,
            one_minus_momentum: 0.05,
            scale: 1.5,
        };
        let (n_weights, n_x) = (5 + n_matrices * weight_stride, n_matrices * x_stride);
        let buffers = buffers(n_weights, n_x, uniform(seed, n_weights, 1.0));
        case(format!("{n_matrices} of {output_width} x {input_width}"), params, buffers, grid.size())
    };
    [(1, 3, 1, 65_535), (3, 7, 40, 65_535), (2, 67, 29, 2), (1, 32, 32, 65_535)].map(one).into()
}

pub(super) fn direction_cases(_: &Kernel) -> Vec<Case> {
    matrix_cases(1, |n, n_x, weights| vec![uniform(2, n, 1e-2), weights, uniform(3, n, 1e-2), poison(n_x)])
}

pub(super) fn update_cases(_: &Kernel) -> Vec<Case> {
    let step = StepParams { matrix_lr: 0.02, matrix_keep: 0.999, ..StepParams::zeroed() };
    let cases = matrix_cases(1, |_, n_x, weights| vec![uniform(2, n_x, 1.0), weights]);
    cases.into_iter().map(|case| Case { step, ..case }).collect()
}

pub(super) fn normalize_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_shares: usize, max_groups: u32, scale: f32| {
        let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = MuonNormalizeParams {
            grid_width: grid.width,
            n_values: n as u32,
            n_shares: n_shares as u32,
            smallest_norm: 1e-7,
        };
        let buffers = vec![positive(1, n_shares, scale), uniform(2, n, 1.0)];
        case(format!("{n} values, {n_shares} shares up to {scale}"), params, buffers, grid.size())
    };
    vec![one(1, 1, 65_535, 1.0), one(257, 300, 65_535, 1.0), one(255, 2, 65_535, 0.0), one(2003, 3, 3, 1e-4)]
}

pub(super) fn polynomial_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, max_groups: u32| {
        let buffers = vec![uniform(1, n * n, 1.0), uniform(2, n * n, 1.0)];
        case_of(format!("{n} rows"), polynomial(n, Default::default(), max_groups), buffers)
    };
    vec![one(1, 65_535), one(16, 65_535), one(67, 3)]
}
