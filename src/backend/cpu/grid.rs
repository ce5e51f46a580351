//! The hash grid: features by interpolation between trained vertices, and the gradient back to
//! them. See [`crate::model::encoding::grid`] for what is computed.

use super::simd::vectorised;
use crate::model::Real;
use crate::model::encoding::{GridLevel, HashGrid, Interpolation};

/// Positions located at a time: their cells stay in L1.
const BLOCK: usize = 128;

/// The vertices around a block of positions in one level.
struct Cells<T> {
    /// Entries of the vertices at (x, y), (x + 1, y), (x, y + 1) and (x + 1, y + 1).
    entries: [[u32; BLOCK]; 4],
    /// How much of each a position takes.
    weights: [[T; BLOCK]; 4],
}

impl<T: Real> Cells<T> {
    fn new() -> Self {
        Self { entries: [[0; BLOCK]; 4], weights: [[T::zero(); BLOCK]; 4] }
    }

    /// Locates positions, (n, 2) with n at most `BLOCK`.
    #[inline(always)]
    fn locate(&mut self, level: GridLevel, interpolation: Interpolation, coords: &[T]) {
        // One loop each, so that no choice is made inside it.
        match (level.is_hashed(), interpolation) {
            (true, Interpolation::Linear) => self.fill(level, coords, |t| t, hashed(level)),
            (true, Interpolation::Smoothstep) => self.fill(level, coords, smoothstep, hashed(level)),
            (false, Interpolation::Linear) => self.fill(level, coords, |t| t, stored(level)),
            (false, Interpolation::Smoothstep) => self.fill(level, coords, smoothstep, stored(level)),
        }
    }

    #[inline(always)]
    fn fill(
        &mut self,
        level: GridLevel,
        coords: &[T],
        curve: impl Fn(T) -> T,
        entry: impl Fn(u32, u32) -> u32,
    ) {
        let [e0, e1, e2, e3] = &mut self.entries;
        let [w0, w1, w2, w3] = &mut self.weights;
        for (i, c) in coords.as_chunks::<2>().0.iter().enumerate().take(BLOCK) {
            let (x, tx) = place(level, c[0]);
            let (y, ty) = place(level, c[1]);
            let (tx, ty) = (curve(tx), curve(ty));
            let (sx, sy) = (T::one() - tx, T::one() - ty);
            (e0[i], e1[i]) = (entry(x, y), entry(x + 1, y));
            (e2[i], e3[i]) = (entry(x, y + 1), entry(x + 1, y + 1));
            (w0[i], w1[i], w2[i], w3[i]) = (sx * sy, tx * sy, sx * ty, tx * ty);
        }
    }
}

/// The cell of a coordinate, and where it lies within it, from 0 to 1. Coordinates beyond the unit
/// square get what its border has.
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

/// coords: (n, 2), params: (entries, F) -> features: (n, L F).
pub fn encode<T: Real>(grid: &HashGrid, params: &[T], coords: &[T], features: &mut [T]) {
    #[inline(always)]
    fn run<T: Real, const F: usize>(grid: &HashGrid, params: &[T], coords: &[T], features: &mut [T]) {
        let width = grid.output_width();
        let mut cells = Cells::new();
        for (coords, features) in coords.chunks(2 * BLOCK).zip(features.chunks_mut(width * BLOCK)) {
            for (l, &level) in grid.levels.iter().enumerate() {
                cells.locate(level, grid.interpolation, coords);
                let table = &params[grid.params_of(l)].as_chunks::<F>().0[..level.n_entries];
                let [e0, e1, e2, e3] = &cells.entries;
                let [w0, w1, w2, w3] = &cells.weights;
                for (i, row) in features.chunks_exact_mut(width).enumerate().take(BLOCK) {
                    let at = |e: &[u32; BLOCK]| &table[e[i] as usize];
                    let (t0, t1, t2, t3) = (at(e0), at(e1), at(e2), at(e3));
                    let out: &mut [T; F] = row[l * F..].first_chunk_mut().expect("F columns a level");
                    for f in 0..F {
                        out[f] = w0[i] * t0[f] + w1[i] * t1[f] + w2[i] * t2[f] + w3[i] * t3[f];
                    }
                }
            }
        }
    }
    vectorised(
        #[inline(always)]
        || match grid.features_per_level {
            1 => run::<T, 1>(grid, params, coords, features),
            2 => run::<T, 2>(grid, params, coords, features),
            4 => run::<T, 4>(grid, params, coords, features),
            8 => run::<T, 8>(grid, params, coords, features),
            other => unreachable!("{other} features a level"),
        },
    );
}

/// Adds the gradient of level `level` to `grads`, (entries of the level, F), sample by sample.
/// coords: (n, 2), dl_dfeatures: (n, L F).
pub fn backward_level<T: Real>(
    grid: &HashGrid,
    level: usize,
    coords: &[T],
    dl_dfeatures: &[T],
    grads: &mut [T],
) {
    #[inline(always)]
    fn run<T: Real, const F: usize>(
        grid: &HashGrid,
        l: usize,
        coords: &[T],
        dl_dfeatures: &[T],
        grads: &mut [T],
    ) {
        let (width, level) = (grid.output_width(), grid.levels[l]);
        let grads = &mut grads.as_chunks_mut::<F>().0[..level.n_entries];
        let mut cells = Cells::new();
        for (coords, rows) in coords.chunks(2 * BLOCK).zip(dl_dfeatures.chunks(width * BLOCK)) {
            cells.locate(level, grid.interpolation, coords);
            for (i, row) in rows.chunks_exact(width).enumerate().take(BLOCK) {
                let dl: &[T; F] = row[l * F..].first_chunk().expect("F columns a level");
                for (entries, weights) in cells.entries.iter().zip(&cells.weights) {
                    let sums = &mut grads[entries[i] as usize];
                    for f in 0..F {
                        sums[f] += weights[i] * dl[f];
                    }
                }
            }
        }
    }
    vectorised(
        #[inline(always)]
        || match grid.features_per_level {
            1 => run::<T, 1>(grid, level, coords, dl_dfeatures, grads),
            2 => run::<T, 2>(grid, level, coords, dl_dfeatures, grads),
            4 => run::<T, 4>(grid, level, coords, dl_dfeatures, grads),
            8 => run::<T, 8>(grid, level, coords, dl_dfeatures, grads),
            other => unreachable!("{other} features a level"),
        },
    );
}
