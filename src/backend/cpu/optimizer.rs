//! Update rules over flat parameter ranges.

use crate::model::Optimizer;
use crate::model::Real;
use crate::model::optimizer::adam_corrections;

/// One update of `params` from `grads`; step `index` counts from 0. All slices have one length;
/// `moments` has [`Optimizer::n_moments`] of them.
#[inline(always)]
pub fn update<T: Real>(
    optimizer: Optimizer,
    index: u64,
    lr: f64,
    grads: &[T],
    params: &mut [T],
    moments: &mut [&mut [T]],
) {
    assert_eq!(moments.len(), optimizer.n_moments(), "moments of {optimizer:?}");
    let lr_ = T::of(lr);
    match (optimizer, moments) {
        (Optimizer::Sgd { weight_decay, .. }, []) => {
            let decay = T::of(weight_decay);
            for (w, &g) in params.iter_mut().zip(grads) {
                *w -= lr_ * (g + decay * *w);
            }
        }
        (Optimizer::Sgd { momentum, weight_decay }, [velocity]) => {
            let (momentum, decay) = (T::of(momentum), T::of(weight_decay));
            for ((w, v), &g) in params.iter_mut().zip(velocity.iter_mut()).zip(grads) {
                *v = momentum * *v + (g + decay * *w);
                *w -= lr_ * *v;
            }
        }
        (Optimizer::Adam { beta1, beta2, epsilon, weight_decay }, [first, second]) => {
            let (correction1, correction2) = adam_corrections(beta1, beta2, index);
            // lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t), rounded once.
            let step_size = T::of(lr / correction1);
            let second_scale = T::of(1.0 / correction2);
            let keep = T::of(1.0 - lr * weight_decay);
            let (b1, b2) = (T::of(beta1), T::of(beta2));
            let (c1, c2) = (T::of(1.0 - beta1), T::of(1.0 - beta2));
            let epsilon = T::of(epsilon);
            let rows = params.iter_mut().zip(first.iter_mut()).zip(second.iter_mut()).zip(grads);
            for (((w, m), v), &g) in rows {
                *m = b1 * *m + c1 * g;
                *v = b2 * *v + c2 * g * g;
                *w = *w * keep - step_size * *m / (v.sqrt() * second_scale + epsilon);
            }
        }
        _ => unreachable!("moments were counted above"),
    }
}
