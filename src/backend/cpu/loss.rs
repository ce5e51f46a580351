//! Losses and their gradient for the last layer.

use super::activate::activate_keeping_derivative;
use super::simd::vectorised;
use crate::backend::Job;
use crate::model::loss::{Formula, Visitor};
use crate::model::{Activation, Loss, Real};

/// The loss of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    pub(crate) loss: Loss,
    pub(crate) channel_weights: [f32; 4],
    pub(crate) output: Activation,
    pub(crate) channels: usize,
    /// Values of the whole step: samples times channels.
    pub(crate) n_values: usize,
}

impl Objective {
    /// For a step of `n_samples` samples of `job`.
    pub fn new(job: &Job, n_samples: usize) -> Self {
        let network = &job.model.network;
        Self {
            loss: job.loss,
            channel_weights: job.options.channel_weights,
            output: network.output_activation,
            channels: network.output_width,
            n_values: n_samples * network.output_width,
        }
    }
}

/// Values whose activations are buffered at a time: a multiple of every number of channels.
const BLOCK: usize = 192;

/// Reads pre-activations z of the last layer and targets, both (n, channels), and the samples' weights (n) unless all
/// are 1. Writes dl_dz = d(loss)/dz, where loss is the mean over the step's values; returns this chunk's share of
/// that mean.
pub fn loss_and_gradient<T: Real>(
    objective: &Objective,
    z: &[T],
    targets: &[T],
    sample_weights: Option<&[T]>,
    dl_dz: &mut [T],
) -> f64 {
    let scale = 1.0 / objective.n_values as f64;
    // Only as far as needed: a step may be a single sample.
    let (mut weights, mut scales) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
    for (i, (weight, value_scale)) in weights.iter_mut().zip(&mut scales).enumerate().take(z.len()) {
        *weight = T::from_f32(objective.channel_weights[i % objective.channels]);
        *value_scale = *weight * T::of(scale);
    }
    let mut sum = 0.0;
    let blocks = z.chunks(BLOCK).zip(targets.chunks(BLOCK)).zip(dl_dz.chunks_mut(BLOCK));
    for (block, ((z, t), dl_dz)) in blocks.enumerate() {
        let mut p = [T::zero(); BLOCK];
        let p = &mut p[..z.len()];
        dl_dz.copy_from_slice(z);
        activate_keeping_derivative(objective.output, dl_dz, p);
        vectorised(
            #[inline(always)]
            || objective.loss.visit(Backward { p, t, dl_dz, scales: &scales }),
        );
        if let Some(sample_weights) = sample_weights {
            for (i, (loss, dl_dz)) in p.iter_mut().zip(dl_dz).enumerate() {
                let weight = sample_weights[(block * BLOCK + i) / objective.channels];
                (*loss, *dl_dz) = (weight * *loss, weight * *dl_dz);
            }
        }
        for (&loss, &weight) in p.iter().zip(&weights) {
            sum += (weight * loss).as_f64();
        }
    }
    sum * scale
}

/// p becomes l(p, t); dl_dz, which holds f'(z), becomes the gradient.
struct Backward<'a, T> {
    p: &'a mut [T],
    t: &'a [T],
    dl_dz: &'a mut [T],
    scales: &'a [T],
}

impl<T: Real> Visitor for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn visit<F: Formula>(self, loss: F) {
        let rows = self.p.iter_mut().zip(self.t).zip(self.dl_dz).zip(self.scales);
        for (((p, &t), dl_dz), &scale) in rows {
            let (value, derivative) = loss.value_and_derivative(*p, t);
            *dl_dz = scale * derivative * *dl_dz;
            *p = value;
        }
    }
}
