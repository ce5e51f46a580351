//! The end of a step: sums the lanes' gradients in order, clips and penalises them, applies the update rule and moves
//! the average, block by block on any thread.

use super::muon::Orthogonalizer;
use super::optimizer;
use super::simd::{SimdReal, vectorised};
use crate::backend::Job;
use crate::model::network::LayerRange;
use crate::model::optimizer::Orthogonalization;
use crate::model::{Optimizer, Real, Step};
use rayon::prelude::*;

/// Parameters reduced and updated at a time by one thread.
pub(super) const PARAM_BLOCK: usize = 4096;

/// A range of the parameters with the same range of each moment and of the average.
pub(super) struct Block<'a, T> {
    /// The first parameter.
    pub(super) start: usize,
    params: &'a mut [T],
    moments: Vec<&'a mut [T]>,
}

impl<'a, T> Block<'a, T> {
    /// What comes before parameter `index`, and the rest.
    fn split_at(self, index: usize) -> (Self, Self) {
        let n = index - self.start;
        let (params, rest) = self.params.split_at_mut(n);
        let (moments, of_rest) = self.moments.into_iter().map(|m| m.split_at_mut(n)).unzip();
        let before = Block { start: self.start, params, moments };
        (before, Block { start: index, params: rest, moments: of_rest })
    }

    fn pieces(self) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let block = rest.take().filter(|block| !block.params.is_empty())?;
            let end = block.start + PARAM_BLOCK.min(block.params.len());
            let (piece, after) = block.split_at(end);
            rest = Some(after);
            Some(piece)
        })
    }
}

/// All parameters, by how they are updated.
pub(super) struct Parts<'a, T> {
    pub(super) encoding: Vec<Block<'a, T>>,
    pub(super) layers: Vec<Block<'a, T>>,
    /// One for each of [`Job::whole_matrices`].
    pub(super) matrices: Vec<Block<'a, T>>,
}

impl<'a, T> Parts<'a, T> {
    pub(super) fn new(
        params: &'a mut [T],
        moments: &'a mut [Vec<T>],
        n_encoding: usize,
        whole_matrices: &[LayerRange],
    ) -> Self {
        let moments = moments.iter_mut().map(Vec::as_mut_slice).collect();
        let (encoding, mut rest) = Block { start: 0, params, moments }.split_at(n_encoding);
        let (mut layers, mut matrices) = (Vec::new(), Vec::new());
        for layer in whole_matrices {
            let (before, after) = rest.split_at(layer.weight.start);
            let (matrix, after) = after.split_at(layer.weight.end);
            layers.extend(before.pieces());
            matrices.push(matrix);
            rest = after;
        }
        layers.extend(rest.pieces());
        Self { encoding: encoding.pieces().collect(), layers, matrices }
    }
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
    /// Of the encoding's weights, of the linear layers', and of whole matrices.
    pub(super) fn of_parts(job: &Job, step: &Step, clip_factor: f64) -> [Self; 3] {
        let refinements = &job.options.refinements;
        let part = |rate: f64, l2: f64| Self {
            optimizer: job.optimizer,
            index: step.index,
            lr: rate * step.lr,
            clip_factor,
            l2,
            average_rate: refinements.ema.map(|_| refinements.average_rate(step.index)),
        };
        let layers = |rate: f64| part(rate, refinements.l2);
        [
            part(refinements.encoding_rate, refinements.encoding_l2),
            layers(1.0),
            layers(refinements.matrix_rate),
        ]
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
        let Block { params, mut moments, .. } = block;
        let average = self.average_rate.and_then(|_| moments.pop());
        vectorised!({
            self.refine(grads, params);
            optimizer::update(self.optimizer, self.index, self.lr, grads, params, &mut moments);
            self.move_average(average, params);
        });
    }

    /// Updates the whole matrix `block`, which begins at `start` of each of the `lanes`, by Muon.
    pub(super) fn matrix<T: SimdReal>(
        &self,
        lanes: &[&[T]],
        start: usize,
        block: Block<T>,
        orthogonalizer: &mut Orthogonalizer<T>,
    ) {
        let Some(muon) = self.optimizer.muon() else { unreachable!("only Muon has whole matrices") };
        let Block { params, mut moments, .. } = block;
        let average = self.average_rate.and_then(|_| moments.pop());
        let direction = &mut orthogonalizer.matrix;
        vectorised!({
            direction.fill(T::zero());
            add_lanes(lanes, start, direction);
            self.refine(direction, params);
            for (g, m) in direction.iter_mut().zip(moments[0].iter_mut()) {
                (*g, *m) = muon.direction(*g, *m);
            }
        });
        orthogonalizer.run();
        let keep = T::of(1.0 - self.lr * muon.weight_decay);
        let step = T::of(self.lr * Orthogonalization::step_scale(orthogonalizer.shape));
        vectorised!({
            for (w, &x) in params.iter_mut().zip(&orthogonalizer.matrix) {
                *w = keep * *w - step * x;
            }
            self.move_average(average, params);
        });
    }

    /// Clips and penalises the gradient of `params`.
    #[inline(always)]
    fn refine<T: Real>(&self, grads: &mut [T], params: &[T]) {
        if self.clip_factor != 1.0 || self.l2 != 0.0 {
            let (factor, l2) = (T::of(self.clip_factor), T::of(self.l2));
            for (g, &w) in grads.iter_mut().zip(params) {
                *g = factor * *g + l2 * w;
            }
        }
    }

    #[inline(always)]
    fn move_average<T: Real>(&self, average: Option<&mut [T]>, params: &[T]) {
        if let (Some(rate), Some(average)) = (self.average_rate, average) {
            let rate = T::of(rate);
            for (a, &w) in average.iter_mut().zip(params) {
                *a += rate * (w - *a);
            }
        }
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
