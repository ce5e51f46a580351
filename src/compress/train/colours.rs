//! Colours from the enlarged grids, their squared error, and its gradients.

use super::convolution::{Convolution, gather};
use super::density::Coded;
use super::planes::{Planes, cut};
use super::strips::{Dense, DenseGradient, STRIP, Strip, relu, relu_backward};
use crate::compress::shape::{COLOUR_LAYERS, MARGIN, Shape};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a picture that are one piece of work.
const BAND: usize = 8;

/// The network of colours: two dense layers, then z + relu(conv z), then r + conv r.
pub(super) struct Colours<T> {
    dense: [Dense<T>; 2],
    convolutions: [Convolution<T>; 2],
}

/// Planes between the layers, kept from step to step.
pub(super) struct Between<T> {
    /// Behind the dense layers, and behind each convolution.
    pub(super) values: [Planes<T>; 3],
    /// The error of the colours times 2 / channels.
    d_out: Planes<T>,
    d_refined: Planes<T>,
    /// The same where the first convolution's relu is open.
    d_open: Planes<T>,
}

impl<T: Coded> Between<T> {
    pub(super) fn new(shape: &Shape) -> Self {
        let planes = || Planes::new(shape.grid(0), shape.channels);
        let values = [planes(), planes(), planes()];
        Self { values, d_out: planes(), d_refined: planes(), d_open: planes() }
    }
}

impl<T: Coded> Colours<T> {
    pub(super) fn new(shape: &Shape, weights: &[T]) -> Self {
        let (layers, places) = (shape.layers(), shape.places());
        let values = |n: usize| &weights[places[n].clone()];
        let dense = |n: usize| Dense::new(layers[n].inputs, layers[n].outputs, values(n));
        let convolution = |n: usize| Convolution::new(shape.channels, values(n));
        Self { dense: [dense(3), dense(4)], convolutions: [convolution(5), convolution(6)] }
    }

    /// The sum over all pixels of the squared error's mean over their values.
    pub(super) fn forward(&self, input: &Planes<T>, target: &Planes<T>, between: &mut Between<T>) -> f64 {
        let Between { values: [mixed, refined, out], d_out, .. } = between;
        in_bands(mixed, |rows, out| Mix { colours: self, input, rows, out });
        let [first, second] = &self.convolutions;
        in_bands(refined, |rows, out| Refine { layer: first, input: mixed, opens: true, rows, out });
        in_bands(out, |rows, out| Refine { layer: second, input: refined, opens: false, rows, out });
        let scale = T::of(2.0 / target.count as f64);
        let (row, width) = (out.row_len(), out.width);
        let rows = d_out.rows_mut().par_chunks_mut(row).enumerate().map(|(y, d_row)| {
            let mut sum = T::zero();
            for plane in 0..target.count {
                let d = &mut d_row[plane * target.stride + MARGIN..][..width];
                for ((d, &found), &wanted) in d.iter_mut().zip(out.row(plane, y)).zip(target.row(plane, y)) {
                    let error = found - wanted;
                    sum += error * error;
                    *d = error * scale;
                }
            }
            sum.as_f64()
        });
        rows.collect::<Vec<_>>().iter().sum::<f64>() / target.count as f64
    }

    /// The gradients of what [`Self::forward`] returned last, by its input and added to those by the weights.
    pub(super) fn backward(
        &self,
        input: &Planes<T>,
        between: &mut Between<T>,
        d_input: &mut Planes<T>,
        weights: &mut [T],
        shape: &Shape,
    ) {
        let Between { values: [mixed, refined, _], d_out, d_refined, d_open } = between;
        let (row, height) = (d_refined.row_len(), d_out.height);
        let d_refined_bands = d_refined.rows_mut().par_chunks_mut(BAND * row);
        let out = d_refined_bands.zip(d_open.rows_mut().par_chunks_mut(BAND * row)).enumerate();
        let layer = &self.convolutions[1];
        let second = out.map(|(n, (d_refined, d_open))| {
            let rows = band(n, height);
            let work = RefineBackward { layer, refined, mixed, d_out, rows, d_refined, d_open };
            pulp::Arch::new().dispatch(work)
        });
        let second: Vec<_> = second.collect();
        let colours = self;
        let work = |rows, out| MixBackward { colours, input, mixed, d_refined, d_open, rows, out };
        let first = in_bands(d_input, work);
        let places = shape.places();
        let [mix, last, convolution, end] = [0, 1, 2, 3].map(|n| places[COLOUR_LAYERS.start + n].clone());
        for sums in &first {
            for (sums, place) in sums.iter().zip([&mix, &last, &convolution]) {
                sums.add_to(&mut weights[place.clone()], 0);
            }
        }
        second.iter().for_each(|sums| sums.add_to(&mut weights[end.clone()], 0));
    }
}

/// The rows of a band.
fn band(n: usize, height: usize) -> Range<usize> {
    n * BAND..((n + 1) * BAND).min(height)
}

/// Runs a work for each band of rows of `out`.
fn in_bands<'a, T: Coded, W: WithSimd<Output: Send>>(
    out: &'a mut Planes<T>,
    work: impl Fn(Range<usize>, &'a mut [T]) -> W + Sync,
) -> Vec<W::Output> {
    let (row, height) = (out.row_len(), out.height);
    let bands = out.rows_mut().par_chunks_mut(BAND * row).enumerate();
    bands.map(|(n, out)| pulp::Arch::new().dispatch(work(band(n, height), out))).collect()
}

fn zeros<T: Coded>(n: usize) -> Vec<Strip<T>> {
    vec![Strip::default(); n]
}

/// Writes `n` pixels of each strip to a row of a chunk of rows of planes.
#[inline(always)]
fn store<T: Coded>(strips: &[Strip<T>], (x, n): (usize, usize), row: &mut [T]) {
    let stride = row.len() / strips.len();
    for (strip, row) in strips.iter().zip(row.chunks_exact_mut(stride)) {
        row[MARGIN + x..MARGIN + x + n].copy_from_slice(&strip.as_flattened()[..n]);
    }
}

/// The dense layers.
struct Mix<'a, T> {
    colours: &'a Colours<T>,
    input: &'a Planes<T>,
    rows: Range<usize>,
    out: &'a mut [T],
}

impl<T: Coded> WithSimd for Mix<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [first, last] = &self.colours.dense;
        let (mut x, mut hidden, mut z) = (zeros(first.inputs), zeros(first.outputs), zeros(last.outputs));
        let row_len = self.out.len() / self.rows.len();
        for (y, row) in self.rows.zip(self.out.chunks_exact_mut(row_len)) {
            for begin in (0..self.input.width).step_by(STRIP) {
                for (plane, strip) in x.iter_mut().enumerate() {
                    self.input.strip(plane, begin as isize, y as isize, strip);
                }
                first.forward(simd, &first.biases, &x, &mut hidden);
                relu(&mut hidden);
                last.forward(simd, &last.biases, &hidden, &mut z);
                store(&z, (begin, STRIP.min(self.input.width - begin)), row);
            }
        }
    }
}

/// A convolution added to its input.
struct Refine<'a, T> {
    layer: &'a Convolution<T>,
    input: &'a Planes<T>,
    /// Whether only what is positive is added.
    opens: bool,
    rows: Range<usize>,
    out: &'a mut [T],
}

impl<T: Coded> WithSimd for Refine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let layer = &self.layer.forward;
        let (mut x, mut z) = (zeros(layer.inputs), zeros(layer.outputs));
        let row_len = self.out.len() / self.rows.len();
        for (y, row) in self.rows.zip(self.out.chunks_exact_mut(row_len)) {
            for begin in (0..self.input.width).step_by(STRIP) {
                gather(self.input, (begin, y), &mut x);
                layer.forward(simd, &layer.biases, &x, &mut z);
                if self.opens {
                    relu(&mut z);
                }
                add(&mut z, &x[4 * self.input.count..]);
                store(&z, (begin, STRIP.min(self.input.width - begin)), row);
            }
        }
    }
}

#[inline(always)]
fn add<T: Coded>(sums: &mut [Strip<T>], strips: &[Strip<T>]) {
    let strips = strips.as_flattened().as_flattened();
    for (sum, &value) in sums.as_flattened_mut().as_flattened_mut().iter_mut().zip(strips) {
        *sum += value;
    }
}

/// Back through the second convolution and the first one's relu.
struct RefineBackward<'a, T> {
    layer: &'a Convolution<T>,
    refined: &'a Planes<T>,
    mixed: &'a Planes<T>,
    d_out: &'a Planes<T>,
    rows: Range<usize>,
    d_refined: &'a mut [T],
    d_open: &'a mut [T],
}

impl<T: Coded> WithSimd for RefineBackward<'_, T> {
    type Output = DenseGradient<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> DenseGradient<T> {
        let Convolution { forward, backward } = self.layer;
        let channels = forward.outputs;
        let mut sums = DenseGradient::new(forward.inputs, channels);
        let (mut x, mut d, mut d_x) = (zeros(forward.inputs), zeros(forward.inputs), zeros(channels));
        let mut z = zeros(channels);
        let row_len = self.d_open.len() / self.rows.len();
        let out = self.d_refined.chunks_exact_mut(row_len).zip(self.d_open.chunks_exact_mut(row_len));
        for (y, (d_refined, d_open)) in self.rows.zip(out) {
            for begin in (0..self.refined.width).step_by(STRIP) {
                let n = STRIP.min(self.refined.width - begin);
                gather(self.refined, (begin, y), &mut x);
                gather(self.d_out, (begin, y), &mut d);
                backward.forward(simd, &backward.biases, &d, &mut d_x);
                let middle = 4 * channels..5 * channels;
                add(&mut d_x, &d[middle.clone()]);
                store(&d_x, (begin, n), d_refined);
                cut(&mut d[middle.clone()], n);
                sums.add(simd, &x, &d[middle.clone()]);
                for (plane, z) in z.iter_mut().enumerate() {
                    self.mixed.strip(plane, begin as isize, y as isize, z);
                }
                let (refined, mixed) =
                    (x[middle].as_flattened().as_flattened(), z.as_flattened().as_flattened());
                for ((d, &r), &z) in
                    d_x.as_flattened_mut().as_flattened_mut().iter_mut().zip(refined).zip(mixed)
                {
                    *d = (r - z).if_positive(*d, T::zero());
                }
                store(&d_x, (begin, n), d_open);
            }
        }
        sums
    }
}

/// Back through the first convolution and the dense layers.
struct MixBackward<'a, T> {
    colours: &'a Colours<T>,
    input: &'a Planes<T>,
    mixed: &'a Planes<T>,
    d_refined: &'a Planes<T>,
    d_open: &'a Planes<T>,
    rows: Range<usize>,
    out: &'a mut [T],
}

impl<T: Coded> WithSimd for MixBackward<'_, T> {
    type Output = [DenseGradient<T>; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [DenseGradient<T>; 3] {
        let [first, last] = &self.colours.dense;
        let Convolution { forward, backward } = &self.colours.convolutions[0];
        let mut sums = [first, last, forward].map(|layer| DenseGradient::new(layer.inputs, layer.outputs));
        let channels = last.outputs;
        let (mut around, mut d_around) = (zeros(forward.inputs), zeros(forward.inputs));
        let (mut x, mut hidden) = (zeros(first.inputs), zeros(first.outputs));
        let (mut d_x, mut d_hidden, mut d_z) = (zeros(first.inputs), zeros(first.outputs), zeros(channels));
        let row_len = self.out.len() / self.rows.len();
        for (y, row) in self.rows.zip(self.out.chunks_exact_mut(row_len)) {
            for begin in (0..self.input.width).step_by(STRIP) {
                let n = STRIP.min(self.input.width - begin);
                gather(self.mixed, (begin, y), &mut around);
                gather(self.d_open, (begin, y), &mut d_around);
                backward.forward(simd, &backward.biases, &d_around, &mut d_z);
                let middle = &mut d_around[4 * channels..5 * channels];
                cut(middle, n);
                sums[2].add(simd, &around, middle);
                // The middle's place is free now.
                for (plane, strip) in middle.iter_mut().enumerate() {
                    self.d_refined.strip(plane, begin as isize, y as isize, strip);
                }
                add(&mut d_z, middle);
                cut(&mut d_z, n);
                for (plane, strip) in x.iter_mut().enumerate() {
                    self.input.strip(plane, begin as isize, y as isize, strip);
                }
                first.forward(simd, &first.biases, &x, &mut hidden);
                relu(&mut hidden);
                last.backward(simd, &d_z, &mut d_hidden);
                relu_backward(&mut d_hidden, &hidden);
                first.backward(simd, &d_hidden, &mut d_x);
                sums[1].add(simd, &hidden, &d_z);
                sums[0].add(simd, &x, &d_hidden);
                store(&d_x, (begin, n), row);
            }
        }
        sums
    }
}
