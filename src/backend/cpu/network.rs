//! One chunk of samples through the whole network, forward and backward.
//!
//! A chunk is small enough that its activations stay in the core's cache through all layers.

use super::{activate, dense, encode, loss, sample};
use crate::backend::Job;
use crate::model::{Model, ParamLayout, Raster, Real, Step};

/// Work space of one thread for chunks of up to `capacity` samples. All matrices are row-major.
pub struct Scratch<T> {
    /// (n, 2)
    coords: Vec<T>,
    /// (n, channels)
    targets: Vec<T>,
    /// (n)
    sample_weights: Vec<T>,
    /// (n, encoding width)
    pub(super) features: Vec<T>,
    /// For each linear layer, (n, output width): pre-activations, then derivatives f'(z).
    pub(super) z: Vec<Vec<T>>,
    /// For each hidden layer, (n, output width): f(z).
    pub(super) a: Vec<Vec<T>>,
    /// dl_dz of the layer in hand and of the one before it, (n, widest layer).
    pub(super) dl_dz: Vec<T>,
    pub(super) dl_dz_previous: Vec<T>,
}

impl<T: Real> Scratch<T> {
    /// Allocates for `model`.
    pub fn new(model: &Model, capacity: usize) -> Self {
        let network = &model.network;
        let zeros = |width: usize| vec![T::zero(); capacity * width];
        let widest = network.layers().map(|l| l.output_width).max().unwrap_or(1);
        Self {
            coords: zeros(2),
            targets: zeros(network.output_width),
            sample_weights: zeros(1),
            features: zeros(network.input_width),
            z: network.layers().map(|l| zeros(l.output_width)).collect(),
            a: network.layers().skip(1).map(|l| zeros(l.input_width)).collect(),
            dl_dz: zeros(widest),
            dl_dz_previous: zeros(widest),
        }
    }

    /// Bytes that [`Scratch::new`] allocates.
    pub fn size_bytes(model: &Model, capacity: usize) -> usize {
        let network = &model.network;
        let widest = network.layers().map(|l| l.output_width).max().unwrap_or(1);
        let z: usize = network.layers().map(|l| l.output_width).sum();
        let a: usize = network.layers().skip(1).map(|l| l.input_width).sum();
        let per_sample = 3 + network.output_width + network.input_width + z + a + 2 * widest;
        capacity * per_sample * size_of::<T>()
    }
}

/// What the backward pass of a chunk leaves.
pub struct ChunkGradients<'a, T> {
    /// Of the linear layers, as laid out but without the encoding's range; added to.
    pub layers: &'a mut [T],
    /// For encodings with weights, what their gradients follow from; written.
    pub encoding: Option<EncodingRows<'a, T>>,
}

/// Rows of a chunk that the gradients of an encoding's weights follow from.
pub struct EncodingRows<'a, T> {
    /// (n, 2)
    pub coords: &'a mut [T],
    /// (n, encoding width)
    pub dl_dfeatures: &'a mut [T],
}

/// A network's weights and what is computed with them.
pub struct Pass<'a, T> {
    /// Encoding and network.
    pub model: &'a Model,
    /// Ranges of the flat buffers.
    pub layout: &'a ParamLayout,
    /// All weights and biases, as laid out.
    pub params: &'a [T],
    /// W^T of each layer, (in, out); empty for passes of one sample, which have no use for it.
    pub transposed: Vec<&'a [T]>,
}

impl<T: Real> Pass<'_, T> {
    /// Leaves the gradients of samples `first..first + n` of `step` in `grads` and returns their share
    /// of the step's loss.
    pub fn train(
        &self,
        job: &Job,
        step: &Step,
        (first, n): (u32, usize),
        scratch: &mut Scratch<T>,
        grads: ChunkGradients<'_, T>,
    ) -> f64 {
        let loss = self.loss(job, step, (first, n), scratch);
        self.backward(scratch, n, grads);
        loss
    }

    /// Samples, encodes and takes samples `first..first + n` of `step` through all layers; leaves
    /// dl_dz of the last one in `scratch` and returns their share of the step's loss.
    pub(super) fn loss(
        &self,
        job: &Job,
        step: &Step,
        (first, n): (u32, usize),
        scratch: &mut Scratch<T>,
    ) -> f64 {
        let channels = self.model.network.output_width;
        let coords = &mut scratch.coords[..n * 2];
        let targets = &mut scratch.targets[..n * channels];
        let sample_weights = &mut scratch.sample_weights[..n];
        sample::sample(job, step, first, coords, targets, sample_weights);
        self.encode(scratch, n);
        self.forward(scratch, n);
        loss::loss_and_gradient(
            &loss::Objective::new(job, step.n_samples as usize),
            &scratch.z[self.layout.layers.len() - 1][..n * channels],
            &scratch.targets[..n * channels],
            step.importance.is_some().then_some(&scratch.sample_weights[..n]),
            &mut scratch.dl_dz[..n * channels],
        )
    }

    /// Writes the colours of `out.len() / channels` pixels of `raster` from `first_pixel` on.
    ///
    /// A whole chunk is computed, however many pixels are wanted: a matrix product of fewer rows
    /// may add in another order, and a pixel must not depend on which others are asked for with it.
    pub fn predict(&self, raster: &Raster, first_pixel: u64, scratch: &mut Scratch<T>, out: &mut [f32]) {
        let channels = self.model.network.output_width;
        let n = scratch.coords.len() / 2;
        assert!(out.len() <= n * channels, "{} values of a chunk of {n} pixels", out.len());
        let coords = &mut scratch.coords[..n * 2];
        for (i, coord) in coords.chunks_exact_mut(2).enumerate() {
            let pixel = first_pixel + i as u64;
            let width = u64::from(raster.width);
            let [x, y] = raster.position((pixel % width) as u32, (pixel / width) as u32);
            (coord[0], coord[1]) = (T::from_f32(x), T::from_f32(y));
        }
        self.encode(scratch, n);
        self.forward(scratch, n);
        let z = &mut scratch.z[self.layout.layers.len() - 1][..n * channels];
        activate::activate(self.model.network.output_activation, z);
        for (out, &p) in out.iter_mut().zip(z.iter()) {
            *out = p.as_f32();
        }
    }

    /// coords -> features
    fn encode(&self, scratch: &mut Scratch<T>, n: usize) {
        let features = &mut scratch.features[..n * self.model.network.input_width];
        let params = &self.params[self.layout.encoding.clone()];
        encode::encode(&self.model.encoding, params, &scratch.coords[..n * 2], features);
    }

    /// features -> z and a of every layer; the last layer's z stays a pre-activation.
    fn forward(&self, scratch: &mut Scratch<T>, n: usize) {
        let last = self.layout.layers.len() - 1;
        for (l, layer) in self.layout.layers.iter().enumerate() {
            let (input, output) = (layer.shape.input_width, layer.shape.output_width);
            let x = if l == 0 { &scratch.features } else { &scratch.a[l - 1] };
            let z = &mut scratch.z[l][..n * output];
            let (w, b) = (&self.params[layer.weight.clone()], &self.params[layer.bias.clone()]);
            match self.transposed.get(l) {
                Some(wt) if n > 1 => dense::forward_transposed(layer.shape, &x[..n * input], wt, b, z),
                _ => dense::forward(layer.shape, &x[..n * input], w, b, z),
            }
            if l < last {
                let activation = self.model.network.activation;
                activate::activate_keeping_derivative(activation, z, &mut scratch.a[l][..n * output]);
            }
        }
    }

    /// dl_dz of the last layer -> gradients of every layer, and of the features where they are asked
    /// for.
    fn backward(&self, scratch: &mut Scratch<T>, n: usize, grads: ChunkGradients<'_, T>) {
        let n_encoding = self.layout.encoding.end;
        for (l, layer) in self.layout.layers.iter().enumerate().rev() {
            let (input, output) = (layer.shape.input_width, layer.shape.output_width);
            let x = if l == 0 { &scratch.features } else { &scratch.a[l - 1] };
            let dl_dz = &scratch.dl_dz[..n * output];
            let whole = layer.whole().start - n_encoding..layer.whole().end - n_encoding;
            let (dl_dw, dl_db) = grads.layers[whole].split_at_mut(layer.weight.len());
            dense::backward_weights(layer.shape, dl_dz, &x[..n * input], dl_dw, dl_db);
            if l > 0 {
                let dl_dx = &mut scratch.dl_dz_previous[..n * input];
                dense::backward_input(layer.shape, dl_dz, &self.params[layer.weight.clone()], dl_dx);
                activate::chain(dl_dx, &scratch.z[l - 1][..n * input]);
                std::mem::swap(&mut scratch.dl_dz, &mut scratch.dl_dz_previous);
            }
        }
        if let Some(rows) = grads.encoding {
            let first = &self.layout.layers[0];
            let dl_dz = &scratch.dl_dz[..n * first.shape.output_width];
            dense::backward_input(first.shape, dl_dz, &self.params[first.weight.clone()], rows.dl_dfeatures);
            rows.coords.copy_from_slice(&scratch.coords[..n * 2]);
        }
    }
}
