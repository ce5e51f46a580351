//! The reference of the fused kernels: the CPU operations in f64, one after the other.

use super::bounds::{self, Bounds, Products};
use super::{FusedParams, PARTS};
use crate::backend::cpu;
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, Positions, ROUNDING};
use crate::backend::gpu::kernel::{Call, Expected, ExpectedValues, Storage, close, close_bounded};
use crate::backend::gpu::ops::sample::Samples;
use crate::backend::gpu::ops::{encode, grid, pointwise};
use crate::model::{Arithmetic, Encoding, Mlp, ParamLayout};

/// The encoding that a kernel sees.
type OfCall = fn(&Call, &FusedParams) -> Encoding;

pub(super) fn fourier(call: &Call, p: &FusedParams) -> Encoding {
    Encoding::Fourier { frequencies: call.f32s(1).as_chunks::<2>().0[..p.n_units as usize].to_vec() }
}

pub(super) fn grid(call: &Call, p: &FusedParams) -> Encoding {
    let (n_levels, n_features) = (p.n_units as usize, p.n_features as usize);
    Encoding::Grid(grid::of_words(&call.buffers[1], n_levels, n_features, p.smoothstep != 0))
}

struct Pass {
    products: Products,
    network: Mlp,
    layout: ParamLayout,
    encoding: Encoding,
    params: Vec<f64>,
    inputs: Vec<Bounds>,
    /// f'(z) of each hidden layer.
    derivatives: Vec<Bounds>,
    /// z of the last layer.
    z: Bounds,
}

fn features(encoding: &Encoding, table: &[f64], positions: Positions) -> Bounds {
    let errors = match encoding {
        Encoding::Pointwise(encoding) => {
            return pointwise::features(*encoding, positions).into_iter().collect();
        }
        Encoding::Fourier { frequencies } => encode::fourier_tolerances(frequencies, positions),
        Encoding::Grid(hash_grid) => grid::feature_tolerances(hash_grid, table, positions),
        Encoding::TrainedFourier { .. } | Encoding::Composite(_) => unreachable!("it is not fused"),
    };
    let mut values = vec![0.0; errors.len()];
    cpu::encode::encode(encoding, table, positions.coords, &mut values);
    Bounds::new(values, errors)
}

impl Pass {
    fn new(call: &Call, of_call: OfCall, positions: Positions) -> Self {
        let p: FusedParams = call.params();
        let network = Mlp::new(
            [p.input_width as usize, p.hidden_width as usize, p.output_width as usize],
            p.n_layers as usize,
            [call.kernel.activation, call.kernel.output.expect("an output activation is joined in")],
        );
        let encoding = of_call(call, &p);
        let n_table = p.first_weight as usize;
        let table = call.f64s(0, 0, n_table);
        let params = call.f64s(0, n_table, p.n_params as usize);
        let layout = ParamLayout::new(0, &network);
        let (storage, products) = (call.kernel.storage, Products::of(call.kernel));
        let derivative_from_output = call.kernel.size("DERIVATIVE_FROM_OUTPUT") == 1;
        let mut inputs = vec![features(&encoding, &table, positions).stored(storage)];
        let (mut derivatives, mut z) = (Vec::new(), Bounds::default());
        for (l, layer) in layout.layers.iter().enumerate() {
            let (w, b) = (&params[layer.weight.clone()], &params[layer.bias.clone()]);
            z = bounds::forward(products, layer.shape, &inputs[l], (w, b));
            // If f(z) is stored instead of z, it is what is rounded; f' then follows from it.
            if !derivative_from_output || l + 1 == network.n_layers {
                z = z.stored(storage);
            }
            if l + 1 < network.n_layers {
                let both = |z| network.activation.value_and_derivative::<Bounded>(z);
                let (values, slopes): (Vec<_>, Vec<_>) = z.iter().map(both).unzip();
                let values = values.into_iter().collect::<Bounds>().stored(storage);
                let of_values = |z| network.activation.derivative::<Bounded>(z);
                derivatives.push(match derivative_from_output {
                    true => values.iter().map(of_values).collect(),
                    false => slopes.into_iter().collect(),
                });
                inputs.push(values);
            }
        }
        Self { products, network, layout, encoding, params, inputs, derivatives, z }
    }

    /// Gradients of the samples in `rows`, and dl_dfeatures.
    fn backward(&self, dl_dz: &Bounds, storage: Storage, rows: std::ops::Range<usize>) -> (Bounds, Bounds) {
        let mut dl_dz = dl_dz.rows(rows.clone(), self.network.output_width);
        let mut grads = Bounds::exact(vec![0.0; self.params.len()]);
        for (l, layer) in self.layout.layers.iter().enumerate().rev() {
            let width = layer.shape.input_width;
            let x = self.inputs[l].rows(rows.clone(), width);
            let own = bounds::backward_weights(self.products, layer.shape, &dl_dz, &x);
            grads.values[layer.whole()].copy_from_slice(&own.values);
            grads.errors[layer.whole()].copy_from_slice(&own.errors);
            let w = &self.params[layer.weight.clone()];
            let dl_dx = bounds::backward_input(self.products, layer.shape, &dl_dz, w);
            dl_dz = match l.checked_sub(1) {
                None => dl_dx.stored(storage),
                Some(before) => {
                    let derivatives = self.derivatives[before].rows(rows.clone(), width);
                    let dl_dz = dl_dx.iter().zip(derivatives.iter()).map(|(dl, derivative)| dl * derivative);
                    dl_dz.collect::<Bounds>().stored(storage)
                }
            };
        }
        (grads, dl_dz)
    }
}

/// Positions of samples that another kernel has fetched.
fn coords(call: &Call, p: &FusedParams) -> Vec<f64> {
    call.f64s(2, 0, 2 * p.n_samples as usize)
}

fn samples(call: &Call, p: &FusedParams) -> Samples {
    if call.kernel.def.uses_step {
        return Samples::of_picture((&p.picture, p.n_samples), &call.buffers[2..2 + PARTS], call.step);
    }
    let n = p.n_samples as usize;
    let targets = call.f64s(3, 0, n * p.output_width as usize);
    Samples {
        coords: coords(call, p),
        coord_error: 0.0,
        targets: targets.into_iter().map(Bounded::exact).collect(),
        weights: call.f64s(4, 0, n),
    }
}

/// w l(p, t) / N and S dl_dz of each value.
fn loss(call: &Call, p: &FusedParams, z: &Bounds, samples: &Samples) -> (Bounds, Bounds) {
    let channels = p.output_width as usize;
    // Rounded to the integer N; the rest is the rounding of 1 / N.
    let scale = Bounded::of(1.0 / (1.0 / f64::from(p.scale)).round());
    let (loss, output) =
        (call.kernel.loss.expect("a loss is joined in"), call.kernel.output.expect("an output"));
    let one = |(i, (z, &t)): (usize, (Bounded, &Bounded))| {
        let weight = Bounded::exact(p.channel_weights[i % channels].into());
        let (prediction, derivative) = output.value_and_derivative(z);
        let (value, dl_dp) = loss.value_and_derivative(prediction, t);
        let scale = weight * scale * Bounded::exact(samples.weights[i / channels]);
        let times = Bounded::exact(p.gradient_scale.into());
        (scale * value, scale * (times * (dl_dp * derivative)))
    };
    let (values, dl_dz): (Vec<_>, Vec<_>) = z.iter().zip(&samples.targets).enumerate().map(one).unzip();
    (values.into_iter().collect(), dl_dz.into_iter().collect::<Bounds>().stored(call.kernel.storage))
}

fn groups(call: &Call, p: &FusedParams) -> Vec<std::ops::Range<usize>> {
    let length = call.kernel.size("BLOCK") as usize * p.blocks_per_group as usize;
    let n = p.n_samples as usize;
    (0..p.n_groups as usize).map(|g| (g * length).min(n)..((g + 1) * length).min(n)).collect()
}

pub(super) fn step(call: &Call, of_call: OfCall) -> Vec<Expected> {
    let p: FusedParams = call.params();
    let samples = samples(call, &p);
    let positions = Positions { coords: &samples.coords, error: samples.coord_error };
    let pass = Pass::new(call, of_call, positions);
    let (losses, dl_dz) = loss(call, &p, &pass.z, &samples);
    let (mut partials, mut loss_partials) = (Bounds::default(), Vec::new());
    let mut dl_dfeatures = Bounds::default();
    for rows in groups(call, &p) {
        let of_group = losses.rows(rows.clone(), pass.network.output_width);
        let (sum, error) = (of_group.values.iter().sum::<f64>(), of_group.errors.iter().sum::<f64>());
        // Losses are not negative: the relative error is that of the longest chain of additions, two within a vector,
        // one per block, and the seven levels of the largest tree.
        let roundings = f64::from(p.blocks_per_group) + 9.0;
        let error = error + roundings * ROUNDING * (sum + error) + FLUSH;
        loss_partials.push(Bounded { value: sum, error });
        let (grads, dl) = pass.backward(&dl_dz, call.kernel.storage, rows);
        partials.values.extend(grads.values);
        partials.errors.extend(grads.errors);
        // Times the unit, a power of two.
        let unit = 1.0 / f64::from(p.gradient_scale);
        dl_dfeatures.values.extend(dl.values.iter().map(|v| unit * v));
        dl_dfeatures.errors.extend(dl.errors.iter().map(|e| unit * e));
    }
    let mut expected = vec![close(5, 0, partials.values, partials.errors), close_bounded(6, loss_partials)];
    if let Encoding::Grid(hash_grid) = &pass.encoding {
        let before = &call.buffers[7][..2 * hash_grid.n_params()];
        let dl = (dl_dfeatures.values.as_slice(), dl_dfeatures.errors.as_slice());
        let (values, tolerances) = grid::sums(hash_grid, positions, dl, before);
        let values = ExpectedValues::FixedPoint { values, tolerances };
        expected.push(Expected { binding: 7, start: 0, values });
    }
    expected
}

pub(super) fn predict(call: &Call, of_call: OfCall) -> Vec<Expected> {
    let coords = coords(call, &call.params());
    let pass = Pass::new(call, of_call, Positions::exact(&coords));
    let output = pass.network.output_activation;
    vec![close_bounded(3, pass.z.iter().map(|z| output.value::<Bounded>(z)))]
}
