//! Grids at the size of the next finer one, and the gradients back.

use super::density::Coded;
use super::planes::Planes;
use crate::backend::cpu::simd::vectorised;
use crate::compress::shape::taps_of;
use rayon::prelude::*;

/// Weights of four samples.
pub(super) type Taps<T> = [T; 4];

/// Where rows begin in a chunk of them.
fn columns<T: Coded>(planes: &Planes<T>, plane: usize) -> std::ops::Range<usize> {
    let begin = planes.place(plane, 0, 0) % planes.row_len();
    begin..begin + planes.width
}

/// Writes the planes of `coarse` to those of `fine` behind the first, twice as large. `between` has the fine width and
/// the coarse height.
pub(super) fn upsample<T: Coded>(
    taps: Taps<T>,
    coarse: &Planes<T>,
    between: &mut Planes<T>,
    fine: &mut Planes<T>,
) {
    let places: Vec<_> = (0..between.count).map(|plane| columns(between, plane)).collect();
    let row = between.row_len();
    between.rows_mut().par_chunks_mut(row).enumerate().for_each(|(y, out)| {
        let mut padded = Vec::new();
        for (plane, place) in places.iter().enumerate() {
            pad(coarse.row(plane, y), &mut padded);
            vectorised!(widen(taps, &padded, &mut out[place.clone()]));
        }
    });
    let places: Vec<_> = (1..fine.count).map(|plane| columns(fine, plane)).collect();
    let row = fine.row_len();
    fine.rows_mut().par_chunks_mut(row).enumerate().for_each(|(y, out)| {
        for (plane, place) in places.iter().enumerate() {
            let rows = taps_of(y, between.height).map(|(j, k)| (between.row(plane, j), taps[k]));
            vectorised!(weigh(&rows, &mut out[place.clone()]));
        }
    });
}

/// From the gradients of `fine` to those of `coarse`. Returns those of the taps.
pub(super) fn backward<T: Coded>(
    taps: Taps<T>,
    (coarse, d_coarse): (&Planes<T>, &mut Planes<T>),
    (between, d_between): (&Planes<T>, &mut Planes<T>),
    d_fine: &Planes<T>,
) -> Taps<T> {
    let (row, height) = (d_between.row_len(), d_fine.height as isize);
    let places: Vec<_> = (0..between.count).map(|plane| columns(between, plane)).collect();
    let down = d_between.rows_mut().par_chunks_mut(row).enumerate().map(|(j, out)| {
        let mut d_taps = [T::zero(); 4];
        for (plane, place) in places.iter().enumerate() {
            let out = &mut out[place.clone()];
            out.fill(T::zero());
            // Near the edges a row is repeated, so it is used for more rows.
            let fine_rows = (2 * j as isize - 4).max(0)..(2 * j as isize + 6).min(height);
            for y in fine_rows {
                for (_, k) in taps_of(y as usize, between.height).into_iter().filter(|&(of, _)| of == j) {
                    let d = d_fine.row(plane + 1, y as usize);
                    vectorised!({
                        add_scaled(taps[k], d, out);
                        d_taps[k] += dot(between.row(plane, j), d);
                    });
                }
            }
        }
        d_taps
    });
    let down: Vec<Taps<T>> = down.collect();
    let places: Vec<_> = (0..coarse.count).map(|plane| columns(coarse, plane)).collect();
    let row = d_coarse.row_len();
    let across = d_coarse.rows_mut().par_chunks_mut(row).enumerate().map(|(y, out)| {
        let (mut padded, mut d_taps) = (Vec::new(), [T::zero(); 4]);
        for (plane, place) in places.iter().enumerate() {
            pad(coarse.row(plane, y), &mut padded);
            vectorised!(narrow(taps, d_between.row(plane, y), &padded, &mut out[place.clone()], &mut d_taps));
        }
        d_taps
    });
    let across: Vec<Taps<T>> = across.collect();
    let mut sum = [T::zero(); 4];
    for part in down.iter().chain(&across) {
        sum.iter_mut().zip(part).for_each(|(sum, &value)| *sum += value);
    }
    sum
}

/// A row with its first and last sample twice more.
fn pad<T: Coded>(row: &[T], padded: &mut Vec<T>) {
    padded.clear();
    padded.extend([row[0]; 2]);
    padded.extend_from_slice(row);
    padded.extend([row[row.len() - 1]; 2]);
}

/// A padded row twice as wide.
#[inline(always)]
fn widen<T: Coded>([a, b, c, d]: Taps<T>, x: &[T], out: &mut [T]) {
    let n = out.len() / 2;
    let (pairs, rest) = out.as_chunks_mut::<2>();
    for (pair, x) in pairs.iter_mut().zip(x.windows(5)) {
        pair[0] = (a * x[0] + b * x[1]) + (c * x[2] + d * x[3]);
        pair[1] = (d * x[1] + c * x[2]) + (b * x[3] + a * x[4]);
    }
    if let [last] = rest {
        *last = (a * x[n] + b * x[n + 1]) + (c * x[n + 2] + d * x[n + 3]);
    }
}

/// The gradients of a row from those of the row twice as wide; adds those of the taps.
#[inline(always)]
fn narrow<T: Coded>([a, b, c, d]: Taps<T>, d_wide: &[T], x: &[T], out: &mut [T], d_taps: &mut Taps<T>) {
    let n = out.len();
    // Of even and odd samples, with four zeros before and behind.
    let mut even = vec![T::zero(); n + 8];
    let mut odd = vec![T::zero(); n + 8];
    let (pairs, rest) = d_wide.as_chunks::<2>();
    for ((pair, even), odd) in pairs.iter().zip(&mut even[4..]).zip(&mut odd[4..]) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    if let [last] = rest {
        even[4 + pairs.len()] = *last;
    }
    for (k, d_tap) in d_taps.iter_mut().enumerate() {
        *d_tap += dot(&x[k..k + n], &even[4..4 + n]);
        *d_tap += dot(&x[4 - k..4 - k + n], &odd[4..4 + n]);
    }
    let mut d_x = vec![T::zero(); n + 4];
    for ((d_x, e), o) in d_x.iter_mut().zip(even[1..].windows(4)).zip(odd.windows(4)) {
        let of_even = (a * e[3] + b * e[2]) + (c * e[1] + d * e[0]);
        *d_x = of_even + ((d * o[3] + c * o[2]) + (b * o[1] + a * o[0]));
    }
    out.copy_from_slice(&d_x[2..2 + n]);
    out[0] += d_x[0] + d_x[1];
    out[n - 1] += d_x[n + 2] + d_x[n + 3];
}

/// The sum of four rows with weights.
#[inline(always)]
fn weigh<T: Coded>(rows: &[(&[T], T); 4], out: &mut [T]) {
    let [(a, wa), (b, wb), (c, wc), (d, wd)] = *rows;
    for ((((out, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *out = (wa * a + wb * b) + (wc * c + wd * d);
    }
}

#[inline(always)]
fn add_scaled<T: Coded>(weight: T, x: &[T], out: &mut [T]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out += weight * x;
    }
}

/// In sixteen sums, so that it is vectorised to the same bits everywhere.
#[inline(always)]
fn dot<T: Coded>(a: &[T], b: &[T]) -> T {
    let (a, b) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [T::zero(); 16];
    for (a, b) in a.0.iter().zip(b.0) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a.1).zip(b.1) {
        *sum += a * b;
    }
    let mut sum = T::zero();
    sums.iter().for_each(|&s| sum += s);
    sum
}
