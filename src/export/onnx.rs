//! An ONNX graph: uv (N, 2) to colours (N, channels).

mod graph;
mod proto;

use super::program::{Colors, Features, Layer, Program};
use super::rounding::Precision;
use crate::model::encoding::grid::HASH_PRIME;
use crate::model::{Activation, HashGrid, Interpolation};
use graph::Graph;
use std::f32::consts::TAU;

/// The model file.
pub(super) fn graph(program: &Program) -> Vec<u8> {
    let mut graph = Graph::new(program.precision);
    let [scale, offset] = [program.scale, program.offset].map(|v| graph.floats(&[2], &v));
    let c = graph.op("Mul", &["uv", &scale]);
    let c = graph.op("Add", &[&c, &offset]);
    let parts: Vec<String> =
        program.features.iter().flat_map(|part| features(&mut graph, part, &c, program)).collect();
    let mut h = graph.concat(&parts, 1);
    for layer in &program.layers {
        h = linear(&mut graph, layer, &h, program.precision);
        h = activation(&mut graph, layer.activation, &h);
    }
    let h = colors(&mut graph, &program.colors, &h);
    let about = format!(
        "{}. Output: {}. {} multiply-adds for each.",
        program.title(),
        program.about_colors(),
        program.multiply_adds()
    );
    graph.finish(&program.name, &about, &h, program.colors.channels)
}

fn linear(graph: &mut Graph, layer: &Layer, h: &str, precision: Precision) -> String {
    let (n, width) = (layer.weight.len(), layer.weight[0].codes.len());
    let codes: Vec<f32> = layer.weight.iter().flat_map(|row| row.codes.iter().copied()).collect();
    let mut weight = graph.codes(&[n, width], &codes);
    if precision == Precision::U8 {
        let scales: Vec<f32> = layer.weight.iter().map(|row| row.scale).collect();
        let scales = graph.floats(&[n, 1], &scales);
        weight = graph.op("Mul", &[&weight, &scales]);
    }
    let bias = graph.floats(&[n], &layer.bias);
    graph.op_with("Gemm", &[h, &weight, &bias], &[("transB", 1)])
}

/// The distance in turns from the nearest whole number: phases of many turns lose digits otherwise.
fn within_a_turn(graph: &mut Graph, turns: &str) -> String {
    let whole = graph.op("Round", &[turns]);
    graph.op("Sub", &[turns, &whole])
}

/// sin or cos of 2 pi r
fn wave(graph: &mut Graph, function: &str, r: &str) -> String {
    let angle = graph.times(r, TAU);
    graph.op(function, &[&angle])
}

fn features(graph: &mut Graph, part: &Features, c: &str, program: &Program) -> Vec<String> {
    let turns = |graph: &mut Graph, b: &[[f32; 2]]| {
        // Two products and a sum rather than a matrix product, which may round otherwise.
        let terms = [0, 1].map(|axis| {
            let column = graph.column(c, axis);
            let of_axis: Vec<f32> = b.iter().map(|b| b[axis]).collect();
            let of_axis = graph.floats(&[1, b.len()], &of_axis);
            graph.op("Mul", &[&column, &of_axis])
        });
        let turns = graph.op("Add", &[&terms[0], &terms[1]]);
        within_a_turn(graph, &turns)
    };
    match part {
        Features::Position => vec![c.to_owned()],
        Features::Fourier(b) => {
            let r = turns(graph, b);
            vec![wave(graph, "Sin", &r), wave(graph, "Cos", &r)]
        }
        Features::Triangles(b) => {
            let r = turns(graph, b);
            let distance = graph.op("Abs", &[&r]);
            let four = graph.times(&distance, -4.0);
            vec![graph.plus(&four, 1.0)]
        }
        Features::Blobs(bins) => blobs(graph, c, *bins),
        Features::Grid { grid, .. } => vec![entries(graph, grid, c, program)],
    }
}

/// `encoding::one_blob`, along x and then y.
fn blobs(graph: &mut Graph, c: &str, bins: usize) -> Vec<String> {
    let n = bins as f32;
    let left_of: Vec<f32> = (0..bins).map(|k| k as f32).collect();
    let left_of = graph.floats(&[1, bins], &left_of);
    let axis = |graph: &mut Graph, axis: usize| {
        let column = graph.column(c, axis);
        let v = graph.times(&column, n);
        let left = graph.op("Sub", &[&left_of, &v]);
        let cdf = |graph: &mut Graph, shift: f32| {
            let u = graph.plus(&left, shift);
            let u = graph.clip(&u, -1.0, 1.0);
            let s = graph.op("Mul", &[&u, &u]);
            let inner = graph.times(&s, 0.1875);
            let inner = graph.plus(&inner, -0.625);
            let inner = graph.op("Mul", &[&s, &inner]);
            let inner = graph.plus(&inner, 0.9375);
            graph.op("Mul", &[&u, &inner])
        };
        let shares: Vec<String> = [-n, 0.0, n]
            .into_iter()
            .map(|image| {
                let (to, from) = (cdf(graph, image + 1.0), cdf(graph, image));
                graph.op("Sub", &[&to, &from])
            })
            .collect();
        let sum = graph.op("Add", &[&shares[0], &shares[1]]);
        graph.op("Add", &[&sum, &shares[2]])
    };
    vec![axis(graph, 0), axis(graph, 1)]
}

/// All levels at once: cells (N, L, 2), entries (N, L, 4), features (N, L F).
fn entries(graph: &mut Graph, grid: &HashGrid, c: &str, program: &Program) -> String {
    let (n, f) = (grid.levels.len(), grid.features_per_level);
    let cells: Vec<f32> = grid.levels.iter().map(|level| level.resolution as f32).collect();
    let across = graph.floats(&[1, n, 1], &cells);
    let c = graph.reshape(c, &[-1, 1, 2]);
    let p = graph.op("Mul", &[&c, &across]);
    let p = graph.plus(&p, 0.5);
    let (zero, last) = (graph.floats(&[], &[0.0]), graph.plus(&across, 1.0));
    let p = graph.op("Max", &[&p, &zero]);
    let p = graph.op("Min", &[&p, &last]);
    let at = graph.op("Floor", &[&p]);
    let at = graph.op("Min", &[&at, &across]);
    let mut t = graph.op("Sub", &[&p, &at]);
    if grid.interpolation == Interpolation::Smoothstep {
        let square = graph.op("Mul", &[&t, &t]);
        let slope = graph.times(&t, -2.0);
        let slope = graph.plus(&slope, 3.0);
        t = graph.op("Mul", &[&square, &slope]);
    }
    let (places, weights) = (places(graph, grid, &at), weights(graph, &t));
    let levels = program.grid().map(|(_, levels)| levels).unwrap_or_default();
    let codes: Vec<f32> = levels.iter().flat_map(|row| row.codes.iter().copied()).collect();
    let table = graph.codes(&[grid.n_entries(), f], &codes);
    let found = graph.op("Gather", &[&table, &places]);
    let weighted = graph.op("Mul", &[&found, &weights]);
    let corners = graph.integers(&[1], &[2]);
    let mut sum = graph.op_with("ReduceSum", &[&weighted, &corners], &[("keepdims", 0)]);
    if program.precision == Precision::U8 {
        let (scales, offsets): (Vec<f32>, Vec<f32>) =
            levels.iter().map(|row| (row.scale, row.offset)).unzip();
        let (scales, offsets) = (graph.floats(&[1, n, 1], &scales), graph.floats(&[1, n, 1], &offsets));
        let scaled = graph.op("Mul", &[&sum, &scales]);
        sum = graph.op("Add", &[&scaled, &offsets]);
    }
    graph.reshape(&sum, &[-1, (n * f) as i64])
}

/// The entries of the four vertices around each cell, over all levels: (N, L, 4).
fn places(graph: &mut Graph, grid: &HashGrid, at: &str) -> String {
    let n = grid.levels.len();
    let of_level = |graph: &mut Graph, value: &dyn Fn(&crate::model::GridLevel) -> i64| {
        let values: Vec<i64> = grid.levels.iter().map(value).collect();
        graph.integers(&[1, n, 1], &values)
    };
    let at = graph.cast(at, proto::INT64);
    let [x, y] = [0, 1].map(|axis| {
        let whole = graph.slice(&at, 2, axis);
        let corner = graph.integers(&[1, 1, 4], &if axis == 0 { [0, 1, 0, 1] } else { [0, 0, 1, 1] });
        graph.op("Add", &[&whole, &corner])
    });
    let side = of_level(graph, &|level| i64::from(level.side()));
    let first = of_level(graph, &|level| level.first_entry as i64);
    let row = graph.op("Mul", &[&y, &side]);
    let mut place = graph.op("Add", &[&row, &x]);
    if grid.levels.iter().any(|level| level.is_hashed()) {
        // Of 64 bits, whose low ones are those of the hash in 32.
        let prime = graph.integers(&[1], &[i64::from(HASH_PRIME)]);
        let mask = of_level(graph, &|level| level.n_entries as i64 - 1);
        let is_hashed: Vec<bool> = grid.levels.iter().map(|level| level.is_hashed()).collect();
        let is_hashed = graph.booleans(&[1, n, 1], &is_hashed);
        let mixed = graph.op("Mul", &[&y, &prime]);
        let mixed = graph.op("BitwiseXor", &[&x, &mixed]);
        let mixed = graph.op("BitwiseAnd", &[&mixed, &mask]);
        place = graph.op("Where", &[&is_hashed, &mixed, &place]);
    }
    graph.op("Add", &[&place, &first])
}

/// The weight of each of the four vertices: (N, L, 4, 1).
fn weights(graph: &mut Graph, t: &str) -> String {
    let minus = graph.times(t, -1.0);
    let s = graph.plus(&minus, 1.0);
    let [sx, tx] = [&s, t].map(|of| graph.slice(of, 2, 0));
    let [sy, ty] = [&s, t].map(|of| graph.slice(of, 2, 1));
    let corners: Vec<String> = [(&sx, &sy), (&tx, &sy), (&sx, &ty), (&tx, &ty)]
        .into_iter()
        .map(|(x, y)| graph.op("Mul", &[x, y]))
        .collect();
    let all = graph.concat(&corners, 2);
    let axis = graph.integers(&[1], &[3]);
    graph.op("Unsqueeze", &[&all, &axis])
}

fn activation(graph: &mut Graph, activation: Activation, z: &str) -> String {
    let squared = |graph: &mut Graph, z: &str, factor: f32| {
        let square = graph.op("Mul", &[z, z]);
        let scaled = graph.times(&square, factor);
        graph.op("Exp", &[&scaled])
    };
    let sine = |graph: &mut Graph, z: &str, w0: f32, function: &str| {
        let turns = graph.times(z, (f64::from(w0) / std::f64::consts::TAU) as f32);
        let r = within_a_turn(graph, &turns);
        wave(graph, function, &r)
    };
    match activation {
        Activation::Identity => z.to_owned(),
        Activation::Relu => graph.op("Relu", &[z]),
        Activation::LeakyRelu { slope } => graph.op_alpha("LeakyRelu", z, slope),
        Activation::Gelu => {
            let square = graph.op("Mul", &[z, z]);
            let cubic = graph.times(&square, 0.044_715);
            let cubic = graph.plus(&cubic, 1.0);
            let u = graph.times(z, 1.595_769);
            let u = graph.op("Mul", &[&u, &cubic]);
            let p = graph.op("Sigmoid", &[&u]);
            graph.op("Mul", &[z, &p])
        }
        Activation::Silu => {
            let p = graph.op("Sigmoid", &[z]);
            graph.op("Mul", &[z, &p])
        }
        Activation::Softplus => graph.op("Softplus", &[z]),
        Activation::Sigmoid => graph.op("Sigmoid", &[z]),
        Activation::Tanh => graph.op("Tanh", &[z]),
        Activation::Sine { w0 } => sine(graph, z, w0, "Sin"),
        Activation::Finer { w0 } => {
            let growth = graph.op("Abs", &[z]);
            let growth = graph.plus(&growth, 1.0);
            let grown = graph.op("Mul", &[&growth, z]);
            sine(graph, &grown, w0, "Sin")
        }
        Activation::Gaussian { scale } => squared(graph, z, -0.5 / (scale * scale)),
        Activation::Gabor { w0, scale } => {
            let (cosine, envelope) = (sine(graph, z, w0, "Cos"), squared(graph, z, -scale * scale));
            graph.op("Mul", &[&cosine, &envelope])
        }
    }
}

fn colors(graph: &mut Graph, colors: &Colors, h: &str) -> String {
    if !colors.is_linear {
        return graph.clip(h, 0.0, 1.0);
    }
    let decoded = match colors.is_logarithmic() {
        false => graph.times(h, 1.0 / colors.transfer.scale),
        true => {
            let (sign, magnitude) = (graph.op("Sign", &[h]), graph.op("Abs", &[h]));
            let power = graph.times(&magnitude, 4.0);
            let power = graph.op("Exp", &[&power]);
            let light = graph.plus(&power, -1.0);
            let light = graph.times(&light, 1.0 / colors.transfer.scale);
            graph.op("Mul", &[&sign, &light])
        }
    };
    if !colors.has_alpha() {
        return decoded;
    }
    let (color, alpha) =
        (graph.first_columns(&decoded, colors.channels - 1), graph.column(h, colors.channels - 1));
    graph.concat(&[color, alpha], 1)
}
