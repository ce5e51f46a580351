//! Losses and the gradient they send back into the last layer.

use crate::model::{Activation, Loss, Real};

/// Reads pre-activations z of the last layer and targets, both (n, channels); writes
/// dl_dz = d(loss)/dz where loss is the mean over `n_values` values; returns this part's share
/// of that mean.
pub fn loss_and_gradient<T: Real>(
    loss: Loss,
    output: Activation,
    n_values: usize,
    z: &[T],
    targets: &[T],
    dl_dz: &mut [T],
) -> f64 {
    let scale = 1.0 / n_values as f64;
    match loss {
        Loss::Mse => {
            let two_scale = T::of(2.0 * scale);
            let mut sum = 0.0;
            for ((&z, &t), dl_dz) in z.iter().zip(targets).zip(dl_dz) {
                let difference = output.value(z) - t;
                sum += (difference * difference).as_f64();
                *dl_dz = two_scale * difference * output.derivative(z);
            }
            sum * scale
        }
    }
}
