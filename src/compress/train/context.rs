//! Bits of the integers of a grid, whose densities a small network computes from their neighbours, with gradients.

use super::density::{Coded, bits_of};
use super::planes::{Planes, cut};
use super::strips::{Dense, DenseGradient, STRIP, Strip, relu, relu_backward};
use crate::compress::bands;
use crate::compress::shape::{CONTEXT_LAYERS, MARGIN, NEIGHBOURS, Shape};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a grid that are one piece of work.
const BAND: usize = 16;
/// Rows above that neighbours reach.
const REACH: usize = 3;

/// The network of probabilities.
pub(super) struct Context<T> {
    layers: [Dense<T>; 3],
    n_levels: usize,
}

/// What a band adds to the sums.
struct Part<T> {
    bits: f64,
    weights: Vec<T>,
    /// Gradients of the rows from `REACH` above the band on.
    grid: Vec<T>,
}

impl<T: Coded> Context<T> {
    pub(super) fn new(shape: &Shape, weights: &[T]) -> Self {
        let (layers, places) = (shape.layers(), shape.places());
        let dense = |n: usize| Dense::new(layers[n].inputs, layers[n].outputs, &weights[places[n].clone()]);
        Self { layers: [dense(0), dense(1), dense(2)], n_levels: shape.levels }
    }

    /// The bits of all grids. Their gradients times `lambda` are added to those of the weights and written to `gradients`.
    pub(super) fn run(
        &self,
        grids: &[Planes<T>],
        lambda: T,
        gradients: &mut [Planes<T>],
        weights: &mut [T],
    ) -> f64 {
        let bands = |level: usize| {
            let height = grids[level].height;
            (0..height).step_by(BAND).map(move |row| (level, row..(row + BAND).min(height)))
        };
        let work: Vec<(usize, Range<usize>)> = (0..grids.len()).flat_map(bands).collect();
        let parts: Vec<Part<T>> = work
            .par_iter()
            .map(|(level, rows)| {
                let band =
                    Band { context: self, grid: &grids[*level], level: *level, rows: rows.clone(), lambda };
                pulp::Arch::new().dispatch(band)
            })
            .collect();
        let mut bits = 0.0;
        for gradient in gradients.iter_mut() {
            gradient.rows_mut().fill(T::zero());
        }
        for (part, (level, rows)) in parts.iter().zip(work) {
            bits += part.bits;
            weights.iter_mut().zip(&part.weights).for_each(|(sum, &value)| *sum += value);
            let gradient = &mut gradients[level];
            let begin = (MARGIN + rows.start - REACH) * gradient.stride;
            let out = &mut gradient.data[begin..begin + part.grid.len()];
            out.iter_mut().zip(&part.grid).for_each(|(sum, &value)| *sum += value);
        }
        bits
    }

    fn n_params(&self) -> usize {
        let biases = 2 * self.n_levels - 2;
        self.layers.iter().map(|l| l.inputs * l.outputs + l.outputs).sum::<usize>() + biases
    }
}

struct Band<'a, T> {
    context: &'a Context<T>,
    grid: &'a Planes<T>,
    level: usize,
    rows: Range<usize>,
    lambda: T,
}

/// Values of a strip in every layer, and their gradients.
struct Strips<T> {
    x: Vec<Strip<T>>,
    hidden: [Vec<Strip<T>>; 2],
    out: [Strip<T>; 2],
    d_hidden: [Vec<Strip<T>>; 2],
    d_out: [Strip<T>; 2],
    d_x: Vec<Strip<T>>,
}

impl<T: Coded> WithSimd for Band<'_, T> {
    type Output = Part<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Part<T> {
        let [first, second, last] = &self.context.layers;
        let zeros = |n: usize| vec![Strip::<T>::default(); n];
        let hidden = first.outputs;
        let mut strips = Strips {
            x: zeros(first.inputs),
            hidden: [zeros(hidden), zeros(hidden)],
            out: Default::default(),
            d_hidden: [zeros(hidden), zeros(hidden)],
            d_out: Default::default(),
            d_x: zeros(first.inputs),
        };
        let mut sums = [first, second, last].map(|layer| DenseGradient::new(layer.inputs, layer.outputs));
        let stride = self.grid.stride;
        let mut grid = vec![T::zero(); (self.rows.len() + REACH) * stride];
        let mut bits = 0.0;
        for y in self.rows.clone() {
            for x in (0..self.grid.width).step_by(STRIP) {
                bits += self.strip(simd, (x, y), &mut strips, &mut sums, &mut grid).as_f64();
            }
        }
        let mut weights = vec![T::zero(); self.context.n_params()];
        let mut rest = &mut weights[..];
        for (layer, sums) in [first, second, last].into_iter().zip(&sums) {
            let is_last = layer.outputs == 2;
            sums.add_to(rest, if is_last { 2 * self.level } else { 0 });
            rest = &mut rest[if is_last { 0 } else { layer.inputs * layer.outputs + layer.outputs }..];
        }
        Part { bits, weights, grid }
    }
}

impl<T: Coded> Band<'_, T> {
    #[inline(always)]
    fn strip<S: Simd>(
        &self,
        simd: S,
        (x, y): (usize, usize),
        strips: &mut Strips<T>,
        sums: &mut [DenseGradient<T>; 3],
        grid: &mut [T],
    ) -> T {
        let [first, second, last] = &self.context.layers;
        let n = STRIP.min(self.grid.width - x);
        // Neighbours in the coded band before are 0 to the decoder.
        let above = (y % bands::BAND) as isize;
        for (strip, (dx, dy)) in strips.x.iter_mut().zip(NEIGHBOURS) {
            if above + dy < 0 {
                *strip = Strip::default();
            } else {
                self.grid.strip(0, x as isize + dx, y as isize + dy, strip);
            }
        }
        let [h1, h2] = &mut strips.hidden;
        first.forward(simd, &first.biases, &strips.x, h1);
        relu(h1);
        second.forward(simd, &second.biases, h1, h2);
        relu(h2);
        last.forward(simd, &last.biases[2 * self.level..], h2, &mut strips.out);

        let mut values = Strip::<T>::default();
        self.grid.strip(0, x as isize, y as isize, &mut values);
        let place = (y - self.rows.start + REACH) * self.grid.stride + MARGIN + x;
        let bits = self.density(n, &values, &strips.out, &mut strips.d_out, &mut grid[place..]);

        let [d1, d2] = &mut strips.d_hidden;
        last.backward(simd, &strips.d_out, d2);
        relu_backward(d2, h2);
        second.backward(simd, d2, d1);
        relu_backward(d1, h1);
        first.backward(simd, d1, &mut strips.d_x);
        sums[2].add(simd, h2, &strips.d_out);
        sums[1].add(simd, h1, d2);
        sums[0].add(simd, &strips.x, d1);
        for (strip, (dx, dy)) in strips.d_x.iter().zip(NEIGHBOURS) {
            if above + dy < 0 {
                continue;
            }
            let place = place as isize + dy * self.grid.stride as isize + dx;
            let out = &mut grid[place as usize..][..STRIP];
            for (sum, &value) in out.iter_mut().zip(strip.as_flattened()) {
                *sum += value;
            }
        }
        bits
    }

    /// The bits of `n` values; writes the gradients of the network's outputs and adds those of the values.
    #[inline(always)]
    fn density(
        &self,
        n: usize,
        values: &Strip<T>,
        [means, scales]: &[Strip<T>; 2],
        d_out: &mut [Strip<T>; 2],
        grid: &mut [T],
    ) -> T {
        let (means, scales, values) = (means.as_flattened(), scales.as_flattened(), values.as_flattened());
        let mut bits = Strip::<T>::default();
        let [d_means, d_scales] = &mut *d_out;
        let (d_means, d_scales) = (d_means.as_flattened_mut(), d_scales.as_flattened_mut());
        let bits_flat = bits.as_flattened_mut();
        let grid = &mut grid[..STRIP];
        for p in 0..STRIP {
            let found = bits_of(values[p], means[p], scales[p]);
            bits_flat[p] = found.bits;
            d_means[p] = -found.by_value * self.lambda;
            d_scales[p] = found.by_scale * self.lambda;
        }
        cut(d_out, n);
        for (sum, &mean) in grid.iter_mut().zip(d_out[0].as_flattened()) {
            *sum -= mean;
        }
        bits.as_flattened()[..n].iter().fold(T::zero(), |sum, &b| sum + b)
    }
}

/// The network's place among all weights.
pub(super) fn place(shape: &Shape) -> Range<usize> {
    let places = shape.places();
    places[CONTEXT_LAYERS.start].start..places[CONTEXT_LAYERS.end - 1].end
}
