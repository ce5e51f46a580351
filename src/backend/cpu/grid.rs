//! The hash grid: features interpolated between trained vertices, and the backward pass. See
//! [`crate::model::encoding::grid`] for the formulas.

use super::panels::{PANEL, padded, rows_from_samples};
use super::simd::{prefetch, vectorised};
use crate::model::Real;
use crate::model::encoding::{GridLevel, HashGrid, Interpolation};

/// Positions located at a time: their cells stay in L1.
const BLOCK: usize = 128;

/// A block of positions, x and y separate so that they are located with vectors.
struct Positions<T> {
    x: [T; BLOCK],
    y: [T; BLOCK],
}

impl<T: Real> Positions<T> {
    fn new() -> Self {
        Self { x: [T::zero(); BLOCK], y: [T::zero(); BLOCK] }
    }

    /// Reads positions, (n, 2) with n at most `BLOCK`. The last panel keeps its old contents as padding.
    #[inline(always)]
    fn read(&mut self, coords: &[T]) {
        for ((x, y), c) in self.x.iter_mut().zip(&mut self.y).zip(coords.as_chunks::<2>().0) {
            (*x, *y) = (c[0], c[1]);
        }
    }
}

/// The vertices around a block of positions in one level.
struct Cells<T> {
    /// Entries of the vertices at (x, y), (x + 1, y), (x, y + 1) and (x + 1, y + 1).
    entries: [[u32; BLOCK]; 4],
    /// The interpolation weight of each.
    weights: [[T; BLOCK]; 4],
}

impl<T: Real> Cells<T> {
    fn new() -> Self {
        Self { entries: [[0; BLOCK]; 4], weights: [[T::zero(); BLOCK]; 4] }
    }

    /// Locates the first `n` positions.
    #[inline(always)]
    fn locate(&mut self, grid: &HashGrid, level: GridLevel, positions: &Positions<T>, n: usize) {
        // Separate loops, so that there is no branch inside.
        match (level.is_hashed(), grid.interpolation) {
            (true, Interpolation::Linear) => self.fill(level, positions, n, |t| t, hashed(level)),
            (true, Interpolation::Smoothstep) => self.fill(level, positions, n, smoothstep, hashed(level)),
            (false, Interpolation::Linear) => self.fill(level, positions, n, |t| t, stored(level)),
            (false, Interpolation::Smoothstep) => self.fill(level, positions, n, smoothstep, stored(level)),
        }
    }

    #[inline(always)]
    fn fill(
        &mut self,
        level: GridLevel,
        positions: &Positions<T>,
        n: usize,
        curve: impl Fn(T) -> T,
        entry: impl Fn(u32, u32) -> u32,
    ) {
        // Slices of equal length, or the loop is not vectorised.
        let (x, y) = (&positions.x[..n], &positions.y[..n]);
        let [e0, e1, e2, e3] = self.entries.each_mut().map(|e| &mut e[..n]);
        let [w0, w1, w2, w3] = self.weights.each_mut().map(|w| &mut w[..n]);
        for i in 0..n {
            let ((x, tx), (y, ty)) = (place(level, x[i]), place(level, y[i]));
            let (tx, ty) = (curve(tx), curve(ty));
            let (sx, sy) = (T::one() - tx, T::one() - ty);
            (e0[i], e1[i]) = (entry(x, y), entry(x + 1, y));
            (e2[i], e3[i]) = (entry(x, y + 1), entry(x + 1, y + 1));
            (w0[i], w1[i], w2[i], w3[i]) = (sx * sy, tx * sy, sx * ty, tx * ty);
        }
    }

    /// Entries and weights of panel `panel` of the block.
    #[inline(always)]
    fn panel(&self, panel: usize) -> ([&[u32; PANEL]; 4], [&[T; PANEL]; 4]) {
        let entries = self.entries.each_ref().map(|e| &e.as_chunks::<PANEL>().0[panel]);
        (entries, self.weights.each_ref().map(|w| &w.as_chunks::<PANEL>().0[panel]))
    }
}

/// The cell of a coordinate, and its position within the cell, from 0 to 1. Coordinates beyond the grid are clamped
/// to its border.
#[inline(always)]
fn place<T: Real>(level: GridLevel, c: T) -> (u32, T) {
    let n = T::of_u32(level.resolution);
    let (p, top) = ((c * n + T::of(0.5)).relu(), n + T::one());
    let p = (top - p).if_positive(p, top);
    let cell = p.floor_u32().min(level.resolution);
    (cell, p - T::of_u32(cell))
}

#[inline(always)]
fn smoothstep<T: Real>(t: T) -> T {
    t * t * (T::of(3.0) - T::of(2.0) * t)
}

#[inline(always)]
fn hashed(level: GridLevel) -> impl Fn(u32, u32) -> u32 {
    let mask = level.n_entries as u32 - 1;
    move |x, y| (x ^ y.wrapping_mul(crate::model::encoding::grid::HASH_PRIME)) & mask
}

#[inline(always)]
fn stored(level: GridLevel) -> impl Fn(u32, u32) -> u32 {
    let side = level.side();
    move |x, y| y * side + x
}

/// Calls `$run::<T, F>` with `$grid`'s number of features per level as F, compiled for the vectors of this processor.
macro_rules! with_features {
    ($grid:expr, $run:ident($($argument:expr),*)) => {
        vectorised!(match $grid.features_per_level {
                1 => $run::<T, 1>($($argument),*),
                2 => $run::<T, 2>($($argument),*),
                4 => $run::<T, 4>($($argument),*),
                8 => $run::<T, 8>($($argument),*),
                other => unreachable!("{other} features a level"),
            })
    };
}

/// coords: (n, 2), params: (entries, F) -> features: (n, L F).
pub fn encode<T: Real>(grid: &HashGrid, params: &[T], coords: &[T], features: &mut [T]) {
    let width = grid.output_width();
    let mut panels = vec![[T::zero(); PANEL]; padded(coords.len() / 2) / PANEL * width];
    encode_panels(grid, params, coords, (&mut panels, width, 0));
    rows_from_samples(&panels, width, features);
}

/// coords: (n, 2), params: (entries, F) -> features `column..column + L F` of sample panels of `panel_width` features.
/// There may be more panels than positions.
pub(crate) fn encode_panels<T: Real>(
    grid: &HashGrid,
    params: &[T],
    coords: &[T],
    (panels, panel_width, column): (&mut [[T; PANEL]], usize, usize),
) {
    with_features!(grid, encode_blocks(grid, params, coords, (panels, panel_width, column)));
}

#[inline(always)]
fn encode_blocks<T: Real, const F: usize>(
    grid: &HashGrid,
    params: &[T],
    coords: &[T],
    (panels, panel_width, column): (&mut [[T; PANEL]], usize, usize),
) {
    let (mut positions, mut cells) = (Positions::new(), Cells::new());
    let blocks = coords.chunks(2 * BLOCK).zip(panels.chunks_mut(BLOCK / PANEL * panel_width));
    for (coords, panels) in blocks {
        let n = padded(coords.len() / 2);
        positions.read(coords);
        for (l, &level) in grid.levels.iter().enumerate() {
            cells.locate(grid, level, &positions, n);
            let table = &params[grid.params_of(l)].as_chunks::<F>().0[..level.n_entries];
            for (p, panel) in panels.chunks_exact_mut(panel_width).enumerate().take(n / PANEL) {
                let (entries, weights) = cells.panel(p);
                let out: &mut [[T; PANEL]; F] =
                    panel[column + l * F..].first_chunk_mut().expect("F features a level");
                for s in 0..PANEL {
                    let [t0, t1, t2, t3] = entries.map(|e| &table[e[s] as usize]);
                    let [w0, w1, w2, w3] = weights.map(|w| w[s]);
                    for f in 0..F {
                        out[f][s] = w0 * t0[f] + w1 * t1[f] + w2 * t2[f] + w3 * t3[f];
                    }
                }
            }
        }
    }
}

/// Adds the gradient of level `level` to `grads`, (entries of the level, F), sample by sample.
/// coords: (n, 2); dl_dfeatures: features `column..column + L F` of sample panels of `panel_width` features.
pub(crate) fn backward_level<T: Real>(
    grid: &HashGrid,
    level: usize,
    coords: &[T],
    (dl_dfeatures, panel_width, column): (&[[T; PANEL]], usize, usize),
    grads: &mut [T],
) {
    let dl_dfeatures = (dl_dfeatures, panel_width, column);
    with_features!(grid, add_blocks(grid, level, coords, dl_dfeatures, grads));
}

/// How many panels ahead to prefetch: panels are too far apart for the hardware prefetcher.
const AHEAD: usize = 2;

#[inline(always)]
fn add_blocks<T: Real, const F: usize>(
    grid: &HashGrid,
    l: usize,
    coords: &[T],
    (dl_dfeatures, panel_width, column): (&[[T; PANEL]], usize, usize),
    grads: &mut [T],
) {
    let level = grid.levels[l];
    let grads = &mut grads.as_chunks_mut::<F>().0[..level.n_entries];
    let (mut positions, mut cells) = (Positions::new(), Cells::new());
    let mut dl_dlevel = dl_dfeatures.chunks_exact(panel_width).map(|panel| -> &[[T; PANEL]; F] {
        panel[column + l * F..].first_chunk().expect("F features a level")
    });
    let mut ahead = dl_dlevel.clone().skip(AHEAD);
    for coords in coords.chunks(2 * BLOCK) {
        let n = coords.len() / 2;
        positions.read(coords);
        cells.locate(grid, level, &positions, padded(n));
        for (p, dl) in dl_dlevel.by_ref().take(padded(n) / PANEL).enumerate() {
            for feature in ahead.next().into_iter().flatten() {
                prefetch(feature);
            }
            let (entries, weights) = cells.panel(p);
            for s in 0..PANEL.min(n - p * PANEL) {
                for (entries, weights) in entries.iter().zip(&weights) {
                    let sums = &mut grads[entries[s] as usize];
                    for f in 0..F {
                        sums[f] += weights[s] * dl[f][s];
                    }
                }
            }
        }
    }
}
