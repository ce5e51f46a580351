//! An ONNX graph: uv (N, 2) to colours (N, channels).

mod graph;
mod proto;

use super::program::{Colors, Features, Layer, Program};
use super::rounding::Precision;
use crate::model::encoding::grid::HASH_PRIME;
use crate::model::{Activation, GridLevel, HashGrid, Interpolation};
use graph::{Graph, Value};
use std::f32::consts::TAU;

/// The model file.
pub(super) fn graph(program: &Program) -> Vec<u8> {
    let graph = &Graph::new(program.precision);
    let [scale, offset] = [program.scale, program.offset].map(|v| graph.floats(&[2], &v));
    let c = graph.named("uv") * scale + offset;
    let parts: Vec<Value> = program.features.iter().flat_map(|part| features(part, c, program)).collect();
    let mut h = graph.concat(&parts, 1);
    for layer in &program.layers {
        h = activation(layer.activation, linear(layer, h, program.precision));
    }
    let h = colors(&program.colors, h);
    let (title, colors, work) = (program.title(), program.about_colors(), program.multiply_adds());
    let about = format!("{title}. Output: {colors}. {work} multiply-adds for each.");
    graph.finish(&program.name, &about, h, program.colors.channels)
}

fn linear<'a>(layer: &Layer, h: Value<'a>, precision: Precision) -> Value<'a> {
    let graph = h.graph;
    let (n, width) = (layer.weight.len(), layer.weight[0].codes.len());
    let codes: Vec<f32> = layer.weight.iter().flat_map(|row| row.codes.iter().copied()).collect();
    let mut weight = graph.codes(&[n, width], &codes);
    if precision == Precision::U8 {
        let scales: Vec<f32> = layer.weight.iter().map(|row| row.scale).collect();
        weight = weight * graph.floats(&[n, 1], &scales);
    }
    let bias = graph.floats(&[n], &layer.bias);
    graph.op("Gemm", &[h, weight, bias], &[("transB", 1)])
}

/// The distance in turns from the nearest whole number: phases of many turns lose digits otherwise.
fn within_a_turn(turns: Value<'_>) -> Value<'_> {
    turns - turns.op("Round")
}

/// sin or cos of 2 pi r
fn wave<'a>(function: &str, r: Value<'a>) -> Value<'a> {
    (r * TAU).op(function)
}

fn features<'a>(part: &Features, c: Value<'a>, program: &Program) -> Vec<Value<'a>> {
    let turns = |b: &[[f32; 2]]| {
        // Two products and a sum rather than a matrix product, which may round otherwise.
        let [x, y] = [0, 1].map(|axis| {
            let of_axis: Vec<f32> = b.iter().map(|b| b[axis]).collect();
            c.column(axis) * c.graph.floats(&[1, b.len()], &of_axis)
        });
        within_a_turn(x + y)
    };
    match part {
        Features::Position => vec![c],
        Features::Fourier(b) => {
            let r = turns(b);
            vec![wave("Sin", r), wave("Cos", r)]
        }
        Features::Triangles(b) => vec![turns(b).op("Abs") * -4.0 + 1.0],
        Features::Blobs(bins) => blobs(c, *bins),
        Features::Grid { grid, .. } => vec![entries(grid, c, program)],
    }
}

/// `encoding::one_blob`, along x and then y.
fn blobs(c: Value<'_>, bins: usize) -> Vec<Value<'_>> {
    let n = bins as f32;
    let left_of: Vec<f32> = (0..bins).map(|k| k as f32).collect();
    let left_of = c.graph.floats(&[1, bins], &left_of);
    let shares = |axis: usize| {
        let left = left_of - c.column(axis) * n;
        let cdf = |shift: f32| {
            let u = (left + shift).clip(-1.0, 1.0);
            let s = u * u;
            u * (s * (s * 0.1875 + -0.625) + 0.9375)
        };
        let [before, own, behind] = [-n, 0.0, n].map(|image| cdf(image + 1.0) - cdf(image));
        before + own + behind
    };
    vec![shares(0), shares(1)]
}

/// All levels at once: cells (N, L, 2), entries (N, L, 4), features (N, L F).
fn entries<'a>(grid: &HashGrid, c: Value<'a>, program: &Program) -> Value<'a> {
    let graph = c.graph;
    let (n, f) = (grid.levels.len(), grid.features_per_level);
    let cells: Vec<f32> = grid.levels.iter().map(|level| level.resolution as f32).collect();
    let across = graph.floats(&[1, n, 1], &cells);
    let p = c.reshape(&[-1, 1, 2]) * across + 0.5;
    let (zero, last) = (graph.floats(&[], &[0.0]), across + 1.0);
    let p = p.with("Max", zero).with("Min", last);
    let at = p.op("Floor").with("Min", across);
    let mut t = p - at;
    if grid.interpolation == Interpolation::Smoothstep {
        t = t * t * (t * -2.0 + 3.0);
    }
    let (places, weights) = (places(grid, at), weights(t));
    let levels = program.grid().map(|(_, levels)| levels).unwrap_or_default();
    let codes: Vec<f32> = levels.iter().flat_map(|row| row.codes.iter().copied()).collect();
    let table = graph.codes(&[grid.n_entries(), f], &codes);
    let weighted = table.with("Gather", places) * weights;
    let corners = graph.integers(&[1], &[2]);
    let mut sum = graph.op("ReduceSum", &[weighted, corners], &[("keepdims", 0)]);
    if program.precision == Precision::U8 {
        let (scales, offsets): (Vec<f32>, Vec<f32>) =
            levels.iter().map(|row| (row.scale, row.offset)).unzip();
        let [scales, offsets] = [scales, offsets].map(|of_level| graph.floats(&[1, n, 1], &of_level));
        sum = sum * scales + offsets;
    }
    sum.reshape(&[-1, (n * f) as i64])
}

/// The entries of the four vertices around each cell, over all levels: (N, L, 4).
fn places<'a>(grid: &HashGrid, at: Value<'a>) -> Value<'a> {
    let (graph, n) = (at.graph, grid.levels.len());
    let of_level = |value: &dyn Fn(&GridLevel) -> i64| {
        let values: Vec<i64> = grid.levels.iter().map(value).collect();
        graph.integers(&[1, n, 1], &values)
    };
    let at = at.cast(proto::INT64);
    let corners = [(0, [0, 1, 0, 1]), (1, [0, 0, 1, 1])];
    let [x, y] = corners.map(|(axis, corner)| at.slice(2, axis) + graph.integers(&[1, 1, 4], &corner));
    let side = of_level(&|level| i64::from(level.side()));
    let first = of_level(&|level| level.first_entry as i64);
    let mut place = y * side + x;
    if grid.levels.iter().any(|level| level.is_hashed()) {
        // Of 64 bits, whose low ones are those of the hash in 32.
        let prime = graph.integers(&[1], &[i64::from(HASH_PRIME)]);
        let mask = of_level(&|level| level.n_entries as i64 - 1);
        let is_hashed: Vec<bool> = grid.levels.iter().map(|level| level.is_hashed()).collect();
        let is_hashed = graph.booleans(&[1, n, 1], &is_hashed);
        let mixed = x.with("BitwiseXor", y * prime).with("BitwiseAnd", mask);
        place = graph.op("Where", &[is_hashed, mixed, place], &[]);
    }
    place + first
}

/// The weight of each of the four vertices: (N, L, 4, 1).
fn weights(t: Value<'_>) -> Value<'_> {
    let s = t * -1.0 + 1.0;
    let [sx, tx] = [s, t].map(|of| of.slice(2, 0));
    let [sy, ty] = [s, t].map(|of| of.slice(2, 1));
    let all = t.graph.concat(&[sx * sy, tx * sy, sx * ty, tx * ty], 2);
    all.with("Unsqueeze", t.graph.integers(&[1], &[3]))
}

fn activation(activation: Activation, z: Value<'_>) -> Value<'_> {
    let bell = |factor: f32| (z * z * factor).op("Exp");
    let sine = |function: &str, z, w0: f32| {
        let turns = z * (f64::from(w0) / std::f64::consts::TAU) as f32;
        wave(function, within_a_turn(turns))
    };
    match activation {
        Activation::Identity => z,
        Activation::Relu => z.op("Relu"),
        Activation::LeakyRelu { slope } => z.op_alpha("LeakyRelu", slope),
        Activation::Gelu => {
            let cubic = z * z * 0.044_715 + 1.0;
            z * (z * 1.595_769 * cubic).op("Sigmoid")
        }
        Activation::Silu => z * z.op("Sigmoid"),
        Activation::Softplus => z.op("Softplus"),
        Activation::Sigmoid => z.op("Sigmoid"),
        Activation::Tanh => z.op("Tanh"),
        Activation::Sine { w0 } => sine("Sin", z, w0),
        Activation::Finer { w0 } => sine("Sin", (z.op("Abs") + 1.0) * z, w0),
        Activation::Gaussian { scale } => bell(-0.5 / (scale * scale)),
        Activation::Gabor { w0, scale } => sine("Cos", z, w0) * bell(-scale * scale),
    }
}

fn colors<'a>(colors: &Colors, h: Value<'a>) -> Value<'a> {
    if !colors.is_linear {
        return h.clip(0.0, 1.0);
    }
    let scale = 1.0 / colors.transfer.scale;
    let decoded = match colors.is_logarithmic() {
        false => h * scale,
        true => h.op("Sign") * (((h.op("Abs") * 4.0).op("Exp") + -1.0) * scale),
    };
    if !colors.has_alpha() {
        return decoded;
    }
    let last = colors.channels - 1;
    h.graph.concat(&[decoded.first_columns(last), h.column(last)], 1)
}
