//! One chunk of samples through the whole network, forward and backward.
//!
//! A chunk is small enough that its activations stay in the core's cache through all layers.

use super::packed::PackedLayer;
use super::panels::{PANEL, features_from_samples, padded, rows_from_samples, samples_from_rows};
use super::product::{WeightGradient, tile_and_sum};
use super::simd::SimdReal;
use super::{activate, dense, encode, loss, sample};
use crate::backend::Job;
use crate::model::{Model, ParamLayout, Real, Step};

/// Work space of one thread for chunks of up to `capacity` samples.
///
/// Activations are sample panels (`panels.rs`), except in a step of one sample: there they are rows, which take a
/// sixteenth of the space.
pub(crate) struct Scratch<T> {
    /// (n, 2), row-major.
    coords: Vec<T>,
    /// (n, channels), row-major.
    targets: Vec<T>,
    /// (n)
    sample_weights: Vec<T>,
    /// Row-major: features that are not written directly as panels, (n, their width); then colours and dl_dz of the
    /// last layer, (n, channels) each.
    pub(super) rows: Vec<T>,
    /// Sample panels of encoding width.
    features: Vec<[T; PANEL]>,
    /// For each linear layer, of output width: pre-activations, then derivatives f'(z).
    pub(super) z: Vec<Vec<[T; PANEL]>>,
    /// For each hidden layer, of output width: f(z).
    pub(super) a: Vec<Vec<[T; PANEL]>>,
    /// dl_dz of the current layer and of the one before it, sized for the widest layer.
    pub(super) dl_dz: Vec<[T; PANEL]>,
    pub(super) dl_dz_previous: Vec<[T; PANEL]>,
    /// dl_dz and the input of the current layer, in the order in which their product reads them: tiles, and feature
    /// panels.
    dl_dz_tiles: Vec<[T; PANEL]>,
    x: Vec<[T; PANEL]>,
}

impl<T: Real> Scratch<T> {
    pub(crate) fn new(model: &Model, capacity: usize) -> Self {
        let (network, [rows, output, x]) = (&model.network, shared_widths(model));
        let zeros = |width: usize| vec![T::zero(); padded(capacity) * width];
        let panels = |width: usize| vec![[T::zero(); PANEL]; padded(capacity) / PANEL * width];
        Self {
            coords: zeros(2),
            targets: zeros(network.output_width),
            sample_weights: zeros(1),
            rows: zeros(rows),
            features: panels(network.input_width),
            z: network.layers().map(|l| panels(l.output_width)).collect(),
            a: network.layers().skip(1).map(|l| panels(l.input_width)).collect(),
            dl_dz: panels(output),
            dl_dz_previous: panels(output),
            dl_dz_tiles: panels(output),
            x: panels(x),
        }
    }

    /// Bytes that [`Scratch::new`] allocates.
    pub(crate) fn size_bytes(model: &Model, capacity: usize) -> usize {
        let (network, [rows, output, x]) = (&model.network, shared_widths(model));
        let z: usize = network.layers().map(|l| l.output_width).sum();
        let a: usize = network.layers().skip(1).map(|l| l.input_width).sum();
        let per_sample = 3 + network.output_width + network.input_width + z + a;
        let per_sample = per_sample + rows + 3 * output + x;
        padded(capacity) * per_sample * size_of::<T>()
    }
}

/// Numbers per sample in `rows`, `dl_dz` and `x` of [`Scratch`], which several layers share.
fn shared_widths(model: &Model) -> [usize; 3] {
    let network = &model.network;
    let widest_output = network.layers().map(|l| l.output_width).max().unwrap_or(1);
    let widest_input = network.layers().map(|l| l.input_width).max().unwrap_or(1);
    // Rows hold all features of a single sample, even those otherwise written directly as panels.
    let features = encode::row_width(&model.encoding).max(network.input_width.div_ceil(PANEL));
    [features.max(2 * network.output_width), widest_output, widest_input.next_multiple_of(PANEL)]
}

/// The output of a chunk's backward pass.
pub(crate) struct ChunkGradients<'a, T> {
    /// Of the linear layers, as laid out but without the encoding's range; accumulated.
    pub layers: &'a mut [T],
    /// For encodings with weights, the inputs of their gradients; overwritten.
    pub encoding: Option<EncodingInputs<'a, T>>,
}

/// What the gradients of an encoding's weights are computed from.
pub(crate) struct EncodingInputs<'a, T> {
    /// (n, 2)
    pub coords: &'a mut [T],
    /// Sample panels of encoding width.
    pub dl_dfeatures: &'a mut [[T; PANEL]],
}

/// A network's weights and what is computed with them.
pub(crate) struct Pass<'a, T> {
    pub model: &'a Model,
    pub layout: &'a ParamLayout,
    /// All weights and biases, as laid out.
    pub params: &'a [T],
    /// The linear layers for panels of samples; empty for passes of one sample, which do not use them.
    pub(super) layers: Vec<PackedLayer<'a, T>>,
}

impl<T: SimdReal> Pass<'_, T> {
    /// Writes the gradients of samples `first..first + n` of `step` to `grads` and returns their share of the step's
    /// loss.
    pub(crate) fn train(
        &self,
        job: &Job,
        step: &Step,
        (first, n): (u32, usize),
        scratch: &mut Scratch<T>,
        grads: ChunkGradients<'_, T>,
    ) -> f64 {
        self.sample(job, step, (first, n), scratch);
        self.encode(scratch, padded(n));
        self.forward(scratch, padded(n));
        let loss = self.loss(job, step, n, scratch);
        self.backward(scratch, n, grads);
        loss
    }

    /// Samples, encodes and takes the only sample of `step` through all layers, as rows; leaves dl_dz of the last one
    /// in `scratch` and returns the loss.
    pub(super) fn train_one(&self, job: &Job, step: &Step, scratch: &mut Scratch<T>) -> f64 {
        self.sample(job, step, (0, 1), scratch);
        let features = &mut scratch.rows[..self.model.network.input_width];
        let of_encoding = &self.params[self.layout.encoding.clone()];
        encode::encode(&self.model.encoding, of_encoding, &scratch.coords[..2], features);
        let last = self.layout.layers.len() - 1;
        for (l, layer) in self.layout.layers.iter().enumerate() {
            let (input, output) = (layer.shape.input_width, layer.shape.output_width);
            let x = if l == 0 { &scratch.rows } else { scratch.a[l - 1].as_flattened() };
            let z = &mut scratch.z[l].as_flattened_mut()[..output];
            let (w, b) = (&self.params[layer.weight.clone()], &self.params[layer.bias.clone()]);
            dense::forward(layer.shape, &x[..input], w, b, z);
            if l < last {
                let a = &mut scratch.a[l].as_flattened_mut()[..output];
                activate::activate_keeping_derivative(self.model.network.activation, z, a);
            }
        }
        let channels = self.model.network.output_width;
        loss::loss_and_gradient(
            job,
            1,
            &scratch.z[last].as_flattened()[..channels],
            &scratch.targets[..channels],
            step.importance.is_some().then_some(&scratch.sample_weights[..1]),
            &mut scratch.dl_dz.as_flattened_mut()[..channels],
        )
    }

    /// Writes the colours of `out.len() / channels` points from number `first` on, of which `position` gives the
    /// positions.
    pub(crate) fn predict(
        &self,
        position: impl Fn(u64) -> [f32; 2],
        first: u64,
        scratch: &mut Scratch<T>,
        out: &mut [f32],
    ) {
        let channels = self.model.network.output_width;
        let n = out.len() / channels;
        assert!(2 * n <= scratch.coords.len(), "{n} points of a chunk of {}", scratch.coords.len() / 2);
        let coords = &mut scratch.coords[..n * 2];
        for (i, coord) in coords.chunks_exact_mut(2).enumerate() {
            let [x, y] = position(first + i as u64);
            (coord[0], coord[1]) = (T::from_f32(x), T::from_f32(y));
        }
        repeat_last(&mut scratch.coords, n);
        self.encode(scratch, padded(n));
        self.forward(scratch, padded(n));
        let colours = &mut scratch.rows[..n * channels];
        rows_from_samples(&scratch.z[self.layout.layers.len() - 1], channels, colours);
        activate::activate(self.model.network.output_activation, colours);
        for (out, &p) in out.iter_mut().zip(colours.iter()) {
            *out = p.as_f32();
        }
    }

    fn sample(&self, job: &Job, step: &Step, (first, n): (u32, usize), scratch: &mut Scratch<T>) {
        let coords = &mut scratch.coords[..n * 2];
        let targets = &mut scratch.targets[..n * self.model.network.output_width];
        sample::sample(job, step, first, coords, targets, &mut scratch.sample_weights[..n]);
        repeat_last(&mut scratch.coords, n);
    }

    /// coords -> features of n samples, with padded panels.
    fn encode(&self, scratch: &mut Scratch<T>, n: usize) {
        let params = &self.params[self.layout.encoding.clone()];
        let (coords, rows) = (&scratch.coords[..n * 2], &mut scratch.rows);
        encode::encode_panels(&self.model.encoding, params, coords, rows, &mut scratch.features);
    }

    /// features -> z and a of every layer; the last layer's z stays a pre-activation.
    fn forward(&self, scratch: &mut Scratch<T>, n: usize) {
        let (panels, activation) = (n / PANEL, self.model.network.activation);
        for (l, layer) in self.layout.layers.iter().enumerate() {
            let (input, output) = (layer.shape.input_width, layer.shape.output_width);
            let (before, after) = scratch.a.split_at_mut(l);
            let (x, mut a) = (before.last().unwrap_or(&scratch.features), after.first_mut());
            let z = &mut scratch.z[l][..panels * output];
            self.layers[l].forward().run(&x[..panels * input], z, |start, z| {
                if let Some(a) = &mut a {
                    let a = a[start..start + z.len()].as_flattened_mut();
                    activate::activate_keeping_derivative(activation, z.as_flattened_mut(), a);
                }
            });
        }
    }

    /// z of the last layer -> its dl_dz; returns the n samples' share of the step's loss.
    fn loss(&self, job: &Job, step: &Step, n: usize, scratch: &mut Scratch<T>) -> f64 {
        let channels = self.model.network.output_width;
        let (z, dl_dz) = scratch.rows.split_at_mut(padded(n) * channels);
        let dl_dz = &mut dl_dz[..padded(n) * channels];
        rows_from_samples(&scratch.z[self.layout.layers.len() - 1], channels, z);
        let loss = loss::loss_and_gradient(
            job,
            step.n_samples as usize,
            &z[..n * channels],
            &scratch.targets[..n * channels],
            step.importance.is_some().then_some(&scratch.sample_weights[..n]),
            &mut dl_dz[..n * channels],
        );
        // Padding of the last panel has no loss.
        dl_dz[n * channels..].fill(T::zero());
        samples_from_rows(dl_dz, channels, &mut scratch.dl_dz);
        loss
    }

    /// dl_dz of the last layer -> gradients of every layer, and of the features if requested.
    fn backward(&self, scratch: &mut Scratch<T>, n: usize, mut grads: ChunkGradients<'_, T>) {
        let (panels, n_encoding) = (padded(n) / PANEL, self.layout.encoding.end);
        for (l, layer) in self.layout.layers.iter().enumerate().rev() {
            let (input, output) = (layer.shape.input_width, layer.shape.output_width);
            let dl_dz = &scratch.dl_dz[..panels * output];
            let inputs = if l == 0 { &scratch.features } else { &scratch.a[l - 1] };
            let x = &mut scratch.x[..input.div_ceil(PANEL) * padded(n)];
            features_from_samples(&inputs[..panels * input], input, x);
            let whole = layer.whole().start - n_encoding..layer.whole().end - n_encoding;
            let (dl_dw, dl_db) = grads.layers[whole].split_at_mut(layer.weight.len());
            let tiles = &mut scratch.dl_dz_tiles[..panels * output];
            tile_and_sum(dl_dz, tiles, dl_db);
            WeightGradient { dl_dz: tiles, x, input_width: input, output_width: output, out: dl_dw }.add();
            if l > 0 {
                let dl_dx = &mut scratch.dl_dz_previous[..panels * input];
                let derivatives = &scratch.z[l - 1];
                self.layers[l].back().run(dl_dz, dl_dx, |start, dl_dx| {
                    let derivatives = derivatives[start..start + dl_dx.len()].as_flattened();
                    activate::chain(dl_dx.as_flattened_mut(), derivatives);
                });
                std::mem::swap(&mut scratch.dl_dz, &mut scratch.dl_dz_previous);
            } else if let Some(encoding) = &mut grads.encoding {
                self.layers[l].back().run(dl_dz, encoding.dl_dfeatures, |_, _| {});
                encoding.coords.copy_from_slice(&scratch.coords[..n * 2]);
            }
        }
    }
}

/// Pads the last panel's positions with the last of n.
fn repeat_last<T: Real>(coords: &mut [T], n: usize) {
    for i in n..padded(n) {
        coords.copy_within(2 * (n - 1)..2 * n, 2 * i);
    }
}
