//! Steps of a single sample. Their cost is reading and writing the weights, so no gradient is stored: each block of
//! weights is updated as soon as its gradient is known.
//!
//! The gradient of W is dl_dz^T x, a product of one row each. A step's result is the same to the bit as that of the
//! operations of `dense.rs` in sequence with the gradient stored.

use super::network::Scratch;
use super::simd::vectorised;
use super::{activate, dense, optimizer};
use crate::model::{Optimizer, ParamLayout, Real, Step};

/// Gradients held at a time, on the stack.
const BLOCK: usize = 4096;

/// The state a step changes.
pub(super) struct Weights<'a, T> {
    pub(super) params: &'a mut [T],
    pub(super) moments: &'a mut [Vec<T>],
}

/// Backward through all layers from dl_dz of the last one. Each layer is updated once no earlier layer needs its
/// weights.
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
            let dl_dx = &mut scratch.dl_dz_previous.as_flattened_mut()[..input];
            dense::backward_input(layer.shape, &scratch.dl_dz.as_flattened()[..output], w, dl_dx);
            activate::chain(dl_dx, &scratch.z[l - 1].as_flattened()[..input]);
        }
        let x = if l == 0 { &scratch.rows } else { scratch.a[l - 1].as_flattened() };
        let (x, dl_dz) = (&x[..input], &scratch.dl_dz.as_flattened()[..output]);
        match optimizer {
            Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 } => {
                descend_plainly(T::of(step.lr), dl_dz, x, &mut weights.params[layer.whole()]);
            }
            _ => update_layer((optimizer, step), dl_dz, x, layer.whole().start, weights),
        }
        std::mem::swap(&mut scratch.dl_dz, &mut scratch.dl_dz_previous);
    }
}

/// w -= lr dl_dz^T x and b -= lr dl_dz. Inactive units have no gradient and are skipped.
fn descend_plainly<T: Real>(lr: T, dl_dz: &[T], x: &[T], params: &mut [T]) {
    let (w, b) = params.split_at_mut(dl_dz.len() * x.len());
    vectorised!({
        for ((row, b), &dl) in w.chunks_exact_mut(x.len()).zip(b).zip(dl_dz) {
            if dl != T::zero() {
                for (w, &x) in row.iter_mut().zip(x) {
                    *w -= lr * (dl * x);
                }
                *b -= lr * dl;
            }
        }
    });
}

/// Any update rule, one block of weights at a time. The layer's weights and then its biases begin at `start` of the
/// flat buffers.
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
        // Blocks end where the weights do, so that none holds both weights and biases.
        let end = if first < n_weights { n_weights } else { n_weights + dl_dz.len() };
        let n = BLOCK.min(end - first);
        let grads = &mut grads[..n];
        let range = start + first..start + first + n;
        let params = &mut weights.params[range.clone()];
        // Adam has the most: two.
        let mut moments = weights.moments.iter_mut().map(|m| &mut m[range.clone()]);
        let mut moments: [Option<&mut [T]>; 2] = [moments.next(), moments.next()];
        let mut update = |moments: &mut [&mut [T]]| {
            vectorised!({
                if first < n_weights {
                    outer_product(dl_dz, x, first, grads);
                } else {
                    grads.copy_from_slice(&dl_dz[first - n_weights..][..n]);
                }
                optimizer::update(optimizer, step.index, step.lr, grads, params, moments);
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Job;
    use crate::backend::cpu::CpuTrainer;
    use crate::backend::cpu::network::Pass;
    use crate::model::{Activation, Encoding, EncodingSpec, Init, Mlp, Model, Steps};
    use crate::picture::{Picture, Pixels};

    /// Wide enough that some blocks of gradients end within a row, and some rows within a block.
    fn job(optimizer: Optimizer) -> Job {
        let spec = EncodingSpec::Gaussian { features: 35, sigma: 2.0 };
        let encoding = Encoding::new(spec, 3);
        let network = Mlp::new([encoding.output_width(), 67, 3], 3, [Activation::Relu, Activation::Sigmoid]);
        let values = (0..5 * 4 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let picture = Picture { width: 5, height: 4, channels: 3, pixels: Pixels::U8(values) };
        Job { batch_size: 1, ..Job::new(Model { encoding, network }, picture, optimizer) }
    }

    /// The operations in sequence, with each gradient stored.
    fn loss_and_gradients(job: &Job, step: &Step, params: &[f32]) -> (f64, Vec<f32>) {
        let layout = job.model.layout();
        let mut scratch = Scratch::new(&job.model, 1);
        let pass = Pass { model: &job.model, layout: &layout, params, layers: Vec::new() };
        let loss = pass.train_one(job, step, &mut scratch);
        let mut grads = vec![0.0; params.len()];
        let mut dl_dz = scratch.dl_dz.as_flattened()[..3].to_vec();
        for (l, layer) in layout.layers.iter().enumerate().rev() {
            let input = layer.shape.input_width;
            let x = if l == 0 { &scratch.rows } else { scratch.a[l - 1].as_flattened() };
            let (dl_dw, dl_db) = grads[layer.whole()].split_at_mut(layer.weight.len());
            dense::backward_weights(layer.shape, &dl_dz, &x[..input], dl_dw, dl_db);
            let mut dl_dx = vec![0.0; input];
            dense::backward_input(layer.shape, &dl_dz, &params[layer.weight.clone()], &mut dl_dx);
            if l > 0 {
                activate::chain(&mut dl_dx, &scratch.z[l - 1].as_flattened()[..input]);
            }
            dl_dz = dl_dx;
        }
        (loss, grads)
    }

    #[test]
    fn a_step_is_the_same_to_the_bit_as_with_its_gradient_stored() {
        let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
        let sgd = |momentum, weight_decay| Optimizer::Sgd { momentum, weight_decay };
        for optimizer in [sgd(0.0, 0.0), sgd(0.0, 0.1), sgd(0.9, 0.0), adam] {
            let job = job(optimizer);
            let params = Init::HeNormal.draw(&job.model, 1);
            let mut trainer = CpuTrainer::<f32>::new(job.clone(), &params, 1).unwrap();
            let mut expected = params.clone();
            let mut moments = vec![vec![0.0; params.len()]; optimizer.n_moments()];
            for step in Steps::new(20, 1, 0, 0.05).take(20) {
                let (loss, grads) = loss_and_gradients(&job, &step, &expected);
                let mut slices: Vec<&mut [f32]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
                optimizer::update(optimizer, step.index, step.lr, &grads, &mut expected, &mut slices);
                assert_eq!(trainer.step(&step), loss);
                assert_eq!(trainer.params(), expected, "{optimizer:?}, step {}", step.index);
            }
        }
    }
}
