//! Losses and their gradient for the last layer.

use super::activate::activate_keeping_derivative;
use super::simd::vectorised;
use crate::backend::Job;
use crate::model::Real;
use crate::model::loss::{Formula, with_loss};

/// Values whose activations are buffered at a time: a multiple of every number of channels.
const BLOCK: usize = 192;

/// Reads pre-activations z of the last layer and targets, both (n, channels), and the samples' weights (n) unless all
/// are 1. Writes dl_dz = d(loss)/dz, where loss is the mean over the values of a step of `n_samples` samples of `job`;
/// returns this chunk's share of that mean.
pub fn loss_and_gradient<T: Real>(
    job: &Job,
    n_samples: usize,
    z: &[T],
    targets: &[T],
    sample_weights: Option<&[T]>,
    dl_dz: &mut [T],
) -> f64 {
    let channels = job.model.network.output_width;
    let scale = 1.0 / (n_samples * channels) as f64;
    // Only as far as needed: a step may be a single sample.
    let (mut weights, mut scales) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
    for (i, (weight, value_scale)) in weights.iter_mut().zip(&mut scales).enumerate().take(z.len()) {
        *weight = T::from_f32(job.options.channel_weights[i % channels]);
        *value_scale = *weight * T::of(scale);
    }
    let mut sum = 0.0;
    let blocks = z.chunks(BLOCK).zip(targets.chunks(BLOCK)).zip(dl_dz.chunks_mut(BLOCK));
    for (block, ((z, t), dl_dz)) in blocks.enumerate() {
        let mut p = [T::zero(); BLOCK];
        let p = &mut p[..z.len()];
        dl_dz.copy_from_slice(z);
        activate_keeping_derivative(job.model.network.output_activation, dl_dz, p);
        // p becomes l(p, t); dl_dz, which holds f'(z), becomes the gradient.
        vectorised!(with_loss!(job.loss, loss => {
            for (((p, &t), dl_dz), &scale) in p.iter_mut().zip(t).zip(&mut *dl_dz).zip(&scales) {
                let (value, derivative) = loss.value_and_derivative(*p, t);
                *dl_dz = scale * derivative * *dl_dz;
                *p = value;
            }
        }));
        if let Some(sample_weights) = sample_weights {
            for (i, (loss, dl_dz)) in p.iter_mut().zip(dl_dz).enumerate() {
                let weight = sample_weights[(block * BLOCK + i) / channels];
                (*loss, *dl_dz) = (weight * *loss, weight * *dl_dz);
            }
        }
        for (&loss, &weight) in p.iter().zip(&weights) {
            sum += (weight * loss).as_f64();
        }
    }
    sum * scale
}
