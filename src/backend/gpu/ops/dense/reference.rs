//! The reference of the products, its tolerances, and the shapes they are tested on.

use super::{DenseParams, Layer, ReduceParams, Reduction, Slices, StoreWeightsParams, slices};
use crate::backend::cpu::dense;
use crate::backend::gpu::kernel::tolerance::{self, FLUSH, ROUNDING};
use crate::backend::gpu::kernel::{
    Alignment, Call, Case, Expected, Kernel, KernelConfig, MatmulTiling, Operation, Storage, close,
};
use crate::backend::gpu::ops::testing::{case, case_of, poison, uniform};
use crate::backend::tuned::{HALF_FLUSH, HALF_ROUNDING};
use crate::model::network::LayerRange;
use crate::model::{Activation, LayerShape};

fn shape_of(p: &DenseParams) -> LayerShape {
    LayerShape { input_width: p.input_width as usize, output_width: p.output_width as usize }
}

/// An operand of a product, and the extra error when it is multiplied as f16.
struct Operand {
    values: Vec<f64>,
    errors: Vec<f64>,
}

impl Operand {
    /// Values that are multiplied as they are stored.
    fn stored(values: Vec<f64>) -> Self {
        Self { errors: vec![0.0; values.len()], values }
    }

    /// f(x).
    fn activated(kernel: &Kernel, x: &[f64]) -> Self {
        let activation = kernel.activation;
        let values: Vec<f64> = x.iter().map(|&z| activation.value(z)).collect();
        let error = |(&z, &v): (&f64, &f64)| tolerance::activation(activation, z) + input_rounding(kernel, v);
        let errors = x.iter().zip(&values).map(error).collect();
        Self { values, errors }
    }

    fn magnitudes(&self) -> Vec<f64> {
        self.values.iter().map(|v| v.abs()).collect()
    }
}

/// Error of `value` when it is multiplied as it is stored.
fn input_rounding(kernel: &Kernel, value: f64) -> f64 {
    match (kernel.tiling.matrix_size(), kernel.storage) {
        (None, _) | (_, Storage::F32) => 0.0,
        (Some(_), Storage::F16) => value.abs() * HALF_ROUNDING + HALF_FLUSH,
    }
}

/// Relative error of a sum of `k` products.
fn relative_error(tiling: MatmulTiling, k: usize) -> f64 {
    match tiling.matrix_size() {
        Some(_) => tolerance::sum_by_matrices(k),
        None => tolerance::sum_of_products(k),
    }
}

/// The tolerance of a product of depth `k`, from `multiply`, which multiplies magnitudes:
/// |a||b| times the relative error of a sum, |da|(|b| + |db|) and |a||db|.
fn product_tolerance(
    (tiling, k): (MatmulTiling, usize),
    (left, right): (&Operand, &Operand),
    mut multiply: impl FnMut(&[f64], &[f64]),
) {
    let relative = relative_error(tiling, k);
    let (a, b) = (left.magnitudes(), right.magnitudes());
    let grown: Vec<f64> = a.iter().zip(&left.errors).map(|(a, error)| a * relative + error).collect();
    let wide: Vec<f64> = b.iter().zip(&right.errors).map(|(b, error)| b + error).collect();
    multiply(&grown, &wide);
    if right.errors.iter().any(|&error| error > 0.0) {
        multiply(&a, &right.errors);
    }
}

pub(super) fn forward(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let (shape, tiling) = (shape_of(&p), call.kernel.tiling);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let w = Operand::stored(call.f64s(0, p.weight_offset as usize, o * i));
    let b = call.f64s(1, p.bias_offset as usize, o);
    let a = Operand::activated(call.kernel, &call.f64s(2, 0, n * i));
    let (mut z, mut errors) = (vec![0.0; n * o], vec![0.0; n * o]);
    dense::forward(shape, &a.values, &w.values, &b, &mut z);
    let b_errors: Vec<f64> = b.iter().map(|b| b.abs() * 2.0 * ROUNDING + FLUSH).collect();
    let mut part = vec![0.0; n * o];
    product_tolerance((tiling, i), (&a, &w), |a, w| {
        dense::forward(shape, a, w, &b_errors, &mut part);
        errors.iter_mut().zip(&part).for_each(|(error, part)| *error += part);
    });
    vec![close(3, 0, z, errors)]
}

pub(super) fn backward_input(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let (shape, tiling) = (shape_of(&p), call.kernel.tiling);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let w = Operand::stored(call.f64s(0, p.weight_offset as usize, o * i));
    let dl_dz = Operand::stored(call.f64s(1, 0, n * o));
    let x = call.f64s(2, 0, n * i);
    let (mut dl_dx, mut errors) = (vec![0.0; n * i], vec![0.0; n * i]);
    dense::backward_input(shape, &dl_dz.values, &w.values, &mut dl_dx);
    let mut part = vec![0.0; n * i];
    product_tolerance((tiling, o), (&dl_dz, &w), |dl_dz, w| {
        dense::backward_input(shape, dl_dz, w, &mut part);
        errors.iter_mut().zip(&part).for_each(|(error, part)| *error += part);
    });
    for ((value, error), &z) in dl_dx.iter_mut().zip(&mut errors).zip(&x) {
        let derivative: f64 = call.kernel.activation.derivative(z);
        let derivative_error = tolerance::derivative(call.kernel.activation, z);
        *error = *error * (derivative.abs() + derivative_error) + value.abs() * derivative_error + FLUSH;
        *value *= derivative;
    }
    vec![close(2, 0, dl_dx, errors)]
}

pub(super) fn backward_weights(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let (shape, tiling) = (shape_of(&p), call.kernel.tiling);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let length = p.slice_length as usize;
    let n_slices = (p.n_groups / (p.n_row_tiles * p.n_column_tiles)) as usize;
    let dl_dz = call.f64s(0, 0, n * o);
    let x = call.f64s(1, 0, n * i);
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for slice in 0..n_slices {
        let rows = (slice * length).min(n)..((slice + 1) * length).min(n);
        let dl_dz = Operand::stored(dl_dz[rows.start * o..rows.end * o].to_vec());
        let a = Operand::activated(call.kernel, &x[rows.start * i..rows.end * i]);
        let (mut dw, mut db) = (vec![0.0; o * i], vec![0.0; o]);
        dense::backward_weights(shape, &dl_dz.values, &a.values, &mut dw, &mut db);
        values.extend(dw.into_iter().chain(db));
        // The sums of dl_dz have no second factor, so their tolerance is computed separately.
        let (mut dw, mut db, mut unused) = (vec![FLUSH; o * i], vec![FLUSH; o], vec![0.0; o]);
        product_tolerance((tiling, length), (&dl_dz, &a), |dl_dz, a| {
            dense::backward_weights(shape, dl_dz, a, &mut dw, &mut unused);
        });
        dense::backward_weights(shape, &dl_dz.magnitudes(), &a.values, &mut vec![0.0; o * i], &mut db);
        let sum = relative_error(tiling, length);
        errors.extend(dw.into_iter().chain(db.into_iter().map(|e| e * sum)));
    }
    vec![close(2, 0, values, errors)]
}

pub(super) fn reduce(call: &Call) -> Vec<Expected> {
    let p: ReduceParams = call.params();
    let (n, n_slices, offset) = (p.n_values as usize, p.n_slices as usize, p.grads_offset as usize);
    let partials = call.f64s(0, 0, n * n_slices);
    let before = if p.accumulate == 0 { vec![0.0; n] } else { call.f64s(1, offset, n) };
    let column = |i: usize| (0..n_slices).map(|s| partials[s * n + i]).collect::<Vec<_>>();
    let sum = tolerance::sum_of_products(n_slices);
    let unit = f64::from(p.unit);
    let values = (0..n).map(|i| before[i] + unit * column(i).iter().sum::<f64>()).collect();
    let error =
        |i: usize| (before[i].abs() + unit * column(i).iter().map(|v| v.abs()).sum::<f64>()) * sum + FLUSH;
    vec![close(1, offset, values, (0..n).map(error).collect())]
}

/// (n, i, o, widest grid): odd, prime, one past a tile, one row, one column, several slices. Widths are rounded up to
/// what a kernel's alignment says.
const SHAPES: [(usize, usize, usize, u32); 9] = [
    (1, 1, 1, 65_535),
    (1, 65, 3, 65_535),
    (65, 2, 1, 65_535),
    (64, 64, 64, 65_535),
    (67, 31, 65, 65_535),
    (127, 129, 67, 2),
    (131, 65, 130, 65_535),
    (519, 16, 17, 65_535),
    (1031, 70, 5, 3),
];

/// The next width of which rows are aligned, or are not.
fn width(at_least: usize, tiling: MatmulTiling, is_aligned: bool) -> usize {
    match at_least.is_multiple_of(tiling.chunk()) {
        true if !is_aligned => at_least + 1,
        _ if is_aligned => at_least.next_multiple_of(tiling.chunk()),
        _ => at_least,
    }
}

/// The next number of terms, `step` apart, that is a whole number of tiles, or is not.
fn terms(at_least: usize, step: usize, tiling: MatmulTiling, is_whole: bool) -> usize {
    match at_least.is_multiple_of(tiling.depth()) {
        true if !is_whole => at_least + step,
        _ if is_whole => at_least.next_multiple_of(tiling.depth()),
        _ => at_least,
    }
}

/// `buffers` are those of a layer with n samples, i inputs and o outputs.
fn layer_cases(
    operation: Operation,
    kernel: &Kernel,
    buffers: impl Fn(&LayerRange, [usize; 3]) -> Vec<Vec<u32>>,
) -> Vec<Case> {
    let (tiling, alignment) = (kernel.tiling, kernel.alignment);
    let one = |(n, i, o, max_groups): (usize, usize, usize, u32)| {
        let (mut n, mut i, mut o) =
            (n, width(i, tiling, alignment.inputs), width(o, tiling, alignment.outputs));
        let (summed, step) = match operation {
            Operation::Forward => (&mut i, tiling.chunk()),
            Operation::BackwardInput => (&mut o, tiling.chunk()),
            Operation::BackwardWeights => (&mut n, 1),
        };
        *summed = terms(*summed, step, tiling, alignment.depth);
        let shape = LayerShape { input_width: i, output_width: o };
        // Layers in the flat buffer may have any offset.
        let start = if alignment.weights { 8 } else { 7 };
        let range =
            LayerRange { shape, weight: start..start + o * i, bias: start + o * i..start + o * i + o };
        assert_eq!(Alignment::of((operation, tiling), &range, n), alignment, "{}", kernel.name());
        let layer = Layer {
            range: &range,
            activation_before: Activation::Identity,
            n_samples: n,
            config: &KernelConfig::default(),
            max_groups,
        };
        let slices = match operation {
            Operation::BackwardWeights => slices((shape, tiling), n, u64::MAX),
            _ => layer.whole(),
        };
        let (params, grid) = layer.params((operation, tiling), slices);
        case(format!("{n} x {i} -> {o}"), params, buffers(&range, [n, i, o]), grid.size())
    };
    SHAPES.map(one).into()
}

pub(super) fn forward_cases(kernel: &Kernel) -> Vec<Case> {
    layer_cases(Operation::Forward, kernel, |range, [n, i, o]| {
        let [weights, biases] = [1, 4].map(|seed| uniform(seed, range.bias.end, 0.5));
        vec![weights, biases, uniform(2, n * i, 2.0), poison(n * o)]
    })
}

/// The size of gradients: small as in training, but in f16 multiplied by the loss scale as there.
fn gradient_size(kernel: &Kernel) -> f32 {
    if kernel.storage == Storage::F16 { 1.0 } else { 1e-3 }
}

pub(super) fn backward_input_cases(kernel: &Kernel) -> Vec<Case> {
    let gradients = gradient_size(kernel);
    layer_cases(Operation::BackwardInput, kernel, |range, [n, i, o]| {
        vec![uniform(1, range.bias.end, 0.5), uniform(2, n * o, gradients), uniform(3, n * i, 2.0)]
    })
}

pub(super) fn backward_weights_cases(kernel: &Kernel) -> Vec<Case> {
    let gradients = gradient_size(kernel);
    layer_cases(Operation::BackwardWeights, kernel, |range, [n, i, o]| {
        let n_slices = slices((range.shape, kernel.tiling), n, u64::MAX).count;
        let partials = poison(n_slices * range.shape.n_params());
        vec![uniform(1, n * o, gradients), uniform(2, n * i, 2.0), partials]
    })
}

pub(super) fn store_weights(call: &Call) -> Vec<Expected> {
    let p: StoreWeightsParams = call.params();
    let (first, n) = (p.first as usize, (p.end - p.first) as usize);
    vec![close(1, first, call.f64s(0, first, n), vec![0.0; n])]
}

pub(super) fn store_weights_cases(_: &Kernel) -> Vec<Case> {
    let one = |range: std::ops::Range<usize>, max_groups: u32| {
        let label = format!("parameters {range:?}");
        let buffers = vec![uniform(1, range.end, 2.0), poison(range.end)];
        case_of(label, super::store_weights(range, Default::default(), max_groups), buffers)
    };
    vec![one(0..1, 65_535), one(5..300, 65_535), one(1000..3001, 3)]
}

pub(super) fn reduce_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_slices: usize, accumulate: bool, max_groups: u32| {
        let unit = if accumulate { 0.125 } else { 1.0 };
        let slices = Slices { count: n_slices, length: 1 };
        let reduction = Reduction { unit, accumulate, max_groups };
        let dispatch = super::reduce(slices, 5..5 + n, reduction, Default::default());
        let grads = if accumulate { uniform(2, n + 5, 1.0) } else { poison(n + 5) };
        let label = format!("{n} x {n_slices} slices{}", if accumulate { ", added" } else { "" });
        case_of(label, dispatch, vec![uniform(1, n * n_slices, 1.0), grads])
    };
    vec![
        one(1, 1, false, 65_535),
        one(257, 3, true, 65_535),
        one(1021, 17, false, 2),
        one(255, 64, true, 65_535),
    ]
}
