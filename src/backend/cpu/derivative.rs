//! Colours and their derivatives by position, in f64: forward mode, in which each number of the network is carried along
//! with its derivatives by x and by y.

use super::chunks::CHUNK_SIZE;
use super::predictor::thread_pool;
use super::{dense, encode};
use crate::backend::Result;
use crate::model::{Activation, Dual, Model, ParamLayout, Real};
use rayon::prelude::*;

/// A trained model, ready to be derived.
pub struct CpuDerivative {
    model: Model,
    layout: ParamLayout,
    /// The encoding's weights.
    of_encoding: Vec<Dual>,
    /// All weights, as laid out.
    params: Vec<f64>,
    pool: rayon::ThreadPool,
}

/// The values of a chunk, and their derivatives by x and by y.
struct Rows {
    values: Vec<f64>,
    by: [Vec<f64>; 2],
}

impl CpuDerivative {
    /// From `params`, the flat buffer of `model.layout()`, on `threads` threads; 0 means all cores.
    ///
    /// # Errors
    /// When the worker threads cannot be started.
    ///
    /// # Panics
    /// When `params` has another length.
    pub fn new(model: Model, params: &[f32], threads: usize) -> Result<Self> {
        let layout = model.layout();
        assert_eq!(params.len(), layout.n_params(), "parameters of the model");
        Ok(Self {
            of_encoding: params[layout.encoding.clone()].iter().map(|&p| Dual::from_f32(p)).collect(),
            params: params.iter().map(|&p| f64::from(p)).collect(),
            model,
            layout,
            pool: thread_pool(threads)?,
        })
    }

    /// Writes the colours at `coords` to `values`, (n, channels), and each one's derivatives by x and y to `by`.
    ///
    /// # Panics
    /// When the lengths do not match.
    pub fn at(&self, coords: &[[f64; 2]], values: &mut [f64], by: &mut [[f64; 2]]) {
        let channels = self.model.network.output_width;
        assert_eq!((values.len(), by.len()), (coords.len() * channels, coords.len() * channels), "colours");
        let chunk = CHUNK_SIZE * channels;
        self.pool.install(|| {
            let out = values.par_chunks_mut(chunk).zip(by.par_chunks_mut(chunk));
            coords.par_chunks(CHUNK_SIZE).zip(out).for_each(|(coords, (values, by))| {
                let colors = self.of_chunk(coords);
                values.copy_from_slice(&colors.values);
                for (i, by) in by.iter_mut().enumerate() {
                    *by = [colors.by[0][i], colors.by[1][i]];
                }
            });
        });
    }

    fn of_chunk(&self, coords: &[[f64; 2]]) -> Rows {
        let variable =
            |[x, y]: [f64; 2]| [Dual { value: x, by: [1.0, 0.0] }, Dual { value: y, by: [0.0, 1.0] }];
        let positions: Vec<Dual> = coords.iter().flat_map(|&c| variable(c)).collect();
        let mut features = vec![Dual::default(); coords.len() * self.model.encoding.output_width()];
        encode::encode(&self.model.encoding, &self.of_encoding, &positions, &mut features);
        let mut rows = Rows {
            values: features.iter().map(|feature| feature.value).collect(),
            by: [0, 1].map(|axis| features.iter().map(|feature| feature.by[axis]).collect()),
        };
        for n in 0..self.layout.layers.len() {
            rows = self.linear(n, coords.len(), &rows);
            rows.activate(self.model.network.activation_after(n));
        }
        rows
    }

    /// z = x W^T + b, and so dz = dx W^T.
    fn linear(&self, n: usize, n_rows: usize, x: &Rows) -> Rows {
        let layer = &self.layout.layers[n];
        let (w, b) = (&self.params[layer.weight.clone()], &self.params[layer.bias.clone()]);
        let without_bias = vec![0.0; b.len()];
        let product = |x: &[f64], b: &[f64]| {
            let mut z = vec![0.0; n_rows * b.len()];
            dense::forward(layer.shape, x, w, b, &mut z);
            z
        };
        Rows { values: product(&x.values, b), by: [0, 1].map(|axis| product(&x.by[axis], &without_bias)) }
    }
}

impl Rows {
    /// a = f(z), and so da = f'(z) dz.
    fn activate(&mut self, activation: Activation) {
        let [by_x, by_y] = &mut self.by;
        for ((value, by_x), by_y) in self.values.iter_mut().zip(by_x).zip(by_y) {
            let (f, derivative) = activation.value_and_derivative(*value);
            (*value, *by_x, *by_y) = (f, derivative * *by_x, derivative * *by_y);
        }
    }
}
