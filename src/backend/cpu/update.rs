//! The end of a step: sums the lanes' gradients in order, clips and penalises them, applies the update rule and moves
//! the average, block by block on any thread.

use super::optimizer;
use super::simd::vectorised;
use crate::backend::Job;
use crate::model::{Optimizer, Real, Step};
use rayon::prelude::*;

/// Parameters reduced and updated at a time by one thread.
pub(super) const PARAM_BLOCK: usize = 4096;

/// A range of the parameters with the same range of each moment and of the average.
pub(super) struct Block<'a, T> {
    params: &'a mut [T],
    moments: Vec<&'a mut [T]>,
}

/// The blocks of the encoding's weights, the first `n_encoding`, and those of the linear layers.
pub(super) fn split_blocks<'a, T>(
    params: &'a mut [T],
    moments: &'a mut [Vec<T>],
    n_encoding: usize,
) -> (Vec<Block<'a, T>>, Vec<Block<'a, T>>) {
    let blocks = |params: &'a mut [T], moments: Vec<&'a mut [T]>| {
        let mut moments: Vec<_> = moments.into_iter().map(|m| m.chunks_mut(PARAM_BLOCK)).collect();
        params
            .chunks_mut(PARAM_BLOCK)
            .map(|params| Block { params, moments: moments.iter_mut().filter_map(Iterator::next).collect() })
            .collect()
    };
    let (encoding, layers) = params.split_at_mut(n_encoding);
    let (of_encoding, of_layers) = moments.iter_mut().map(|m| m.split_at_mut(n_encoding)).unzip();
    (blocks(encoding, of_encoding), blocks(layers, of_layers))
}

/// How a part of the parameters is updated.
pub(super) struct Update {
    optimizer: Optimizer,
    index: u64,
    lr: f64,
    clip_factor: f64,
    l2: f64,
    /// `None` without an average.
    average_rate: Option<f64>,
}

impl Update {
    /// Of the encoding's weights, and of the linear layers'.
    pub(super) fn of_parts(job: &Job, step: &Step, clip_factor: f64) -> [Self; 2] {
        let refinements = &job.options.refinements;
        let part = |rate: f64, l2: f64| Self {
            optimizer: job.optimizer,
            index: step.index,
            lr: rate * step.lr,
            clip_factor,
            l2,
            average_rate: refinements.ema.map(|_| refinements.average_rate(step.index)),
        };
        [part(refinements.encoding_rate, refinements.encoding_l2), part(1.0, refinements.l2)]
    }

    /// Updates `block`, which begins at `start` of each of the `lanes`.
    pub(super) fn lanes<T: Real>(&self, lanes: &[&[T]], start: usize, block: Block<T>) {
        let mut grads = [T::zero(); PARAM_BLOCK];
        let grads = &mut grads[..block.params.len()];
        vectorised!(add_lanes(lanes, start, grads));
        self.block(grads, block);
    }

    /// Updates `block` by its gradient, which is clipped and penalised in place.
    pub(super) fn block<T: Real>(&self, grads: &mut [T], block: Block<T>) {
        let Block { params, mut moments } = block;
        let average = self.average_rate.and_then(|rate| Some((T::of(rate), moments.pop()?)));
        vectorised!({
            if self.clip_factor != 1.0 || self.l2 != 0.0 {
                let (factor, l2) = (T::of(self.clip_factor), T::of(self.l2));
                for (g, &w) in grads.iter_mut().zip(&*params) {
                    *g = factor * *g + l2 * w;
                }
            }
            optimizer::update(self.optimizer, self.index, self.lr, grads, params, &mut moments);
            if let Some((rate, average)) = average {
                for (a, &w) in average.iter_mut().zip(&*params) {
                    *a += rate * (w - *a);
                }
            }
        });
    }
}

/// Adds range `start` on of each lane to `sum`, in order.
#[inline(always)]
fn add_lanes<T: Real>(lanes: &[&[T]], start: usize, sum: &mut [T]) {
    for lane in lanes {
        for (sum, &g) in sum.iter_mut().zip(&lane[start..]) {
            *sum += g;
        }
    }
}

/// Of the lanes' sum, in f64: each block's by itself, then the blocks' in order.
pub(super) fn sum_of_squares<T: Real>(pool: &rayon::ThreadPool, lanes: &[&[T]]) -> f64 {
    let len = lanes.first().map_or(0, |lane| lane.len());
    let of_block = |start: usize| {
        let mut grads = [T::zero(); PARAM_BLOCK];
        let grads = &mut grads[..PARAM_BLOCK.min(len - start)];
        add_lanes(lanes, start, grads);
        grads.iter().map(|g| g.as_f64().powi(2)).sum::<f64>()
    };
    let squares: Vec<f64> =
        pool.install(|| (0..len).into_par_iter().step_by(PARAM_BLOCK).map(of_block).collect());
    squares.iter().sum()
}
