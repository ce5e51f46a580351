//! Training of the grids and networks of one picture: bits and squared error, their gradients, and Adam.

mod colours;
mod context;
mod convolution;
pub(super) mod density;
mod planes;
mod rounding;
#[expect(clippy::needless_range_loop, reason = "sums stay in registers only where loops have plain bounds")]
mod strips;
#[cfg(test)]
mod tests;
mod upsample;

pub(super) use rounding::Rounding;

use super::coder::MAX_INTEGER;
use super::fixed::Rows;
use super::shape::{Shape, TAPS_LAYER};
use crate::backend::cpu::simd::vectorised;
use crate::picture::Picture;
use colours::{Between, Colours};
use context::Context;
use density::Coded;
use planes::Planes;
use rayon::prelude::*;

/// Bits, and the sum over all pixels of the squared error's mean over their values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) bits: f64,
    pub(super) error: f64,
}

/// First and second moments of gradients.
struct Moments<T>(Vec<T>, Vec<T>);

impl<T: Coded> Moments<T> {
    fn new(n: usize) -> Self {
        Self(vec![T::zero(); n], vec![T::zero(); n])
    }
}

/// Steps of Adam: the learning rate with the corrections of both moments.
#[derive(Clone, Copy)]
struct AdamStep<T> {
    rate: T,
    epsilon: T,
}

const BETAS: (f64, f64) = (0.9, 0.999);

impl<T: Coded> AdamStep<T> {
    fn new(rate: f64, step: u32) -> Self {
        let [first, second] = [BETAS.0, BETAS.1].map(|beta| 1.0 - libm::pow(beta, f64::from(step)));
        // rate (m / first) / (sqrt(v / second) + 1e-8)
        Self { rate: T::of(rate * libm::sqrt(second) / first), epsilon: T::of(1e-8 * libm::sqrt(second)) }
    }

    #[inline(always)]
    fn apply(self, numbers: &mut [T], gradients: impl Iterator<Item = T>, (m, v): (&mut [T], &mut [T])) {
        for (((x, g), m), v) in numbers.iter_mut().zip(gradients).zip(m).zip(v) {
            *m = T::of(BETAS.0) * *m + T::of(1.0 - BETAS.0) * g;
            *v = T::of(BETAS.1) * *v + T::of(1.0 - BETAS.1) * g * g;
            *x -= self.rate * *m / (v.sqrt() + self.epsilon);
        }
    }
}

/// All that is trained, and what a step needs.
pub(super) struct Trainer<T> {
    pub(super) shape: Shape,
    target: Planes<T>,
    pub(super) weights: Vec<T>,
    /// Numbers that the grids' integers are rounded from.
    numbers: Vec<Planes<T>>,
    /// What replaces the integers, with its derivatives.
    rounded: Vec<Planes<T>>,
    slopes: Vec<Planes<T>>,
    d_rounded: Vec<Planes<T>>,
    d_weights: Vec<T>,
    moments: (Moments<T>, Vec<Moments<T>>),
    /// For each level, its grid and all coarser ones at its size, with gradients; and between two levels.
    stacks: [Vec<Planes<T>>; 2],
    between: [Vec<Planes<T>>; 2],
    colours: Between<T>,
    step: u32,
    seed: u32,
}

impl<T: Coded> Trainer<T> {
    pub(super) fn new(shape: Shape, picture: &Picture, weights: Vec<T>, seed: u64) -> Self {
        let grids = || (0..shape.levels).map(|level| Planes::new(shape.grid(level), 1)).collect::<Vec<_>>();
        let stack = |level| Planes::new(shape.grid(level), shape.levels - level);
        let stacks = || (0..shape.levels).map(stack).collect::<Vec<_>>();
        let pair = |level| Planes::new((shape.grid(level - 1).0, shape.grid(level).1), shape.levels - level);
        let pairs = || (1..shape.levels).map(pair).collect::<Vec<_>>();
        let numbers = grids();
        let moments = |n: usize| Moments::new(n);
        Self {
            target: target(&shape, picture),
            rounded: grids(),
            slopes: grids(),
            d_rounded: grids(),
            d_weights: vec![T::zero(); weights.len()],
            moments: (moments(weights.len()), numbers.iter().map(|grid| moments(grid.data.len())).collect()),
            stacks: [stacks(), stacks()],
            between: [pairs(), pairs()],
            colours: Between::new(&shape),
            step: 0,
            seed: seed as u32,
            shape,
            weights,
            numbers,
        }
    }

    /// Sets each number of the grids.
    #[cfg(test)]
    pub(super) fn set_numbers(&mut self, number: impl Fn(usize, usize, usize) -> T) {
        for (level, grid) in self.numbers.iter_mut().enumerate() {
            for y in 0..grid.height {
                let place = grid.place(0, 0, y as isize);
                for x in 0..grid.width {
                    grid.data[place + x] = number(level, x, y);
                }
            }
        }
    }

    fn taps(&self, level: usize) -> [T; 4] {
        let begin = self.shape.places()[TAPS_LAYER].start + 4 * (level - 1);
        *self.weights[begin..].first_chunk().expect("four taps")
    }

    /// Rounds the grids' numbers.
    pub(super) fn round(&mut self, rounding: Rounding) {
        let seed = self.seed ^ self.step.wrapping_mul(0x85eb_ca6b);
        let mut first = 0;
        for ((numbers, rounded), slopes) in self.numbers.iter().zip(&mut self.rounded).zip(&mut self.slopes) {
            let row = numbers.row_len();
            let margin = numbers.place(0, 0, 0) % row;
            let out = rounded.rows_mut().par_chunks_mut(row).zip(slopes.rows_mut().par_chunks_mut(row));
            out.enumerate().for_each(|(y, (out, slopes))| {
                let columns = margin..margin + numbers.width;
                let place = (first + y as u32 * numbers.width as u32, seed);
                let (out, slopes) = (&mut out[columns.clone()], &mut slopes[columns]);
                vectorised!(rounding.apply(numbers.row(0, y), place, out, slopes));
            });
            first += (numbers.width * numbers.height) as u32;
        }
    }

    /// The grids as they were rounded last.
    pub(super) fn integers(&self) -> Vec<Rows> {
        let limit = f64::from(MAX_INTEGER);
        let integer = |&x: &T| x.as_f64().clamp(-limit, limit) as i32;
        let grid = |grid: &Planes<T>| {
            let data = (0..grid.height).flat_map(|y| grid.row(0, y).iter().map(integer)).collect();
            Rows { width: grid.width, height: grid.height, rows: 0..grid.height, planes: 1, data }
        };
        self.rounded.iter().map(grid).collect()
    }

    /// The squared error of the rounded grids' colours.
    pub(super) fn error(&mut self) -> f64 {
        let [stacks, _] = &mut self.stacks;
        for (stack, rounded) in stacks.iter_mut().zip(&self.rounded) {
            let (row, stride) = (stack.row_len(), stack.stride);
            for (out, rounded) in stack.rows_mut().chunks_exact_mut(row).zip(rounded_rows(rounded)) {
                out[..stride].copy_from_slice(rounded);
            }
        }
        for level in (1..self.shape.levels).rev() {
            let taps = self.taps(level);
            let (fine, coarse) = self.stacks[0].split_at_mut(level);
            upsample::upsample(taps, &coarse[0], &mut self.between[0][level - 1], &mut fine[level - 1]);
        }
        let colours = Colours::new(&self.shape, &self.weights);
        colours.forward(&self.stacks[0][0], &self.target, &mut self.colours)
    }

    /// The bits of the rounded grids; their gradients times `lambda` begin those of the step.
    pub(super) fn bits(&mut self, lambda: f64) -> f64 {
        let place = context::place(&self.shape);
        let context = Context::new(&self.shape, &self.weights);
        self.d_weights.fill(T::zero());
        context.run(&self.rounded, T::of(lambda), &mut self.d_rounded, &mut self.d_weights[place])
    }

    /// Squared error plus `lambda` times bits of the rounded grids, and the gradients of both.
    pub(super) fn gradients(&mut self, lambda: f64) -> Cost {
        let cost = Cost { bits: self.bits(lambda), error: self.error() };
        let colours = Colours::new(&self.shape, &self.weights);
        let [stacks, d_stacks] = &mut self.stacks;
        let [between, d_between] = &mut self.between;
        colours.backward(&stacks[0], &mut self.colours, &mut d_stacks[0], &mut self.d_weights, &self.shape);
        let taps_begin = self.shape.places()[TAPS_LAYER].start;
        for level in 1..self.shape.levels {
            let begin = taps_begin + 4 * (level - 1);
            let taps = *self.weights[begin..].first_chunk().expect("four taps");
            let (fine, coarse) = d_stacks.split_at_mut(level);
            let d_taps = upsample::backward(
                taps,
                (&stacks[level], &mut coarse[0]),
                (&between[level - 1], &mut d_between[level - 1]),
                &fine[level - 1],
            );
            self.d_weights[begin..].iter_mut().zip(d_taps).for_each(|(sum, d)| *sum += d);
        }
        for (d_rounded, d_stack) in self.d_rounded.iter_mut().zip(d_stacks) {
            let row = d_rounded.row_len();
            for (y, out) in d_rounded.rows_mut().chunks_exact_mut(row).enumerate() {
                let begin = d_stack.place(0, 0, 0) % d_stack.row_len();
                out[begin..].iter_mut().zip(d_stack.row(0, y)).for_each(|(sum, &d)| *sum += d);
            }
        }
        cost
    }

    /// A step of Adam along the gradients, at rates for the grids' numbers and for the weights.
    pub(super) fn update(&mut self, rates: (f64, f64)) {
        self.step += 1;
        let step = AdamStep::new(rates.1, self.step);
        let Moments(m, v) = &mut self.moments.0;
        step.apply(&mut self.weights, self.d_weights.iter().copied(), (m, v));
        let step = AdamStep::new(rates.0, self.step);
        let grids = self.numbers.iter_mut().zip(&self.d_rounded).zip(&self.slopes).zip(&mut self.moments.1);
        for (((numbers, gradients), slopes), Moments(m, v)) in grids {
            /// Numbers updated at a time.
            const CHUNK: usize = 1 << 14;
            let all = numbers.data.par_chunks_mut(CHUNK).zip(gradients.data.par_chunks(CHUNK));
            let all = all.zip(slopes.data.par_chunks(CHUNK));
            let all = all.zip(m.par_chunks_mut(CHUNK)).zip(v.par_chunks_mut(CHUNK));
            all.for_each(|((((numbers, gradients), slopes), m), v)| {
                let gradients = gradients.iter().zip(slopes).map(
                    #[inline(always)]
                    |(&by_rounded, &slope)| by_rounded * slope,
                );
                vectorised!(step.apply(numbers, gradients, (m, v)));
            });
        }
    }
}

/// The rows of the only plane, with their margins.
fn rounded_rows<T: Coded>(planes: &Planes<T>) -> impl Iterator<Item = &[T]> {
    (0..planes.height).map(|y| {
        &planes.data[planes.place(0, 0, y as isize) / planes.stride * planes.stride..][..planes.stride]
    })
}

fn target<T: Coded>(shape: &Shape, picture: &Picture) -> Planes<T> {
    let mut target = Planes::new(shape.grid(0), shape.channels);
    for y in 0..target.height {
        for plane in 0..target.count {
            let place = target.place(plane, 0, y as isize);
            for x in 0..target.width {
                let value = picture.pixels.value((y * target.width + x) * target.count + plane);
                target.data[place + x] = T::from_f32(value);
            }
        }
    }
    target
}
