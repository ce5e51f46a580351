//! The two networks in integers. Every sum wraps around, so that any file gives the same result on any machine.

use super::shape::{HIDDEN, Layer, NEIGHBOURS, Shape, TAPS_LAYER, taps_of};
use super::tables::{Density, MEAN_STEPS, SCALE_STEPS};
use crate::backend::cpu::simd::vectorised;
use std::ops::Range;

/// Bits behind the point of all values between layers.
pub(super) const POINT: u32 = 10;
/// Most bits behind the point of weights.
pub(super) const MAX_WEIGHT_POINT: u32 = 12;

/// A layer's weights and biases as integers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FixedLayer {
    /// Bits behind the point of the weights, at most [`MAX_WEIGHT_POINT`].
    pub(super) weight_point: u32,
    /// Bits behind the point of the biases, at most [`POINT`].
    pub(super) bias_point: u32,
    /// (inputs, outputs)
    pub(super) weights: Vec<i32>,
    pub(super) biases: Vec<i32>,
}

impl FixedLayer {
    /// A bias as it is added to a sum of weighted values.
    fn bias(&self, n: usize) -> i32 {
        self.biases[n].wrapping_shl(POINT + self.weight_point - self.bias_point)
    }

    fn half(&self) -> i32 {
        (1 << self.weight_point) >> 1
    }
}

/// The network of probabilities.
pub(super) struct FixedContext {
    weights: [[[i32; HIDDEN]; HIDDEN]; 2],
    biases: [[i32; HIDDEN]; 2],
    points: [u32; 3],
    last: [[i32; HIDDEN]; 2],
    /// For each level.
    last_biases: Vec<[i32; 2]>,
}

impl FixedContext {
    pub(super) fn new(shape: &Shape, layers: &[FixedLayer]) -> Self {
        let [mut weights, mut biases] = [[[[0; HIDDEN]; HIDDEN]; 2], [[[0; HIDDEN]; HIDDEN]; 2]];
        let mut last = [[0; HIDDEN]; 2];
        let sizes = shape.layers();
        for n in 0..2 {
            for (i, row) in layers[n].weights.chunks_exact(sizes[n].outputs).enumerate() {
                weights[n][i][..row.len()].copy_from_slice(row);
            }
            (0..sizes[n].outputs).for_each(|o| biases[n][0][o] = layers[n].bias(o));
        }
        for (i, row) in layers[2].weights.chunks_exact(2).enumerate() {
            (last[0][i], last[1][i]) = (row[0], row[1]);
        }
        let last_biases =
            (0..shape.levels).map(|l| [layers[2].bias(2 * l), layers[2].bias(2 * l + 1)]).collect();
        let points = [0, 1, 2].map(|n: usize| layers[n].weight_point);
        let biases = [biases[0][0], biases[1][0]];
        Self { weights, biases, points, last, last_biases }
    }

    /// The distribution of an integer with these neighbours, which have [`POINT`] bits behind the point.
    #[inline(always)]
    pub(super) fn density(&self, level: usize, neighbours: &[i32; NEIGHBOURS.len()]) -> Density {
        let mut values = *neighbours;
        for n in 0..2 {
            let mut sums = self.biases[n];
            for i in 0..HIDDEN {
                let x = values[i];
                if x != 0 {
                    let row = &self.weights[n][i];
                    for o in 0..HIDDEN {
                        sums[o] = sums[o].wrapping_add(row[o].wrapping_mul(x));
                    }
                }
            }
            let half = (1 << self.points[n]) >> 1;
            for o in 0..HIDDEN {
                values[o] = (sums[o].wrapping_add(half) >> self.points[n]).max(0);
            }
        }
        let out = [0, 1].map(|o: usize| {
            let mut sum = self.last_biases[level][o].wrapping_add((1 << self.points[2]) >> 1);
            for i in 0..HIDDEN {
                sum = sum.wrapping_add(self.last[o][i].wrapping_mul(values[i]));
            }
            sum >> self.points[2]
        });
        let to_steps = |value: i32, steps: i32| {
            let shift = POINT - steps.trailing_zeros();
            value.wrapping_add(1 << (shift - 1)) >> shift
        };
        Density::new(to_steps(out[0], MEAN_STEPS), to_steps(out[1], SCALE_STEPS))
    }
}

/// Some rows of a picture or grid.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) width: usize,
    /// Rows of the whole, and which of them these are.
    pub(super) height: usize,
    pub(super) rows: Range<usize>,
    pub(super) planes: usize,
    /// (rows, planes, width)
    pub(super) data: Vec<i32>,
}

impl Rows {
    pub(super) fn new((width, height): (usize, usize), rows: Range<usize>, planes: usize) -> Self {
        Self { width, height, planes, data: vec![0; rows.len() * planes * width], rows }
    }

    pub(super) fn row(&self, plane: usize, y: usize) -> &[i32] {
        &self.data[((y - self.rows.start) * self.planes + plane) * self.width..][..self.width]
    }

    fn row_mut(&mut self, plane: usize, y: usize) -> &mut [i32] {
        &mut self.data[((y - self.rows.start) * self.planes + plane) * self.width..][..self.width]
    }
}

/// The coarse rows that fine `rows` are made of.
pub(super) fn coarse_rows(rows: &Range<usize>, n_coarse: usize) -> Range<usize> {
    taps_of(rows.start, n_coarse)[0].0..taps_of(rows.end - 1, n_coarse)[3].0 + 1
}

/// The rows of a picture that `rows` of its colours are made of: convolutions reach two rows.
pub(super) fn around(rows: &Range<usize>, height: usize) -> Range<usize> {
    rows.start.saturating_sub(2)..(rows.end + 2).min(height)
}

/// Makes colours of grids.
pub(super) struct FixedColours<'a> {
    pub(super) shape: &'a Shape,
    pub(super) layers: &'a [FixedLayer],
}

impl FixedColours<'_> {
    /// Values from 0 to 255 of `rows`, from the integers of each grid, which has at least the rows that it takes.
    pub(super) fn run(&self, grids: &[Rows], rows: &Range<usize>) -> Vec<u8> {
        vectorised!(self.work(grids, rows))
    }

    #[inline(always)]
    fn work(&self, grids: &[Rows], rows: &Range<usize>) -> Vec<u8> {
        let height = self.shape.height as usize;
        let wide = around(rows, height);
        let inputs = self.enlarge(grids, &wide, 0);
        let mixed = self.mix(&inputs);
        let inner = rows.start.saturating_sub(1)..(rows.end + 1).min(height);
        let refined = self.refine(5, &mixed, inner, true);
        let colours = self.refine(6, &refined, rows.clone(), false);
        let mut out = Vec::with_capacity(colours.data.len());
        for y in rows.clone() {
            for x in 0..colours.width {
                for plane in 0..colours.planes {
                    let value = colours.row(plane, y)[x].clamp(0, 1 << POINT);
                    out.push(((value * 255 + (1 << (POINT - 1))) >> POINT) as u8);
                }
            }
        }
        out
    }

    /// A grid and all coarser ones at its size.
    #[inline(always)]
    fn enlarge(&self, grids: &[Rows], rows: &Range<usize>, level: usize) -> Rows {
        let mut needed = vec![rows.clone()];
        for finer in level + 1..self.shape.levels {
            let rows = coarse_rows(&needed[finer - level - 1], self.shape.grid(finer).1);
            needed.push(rows);
        }
        let mut stack = Rows::default();
        for level in (0..self.shape.levels).rev() {
            let size = self.shape.grid(level);
            let mut finer = Rows::new(size, needed[level].clone(), self.shape.levels - level);
            for y in finer.rows.clone() {
                for (out, &integer) in finer.row_mut(0, y).iter_mut().zip(grids[level].row(0, y)) {
                    *out = integer.wrapping_shl(POINT);
                }
            }
            if level + 1 < self.shape.levels {
                self.double(level, &stack, &mut finer);
            }
            stack = finer;
        }
        stack
    }

    /// Writes a stack, twice as large, to the planes of `fine` behind the first.
    #[inline(always)]
    fn double(&self, level: usize, coarse: &Rows, fine: &mut Rows) {
        let layer = &self.layers[TAPS_LAYER];
        let taps: [i32; 4] = *layer.weights[4 * level..].first_chunk().expect("four taps");
        let (half, point) = (layer.half(), layer.weight_point);
        let mut wide = Rows::new((fine.width, coarse.height), coarse.rows.clone(), coarse.planes);
        let mut padded = Vec::new();
        for y in coarse.rows.clone() {
            for plane in 0..coarse.planes {
                let row = coarse.row(plane, y);
                padded.clear();
                padded.extend([row[0]; 2]);
                padded.extend_from_slice(row);
                padded.extend([row[row.len() - 1]; 2]);
                let out = wide.row_mut(plane, y);
                for (out, x) in out.chunks_mut(2).zip(padded.windows(5)) {
                    let sum = |x: [i32; 4]| weighted(&taps, x).wrapping_add(half) >> point;
                    out[0] = sum([x[0], x[1], x[2], x[3]]);
                    if let Some(out) = out.get_mut(1) {
                        *out = sum([x[4], x[3], x[2], x[1]]);
                    }
                }
            }
        }
        for y in fine.rows.clone() {
            let places = taps_of(y, coarse.height);
            let taps = places.map(|(_, tap)| taps[tap]);
            for plane in 0..coarse.planes {
                let [a, b, c, d] = places.map(|(row, _)| wide.row(plane, row));
                for ((((out, &a), &b), &c), &d) in
                    fine.row_mut(plane + 1, y).iter_mut().zip(a).zip(b).zip(c).zip(d)
                {
                    *out = weighted(&taps, [a, b, c, d]).wrapping_add(half) >> point;
                }
            }
        }
    }

    /// The dense layers.
    #[inline(always)]
    fn mix(&self, inputs: &Rows) -> Rows {
        let mut out = Rows::new((inputs.width, inputs.height), inputs.rows.clone(), self.shape.channels);
        let [first, last] = [&self.layers[3], &self.layers[4]];
        let mut hidden = vec![[0; CHUNK]; self.shape.features];
        let mut x = vec![[0; CHUNK]; inputs.planes];
        for y in inputs.rows.clone() {
            for begin in (0..inputs.width).step_by(CHUNK) {
                let n = CHUNK.min(inputs.width - begin);
                for (plane, x) in x.iter_mut().enumerate() {
                    x[..n].copy_from_slice(&inputs.row(plane, y)[begin..begin + n]);
                }
                for (o, hidden) in hidden.iter_mut().enumerate() {
                    *hidden = dense(first, &x, o);
                    for value in hidden {
                        *value = (*value).max(0);
                    }
                }
                for o in 0..self.shape.channels {
                    let values = dense(last, &hidden, o);
                    out.row_mut(o, y)[begin..begin + n].copy_from_slice(&values[..n]);
                }
            }
        }
        out
    }

    /// A convolution added to its input; of what is added only what is positive, if it `opens`.
    #[inline(always)]
    fn refine(&self, layer: usize, inputs: &Rows, rows: Range<usize>, opens: bool) -> Rows {
        let layer = &self.layers[layer];
        let planes = self.shape.channels;
        let mut out = Rows::new((inputs.width, inputs.height), rows.clone(), planes);
        let mut x = vec![[0; CHUNK]; 9 * planes];
        for y in rows {
            for begin in (0..inputs.width).step_by(CHUNK) {
                let n = CHUNK.min(inputs.width - begin);
                for (place, x) in x.chunks_exact_mut(planes).enumerate() {
                    let row = (y + place / 3).checked_sub(1).filter(|&row| row < inputs.height);
                    for (plane, x) in x.iter_mut().enumerate() {
                        shifted(row.map(|row| inputs.row(plane, row)), begin, place % 3, x);
                    }
                }
                for o in 0..planes {
                    let added = dense(layer, &x, o);
                    let out = &mut out.row_mut(o, y)[begin..begin + n];
                    for ((out, &added), &x) in out.iter_mut().zip(&added).zip(&x[4 * planes + o]) {
                        *out = x.wrapping_add(if opens { added.max(0) } else { added });
                    }
                }
            }
        }
        out
    }
}

/// Pixels computed at a time.
const CHUNK: usize = 64;

/// Pixels of a row from one before `begin + column` on, and 0 outside.
#[inline(always)]
fn shifted(row: Option<&[i32]>, begin: usize, column: usize, out: &mut [i32; CHUNK]) {
    out.fill(0);
    let Some(row) = row else { return };
    let skipped = usize::from(begin + column == 0);
    let from = begin + column + skipped - 1;
    let n = (row.len().saturating_sub(from)).min(CHUNK - skipped);
    if n > 0 {
        out[skipped..skipped + n].copy_from_slice(&row[from..from + n]);
    }
}

#[inline(always)]
fn weighted(taps: &[i32; 4], x: [i32; 4]) -> i32 {
    let products: [i32; 4] = [
        taps[0].wrapping_mul(x[0]),
        taps[1].wrapping_mul(x[1]),
        taps[2].wrapping_mul(x[2]),
        taps[3].wrapping_mul(x[3]),
    ];
    products[0].wrapping_add(products[1]).wrapping_add(products[2]).wrapping_add(products[3])
}

/// One output of a layer.
#[inline(always)]
fn dense(layer: &FixedLayer, x: &[[i32; CHUNK]], output: usize) -> [i32; CHUNK] {
    let mut sums = [layer.bias(output).wrapping_add(layer.half()); CHUNK];
    let outputs = layer.weights.len() / x.len();
    for (i, x) in x.iter().enumerate() {
        let weight = layer.weights[i * outputs + output];
        for p in 0..CHUNK {
            sums[p] = sums[p].wrapping_add(weight.wrapping_mul(x[p]));
        }
    }
    for sum in &mut sums {
        *sum >>= layer.weight_point;
    }
    sums
}

/// Whether the numbers of a layer are as many as its shape says.
pub(super) fn fits(layer: &FixedLayer, shape: Layer) -> bool {
    layer.weights.len() == shape.n_weights() && layer.biases.len() == shape.biases
}
