//! The transposes of all weight matrices, made once a step.
//!
//! The forward product z = x W^T of a chunk would read W across its rows, and the matrix library
//! would turn it round anew for each chunk: a fifth of the product's time.

use crate::model::network::LayerRange;
use crate::model::{ParamLayout, Real};
use rayon::prelude::*;

/// Rows and columns of a matrix turned round at a time: both sides stay in the nearest cache.
const BLOCK: usize = 16;

/// Weights from which other threads are woken for.
const PARALLEL: usize = 1 << 16;

/// W^T of each linear layer, (in, out), row-major.
pub(super) struct Transposed<T> {
    /// One layer's after the other's, without biases.
    weights: Vec<T>,
    /// Whether they are those of the parameters as they are now.
    current: bool,
}

impl<T: Real> Transposed<T> {
    pub(super) fn new(layout: &ParamLayout) -> Self {
        Self { weights: vec![T::zero(); Self::size(layout)], current: false }
    }

    /// Values that [`Transposed::new`] allocates.
    pub(super) fn size(layout: &ParamLayout) -> usize {
        layout.layers.iter().map(|layer| layer.weight.len()).sum()
    }

    /// The parameters have changed.
    pub(super) fn forget(&mut self) {
        self.current = false;
    }

    /// The matrices for `params`, one for each layer in order.
    pub(super) fn of(&mut self, layout: &ParamLayout, params: &[T], pool: &rayon::ThreadPool) -> Vec<&[T]> {
        if !self.current {
            pool.install(|| self.turn(layout, params));
            self.current = true;
        }
        split(&layout.layers, &self.weights)
    }

    fn turn(&mut self, layout: &ParamLayout, params: &[T]) {
        let mut rest = self.weights.as_mut_slice();
        for layer in &layout.layers {
            let (turned, after) = std::mem::take(&mut rest).split_at_mut(layer.weight.len());
            rest = after;
            let (i, o) = (layer.shape.input_width, layer.shape.output_width);
            let w = &params[layer.weight.clone()];
            let rows = |(block, rows): (usize, &mut [T])| transpose_rows((i, o), w, block * BLOCK, rows);
            match turned.len() {
                PARALLEL.. => turned.par_chunks_mut(BLOCK * o).enumerate().for_each(rows),
                _ => turned.chunks_mut(BLOCK * o).enumerate().for_each(rows),
            }
        }
    }
}

fn split<'a, T>(layers: &[LayerRange], mut rest: &'a [T]) -> Vec<&'a [T]> {
    let mut next = |layer: &LayerRange| {
        let (matrix, after) = rest.split_at(layer.weight.len());
        rest = after;
        matrix
    };
    layers.iter().map(&mut next).collect()
}

/// Writes rows `first..` of the transpose of w: (o, i) to `rows`: (n, o).
fn transpose_rows<T: Real>((i, o): (usize, usize), w: &[T], first: usize, rows: &mut [T]) {
    for left in (0..o).step_by(BLOCK) {
        let right = (left + BLOCK).min(o);
        for (r, row) in rows.chunks_exact_mut(o).enumerate() {
            for (column, value) in row[left..right].iter_mut().enumerate() {
                *value = w[(left + column) * i + first + r];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Mlp};

    #[test]
    fn every_weight_comes_to_its_place_and_changes_are_seen() {
        let network = Mlp {
            input_width: 37,
            hidden_width: 300,
            output_width: 3,
            n_layers: 3,
            activation: Activation::Relu,
            output_activation: Activation::Sigmoid,
        };
        let layout = ParamLayout::new(5, &network);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let mut transposed = Transposed::<f32>::new(&layout);
        for offset in [0.0, 0.5] {
            let params: Vec<f32> = (0..layout.n_params()).map(|p| p as f32 + offset).collect();
            transposed.forget();
            for (layer, matrix) in layout.layers.iter().zip(transposed.of(&layout, &params, &pool)) {
                let (i, o) = (layer.shape.input_width, layer.shape.output_width);
                assert_eq!(matrix.len(), i * o);
                for (at, &value) in matrix.iter().enumerate() {
                    assert_eq!(value, params[layer.weight.start + at % o * i + at / o], "{at} of {i} x {o}");
                }
            }
        }
    }
}
