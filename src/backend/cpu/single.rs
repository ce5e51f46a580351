//! Steps of a single sample, whose cost is reading and writing the weights: no gradient is stored,
//! each block of weights is updated as soon as its gradient is known.
//!
//! The gradient of W is the product dl_dz^T x of one row each. What is computed, and in which
//! order, is the same as for larger batches, so a step's result is the same to the bit as of
//! accumulating the gradient first.

use super::network::Scratch;
use super::simd::vectorised;
use super::{activate, dense, optimizer};
use crate::model::{Optimizer, ParamLayout, Real, Step};

/// Gradients held at a time, on the stack.
const BLOCK: usize = 4096;

/// What a step changes.
pub(super) struct Weights<'a, T> {
    pub(super) params: &'a mut [T],
    pub(super) moments: &'a mut [Vec<T>],
}

/// Backward through all layers from dl_dz of the last one, with the update of each layer once
/// nothing before it needs its weights any more.
pub(super) fn descend<T: Real>(
    layout: &ParamLayout,
    (optimizer, step): (Optimizer, &Step),
    scratch: &mut Scratch<T>,
    weights: &mut Weights<T>,
) {
    for (l, layer) in layout.layers.iter().enumerate().rev() {
        let (input, output) = (layer.shape.input_width, layer.shape.output_width);
        if l > 0 {
            let w = &weights.params[layer.weight.clone()];
            let dl_dx = &mut scratch.dl_dz_previous[..input];
            dense::backward_input(layer.shape, &scratch.dl_dz[..output], w, dl_dx);
            activate::chain(dl_dx, &scratch.z[l - 1][..input]);
        }
        let x = if l == 0 { &scratch.features[..input] } else { &scratch.a[l - 1][..input] };
        let dl_dz = &scratch.dl_dz[..output];
        match optimizer {
            Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 } => {
                descend_plainly(T::of(step.lr), dl_dz, x, &mut weights.params[layer.whole()]);
            }
            _ => update_layer((optimizer, step), dl_dz, x, layer.whole().start, weights),
        }
        std::mem::swap(&mut scratch.dl_dz, &mut scratch.dl_dz_previous);
    }
}

/// w -= lr dl_dz^T x and b -= lr dl_dz. Units that are off have no gradient and are passed over.
fn descend_plainly<T: Real>(lr: T, dl_dz: &[T], x: &[T], params: &mut [T]) {
    let (w, b) = params.split_at_mut(dl_dz.len() * x.len());
    vectorised(
        #[inline(always)]
        || {
            for ((row, b), &dl) in w.chunks_exact_mut(x.len()).zip(b).zip(dl_dz) {
                if dl != T::zero() {
                    for (w, &x) in row.iter_mut().zip(x) {
                        *w -= lr * (dl * x);
                    }
                    *b -= lr * dl;
                }
            }
        },
    );
}

/// Any update rule, a block of weights at a time. The layer's weights and then its biases begin at
/// `start` of the flat buffers.
fn update_layer<T: Real>(
    (optimizer, step): (Optimizer, &Step),
    dl_dz: &[T],
    x: &[T],
    start: usize,
    weights: &mut Weights<T>,
) {
    let n_weights = dl_dz.len() * x.len();
    let mut grads = [T::zero(); BLOCK];
    let mut first = 0;
    while first < n_weights + dl_dz.len() {
        // Blocks end with the weights, so that none holds both weights and biases.
        let end = if first < n_weights { n_weights } else { n_weights + dl_dz.len() };
        let n = BLOCK.min(end - first);
        let grads = &mut grads[..n];
        let range = start + first..start + first + n;
        let params = &mut weights.params[range.clone()];
        // Adam has the most, two.
        let mut moments = weights.moments.iter_mut().map(|m| &mut m[range.clone()]);
        let mut moments: [Option<&mut [T]>; 2] = [moments.next(), moments.next()];
        let mut update = |moments: &mut [&mut [T]]| {
            vectorised(
                #[inline(always)]
                || {
                    if first < n_weights {
                        outer_product(dl_dz, x, first, grads);
                    } else {
                        grads.copy_from_slice(&dl_dz[first - n_weights..][..n]);
                    }
                    optimizer::update(optimizer, step.index, step.lr, grads, params, moments);
                },
            );
        };
        match &mut moments {
            [Some(one), Some(two)] => update(&mut [one, two]),
            [Some(one), None] => update(&mut [one]),
            _ => update(&mut []),
        }
        first += n;
    }
}

/// Values `first..first + out.len()` of dl_dz^T x, row-major.
#[inline(always)]
fn outer_product<T: Real>(dl_dz: &[T], x: &[T], first: usize, out: &mut [T]) {
    let (mut row, mut column) = (first / x.len(), first % x.len());
    let mut rest = out;
    while !rest.is_empty() {
        let n = (x.len() - column).min(rest.len());
        let (segment, after) = rest.split_at_mut(n);
        let dl = dl_dz[row];
        for (g, &x) in segment.iter_mut().zip(&x[column..]) {
            *g = dl * x;
        }
        (row, column, rest) = (row + 1, 0, after);
    }
}
