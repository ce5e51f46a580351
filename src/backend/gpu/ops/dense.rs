//! Linear layers as tiled matrix products.

use super::testing::{case, poison, uniform};
use crate::backend::cpu::dense;
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, Source, close, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, Grid, THREADS};
use crate::backend::gpu::tolerance::{self, FLUSH, ROUNDING};
use crate::model::network::LayerRange;
use crate::model::{Activation, LayerShape};

params_block! {
    /// Parameters of the three products.
    DenseParams {
        /// Workgroups in x.
        grid_width: u32,
        /// Workgroups with work.
        n_groups: u32,
        /// Tiles of results from top to bottom.
        n_row_tiles: u32,
        /// Tiles of results from left to right.
        n_column_tiles: u32,
        /// n
        n_samples: u32,
        /// i
        input_width: u32,
        /// o
        output_width: u32,
        /// First element of W.
        weight_offset: u32,
        /// First element of b.
        bias_offset: u32,
        /// Samples summed by a slice.
        slice_length: u32,
    }
}

params_block! {
    /// Parameters of the sum over slices.
    ReduceParams {
        /// Workgroups in x.
        grid_width: u32,
        /// Parameters of the layer.
        n_values: u32,
        /// Slices to add.
        n_slices: u32,
        /// First parameter of the layer.
        grads_offset: u32,
        /// Whether to add to what is there.
        accumulate: u32,
    }
}

/// Results of a workgroup in each direction. `TILE` in `matmul.wgsl`.
pub const TILE: usize = 64;
/// Depth of a tile. `DEPTH` in `matmul.wgsl`; slices are whole multiples of it.
pub const DEPTH: usize = 16;
/// Workgroups wanted for the weight gradients, where one layer alone has few tiles.
const WANTED_GROUPS: usize = 512;
/// Fewest samples worth a slice.
const SHORTEST_SLICE: usize = 256;

const CORE: Source = wgsl!("matmul.wgsl");

/// z = f(x) W^T + b
pub static FORWARD: KernelDef = KernelDef {
    name: "dense_forward",
    parts: &[CORE, wgsl!("dense_forward.wgsl")],
    uses_activation: true,
    uses_step: false,
    bindings: &[read("weights"), read("x"), write("z")],
    params: DenseParams::BLOCK,
    example_constants: &[],
    reference: forward_reference,
    cases: forward_cases,
};

/// dl_dx = (dl_dz W) * f'(x), in place of x
pub static BACKWARD_INPUT: KernelDef = KernelDef {
    name: "dense_backward_input",
    parts: &[CORE, wgsl!("dense_backward_input.wgsl")],
    uses_activation: true,
    uses_step: false,
    bindings: &[read("weights"), read("dl_dz"), write("x_dl_dx")],
    params: DenseParams::BLOCK,
    example_constants: &[],
    reference: backward_input_reference,
    cases: backward_input_cases,
};

/// partials = [dl_dz^T f(x), column sums of dl_dz] for each slice of the samples
pub static BACKWARD_WEIGHTS: KernelDef = KernelDef {
    name: "dense_backward_weights",
    parts: &[CORE, wgsl!("dense_backward_weights.wgsl")],
    uses_activation: true,
    uses_step: false,
    bindings: &[read("dl_dz"), read("x"), write("partials")],
    params: DenseParams::BLOCK,
    example_constants: &[],
    reference: backward_weights_reference,
    cases: backward_weights_cases,
};

/// grads (+)= sum of partials over the slices
pub static REDUCE_PARTIALS: KernelDef = KernelDef {
    name: "reduce_partials",
    parts: &[wgsl!("reduce_partials.wgsl")],
    uses_activation: false,
    uses_step: false,
    bindings: &[read("partials"), write("grads")],
    params: ReduceParams::BLOCK,
    example_constants: &[],
    reference: reduce_reference,
    cases: reduce_cases,
};

/// A linear layer of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Where its parameters lie.
    pub range: &'a LayerRange,
    /// What its input went through.
    pub activation_before: Activation,
    /// Samples.
    pub n_samples: usize,
    /// Most workgroups in one dimension of a grid.
    pub max_groups: u32,
}

/// How the weight gradients are cut up: `n_slices` slices of `length` samples, the last shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slices {
    /// How many.
    pub count: usize,
    /// Samples of each, a multiple of the depth of a tile.
    pub length: usize,
}

/// An upper bound of [`slices`], which grows with `n_samples`.
pub fn max_slices(shape: LayerShape, n_samples: usize, partials_bytes: u64) -> usize {
    let tiles = shape.output_width.div_ceil(TILE) * shape.input_width.div_ceil(TILE);
    let fitting = (partials_bytes / (4 * shape.n_params() as u64)).max(1) as usize;
    WANTED_GROUPS.div_ceil(tiles).min(n_samples.div_ceil(SHORTEST_SLICE)).min(fitting)
}

/// Slices for the weight gradients of a layer whose partial sums may take `partials_bytes`.
pub fn slices(shape: LayerShape, n_samples: usize, partials_bytes: u64) -> Slices {
    let wanted = max_slices(shape, n_samples, partials_bytes);
    let length = n_samples.div_ceil(wanted).next_multiple_of(DEPTH);
    Slices { count: n_samples.div_ceil(length), length }
}

impl Layer<'_> {
    fn params(&self, rows: usize, columns: usize, slices: Slices) -> (DenseParams, Grid) {
        let (n_row_tiles, n_column_tiles) = (rows.div_ceil(TILE), columns.div_ceil(TILE));
        let n_groups = n_row_tiles * n_column_tiles * slices.count;
        let grid = Grid::fold(n_groups, self.max_groups);
        let shape = self.range.shape;
        let params = DenseParams {
            grid_width: grid.width,
            n_groups: n_groups as u32,
            n_row_tiles: n_row_tiles as u32,
            n_column_tiles: n_column_tiles as u32,
            n_samples: self.n_samples as u32,
            input_width: shape.input_width as u32,
            output_width: shape.output_width as u32,
            weight_offset: self.range.weight.start as u32,
            bias_offset: self.range.bias.start as u32,
            slice_length: slices.length as u32,
        };
        (params, grid)
    }

    fn flop(&self) -> f64 {
        let shape = self.range.shape;
        2.0 * self.n_samples as f64 * shape.input_width as f64 * shape.output_width as f64
    }

    fn whole(&self) -> Slices {
        Slices { count: 1, length: self.n_samples }
    }

    /// z = f(x) W^T + b. x: (n, i), z: (n, o).
    pub fn forward(&self, weights: BufferId, x: BufferId, z: BufferId) -> Dispatch {
        let (params, grid) = self.params(self.n_samples, self.range.shape.output_width, self.whole());
        let kernel = Kernel::with_activation(&FORWARD, self.activation_before);
        Dispatch::new(kernel, &params, vec![weights, x, z], grid, self.flop())
    }

    /// Replaces the pre-activations x: (n, i) by dl_dx. dl_dz: (n, o).
    pub fn backward_input(&self, weights: BufferId, dl_dz: BufferId, x: BufferId) -> Dispatch {
        let (params, grid) = self.params(self.n_samples, self.range.shape.input_width, self.whole());
        let kernel = Kernel::with_activation(&BACKWARD_INPUT, self.activation_before);
        Dispatch::new(kernel, &params, vec![weights, dl_dz, x], grid, self.flop())
    }

    /// Partial gradients of W and b. dl_dz: (n, o), x: (n, i), partials: (slices, o * i + o).
    pub fn backward_weights(&self, slices: Slices, buffers: [BufferId; 3]) -> Dispatch {
        let shape = self.range.shape;
        let (params, grid) = self.params(shape.output_width, shape.input_width, slices);
        let kernel = Kernel::with_activation(&BACKWARD_WEIGHTS, self.activation_before);
        Dispatch::new(kernel, &params, buffers.into(), grid, self.flop())
    }

    /// grads (+)= sum of partials.
    pub fn reduce(&self, slices: Slices, accumulate: bool, buffers: [BufferId; 2]) -> Dispatch {
        let n_values = self.range.shape.n_params();
        let grid = Grid::fold(n_values.div_ceil(THREADS), self.max_groups);
        let params = ReduceParams {
            grid_width: grid.width,
            n_values: n_values as u32,
            n_slices: slices.count as u32,
            grads_offset: self.range.weight.start as u32,
            accumulate: accumulate.into(),
        };
        let cost = 4.0 * (n_values * slices.count) as f64;
        Dispatch::new(Kernel::plain(&REDUCE_PARTIALS), &params, buffers.into(), grid, cost)
    }
}

fn shape_of(p: &DenseParams) -> LayerShape {
    LayerShape { input_width: p.input_width as usize, output_width: p.output_width as usize }
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// f(x), and for each how large |f(x)| times the relative error of a sum of `k` products plus the
/// error of f itself is: used in place of x, a product then gives its own tolerance.
fn activated(activation: Activation, x: &[f64], k: usize) -> (Vec<f64>, Vec<f64>) {
    let values: Vec<f64> = x.iter().map(|&z| activation.value(z)).collect();
    let sum = tolerance::sum_of_products(k);
    let errors =
        x.iter().zip(&values).map(|(&z, v)| v.abs() * sum + tolerance::activation(activation, z)).collect();
    (values, errors)
}

fn forward_reference(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let shape = shape_of(&p);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let w = call.f64s(0, p.weight_offset as usize, o * i);
    let b = call.f64s(0, p.bias_offset as usize, o);
    let (a, a_errors) = activated(call.kernel.activation, &call.f64s(1, 0, n * i), i);
    let (mut z, mut errors) = (vec![0.0; n * o], vec![0.0; n * o]);
    dense::forward(shape, &a, &w, &b, &mut z);
    let b_errors: Vec<f64> = b.iter().map(|b| b.abs() * 2.0 * ROUNDING + FLUSH).collect();
    dense::forward(shape, &a_errors, &absolute(&w), &b_errors, &mut errors);
    vec![close(2, 0, z, errors)]
}

fn backward_input_reference(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let shape = shape_of(&p);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let w = call.f64s(0, p.weight_offset as usize, o * i);
    let dl_dz = call.f64s(1, 0, n * o);
    let x = call.f64s(2, 0, n * i);
    let (mut dl_dx, mut errors) = (vec![0.0; n * i], vec![0.0; n * i]);
    dense::backward_input(shape, &dl_dz, &w, &mut dl_dx);
    dense::backward_input(shape, &absolute(&dl_dz), &absolute(&w), &mut errors);
    let sum = tolerance::sum_of_products(o);
    for ((value, error), &z) in dl_dx.iter_mut().zip(&mut errors).zip(&x) {
        let derivative: f64 = call.kernel.activation.derivative(z);
        let derivative_error = tolerance::derivative(call.kernel.activation, z);
        *error =
            *error * sum * (derivative.abs() + derivative_error) + value.abs() * derivative_error + FLUSH;
        *value *= derivative;
    }
    vec![close(2, 0, dl_dx, errors)]
}

fn backward_weights_reference(call: &Call) -> Vec<Expected> {
    let p: DenseParams = call.params();
    let shape = shape_of(&p);
    let (n, i, o) = (p.n_samples as usize, shape.input_width, shape.output_width);
    let length = p.slice_length as usize;
    let n_slices = (p.n_groups / (p.n_row_tiles * p.n_column_tiles)) as usize;
    let dl_dz = call.f64s(0, 0, n * o);
    let (a, a_errors) = activated(call.kernel.activation, &call.f64s(1, 0, n * i), length);
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for slice in 0..n_slices {
        let rows = (slice * length).min(n)..((slice + 1) * length).min(n);
        let dl_dz = &dl_dz[rows.start * o..rows.end * o];
        let inputs = rows.start * i..rows.end * i;
        let (mut dw, mut db) = (vec![0.0; o * i], vec![0.0; o]);
        dense::backward_weights(shape, dl_dz, &a[inputs.clone()], &mut dw, &mut db);
        values.extend(dw.into_iter().chain(db));
        let (mut dw, mut db) = (vec![FLUSH; o * i], vec![FLUSH; o]);
        dense::backward_weights(shape, &absolute(dl_dz), &a_errors[inputs], &mut dw, &mut db);
        let sum = tolerance::sum_of_products(length);
        errors.extend(dw.into_iter().chain(db.into_iter().map(|e| e * sum)));
    }
    vec![close(2, 0, values, errors)]
}

fn reduce_reference(call: &Call) -> Vec<Expected> {
    let p: ReduceParams = call.params();
    let (n, n_slices, offset) = (p.n_values as usize, p.n_slices as usize, p.grads_offset as usize);
    let partials = call.f64s(0, 0, n * n_slices);
    let before = if p.accumulate == 0 { vec![0.0; n] } else { call.f64s(1, offset, n) };
    let column = |i: usize| (0..n_slices).map(|s| partials[s * n + i]).collect::<Vec<_>>();
    let sum = tolerance::sum_of_products(n_slices);
    let values = (0..n).map(|i| before[i] + column(i).iter().sum::<f64>()).collect();
    let error = |i: usize| (before[i].abs() + column(i).iter().map(|v| v.abs()).sum::<f64>()) * sum + FLUSH;
    vec![close(1, offset, values, (0..n).map(error).collect())]
}

/// (n, i, o, widest grid): odd, prime, one past a tile, one row, one column, several slices.
const SHAPES: [(usize, usize, usize, u32); 8] = [
    (1, 1, 1, 65_535),
    (1, 65, 3, 65_535),
    (65, 2, 1, 65_535),
    (64, 64, 64, 65_535),
    (67, 31, 65, 65_535),
    (127, 129, 67, 2),
    (519, 16, 17, 65_535),
    (1031, 70, 5, 3),
];

fn layer_cases(
    columns_of: fn(LayerShape) -> [usize; 2],
    buffers: fn(&LayerRange, usize) -> Vec<Vec<u32>>,
    sliced: bool,
) -> Vec<Case> {
    let one = |(n, i, o, max_groups): (usize, usize, usize, u32)| {
        let shape = LayerShape { input_width: i, output_width: o };
        // An odd offset, as layers in the flat buffer have.
        let range = LayerRange { shape, weight: 7..7 + o * i, bias: 7 + o * i..7 + o * i + o };
        let layer =
            Layer { range: &range, activation_before: Activation::Identity, n_samples: n, max_groups };
        let [rows, columns] = columns_of(shape);
        let slices = if sliced { slices(shape, n, u64::MAX) } else { layer.whole() };
        let rows = if rows == 0 { n } else { rows };
        let (params, grid) = layer.params(rows, columns, slices);
        case(format!("{n} x {i} -> {o}"), params, buffers(&range, n), grid.size())
    };
    SHAPES.map(one).into()
}

fn forward_cases(_: &Kernel) -> Vec<Case> {
    let buffers = |r: &LayerRange, n: usize| {
        let shape = r.shape;
        vec![
            uniform(1, r.bias.end, 0.5),
            uniform(2, n * shape.input_width, 2.0),
            poison(n * shape.output_width),
        ]
    };
    layer_cases(|shape| [0, shape.output_width], buffers, false)
}

fn backward_input_cases(_: &Kernel) -> Vec<Case> {
    let buffers = |r: &LayerRange, n: usize| {
        let shape = r.shape;
        vec![
            uniform(1, r.bias.end, 0.5),
            uniform(2, n * shape.output_width, 1e-3),
            uniform(3, n * shape.input_width, 2.0),
        ]
    };
    layer_cases(|shape| [0, shape.input_width], buffers, false)
}

fn backward_weights_cases(_: &Kernel) -> Vec<Case> {
    let buffers = |r: &LayerRange, n: usize| {
        let shape = r.shape;
        let n_partials = slices(shape, n, u64::MAX).count * shape.n_params();
        vec![
            uniform(1, n * shape.output_width, 1e-3),
            uniform(2, n * shape.input_width, 2.0),
            poison(n_partials),
        ]
    };
    layer_cases(|shape| [shape.output_width, shape.input_width], buffers, true)
}

fn reduce_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, n_slices: usize, accumulate: bool, max_groups: u32| {
        let grid = Grid::fold(n.div_ceil(THREADS), max_groups);
        let params = ReduceParams {
            grid_width: grid.width,
            n_values: n as u32,
            n_slices: n_slices as u32,
            grads_offset: 5,
            accumulate: accumulate.into(),
        };
        let grads = if accumulate { uniform(2, n + 5, 1.0) } else { poison(n + 5) };
        let label = format!("{n} x {n_slices} slices{}", if accumulate { ", added" } else { "" });
        case(label, params, vec![uniform(1, n * n_slices, 1.0), grads], grid.size())
    };
    vec![
        one(1, 1, false, 65_535),
        one(257, 3, true, 65_535),
        one(1021, 17, false, 2),
        one(255, 64, true, 65_535),
    ]
}
