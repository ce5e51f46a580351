//! Linear layers: forward, and backward to inputs and to weights.
//!
//! Every matrix is row-major. `n` is the number of samples, `i` the layer's input width and `o`
//! its output width.

use super::simd::vectorised;
use crate::model::{LayerShape, Real};

/// z = x W^T + b. x: (n, i), w: (o, i), b: (o), z: (n, o).
pub fn forward<T: Real>(shape: LayerShape, x: &[T], w: &[T], b: &[T], z: &mut [T]) {
    let (i, o) = (shape.input_width, shape.output_width);
    if z.len() == o {
        return forward_one(x, w, b, z);
    }
    for row in z.chunks_exact_mut(o) {
        row.copy_from_slice(b);
    }
    let (left, right) = (View::rows(x, i), View::columns(w, i));
    Product { rows: z.len() / o, columns: o, depth: i, left, right }.add_to(z);
}

/// dl_dx = dl_dz W. dl_dz: (n, o), w: (o, i), dl_dx: (n, i).
pub fn backward_input<T: Real>(shape: LayerShape, dl_dz: &[T], w: &[T], dl_dx: &mut [T]) {
    let (i, o) = (shape.input_width, shape.output_width);
    dl_dx.fill(T::zero());
    if dl_dx.len() == i {
        return backward_input_one(dl_dz, w, dl_dx);
    }
    Product {
        rows: dl_dx.len() / i,
        columns: i,
        depth: o,
        left: View::rows(dl_dz, o),
        right: View::rows(w, i),
    }
    .add_to(dl_dx);
}

/// dl_dw += dl_dz^T x and dl_db += column sums of dl_dz.
/// dl_dz: (n, o), x: (n, i), dl_dw: (o, i), dl_db: (o).
pub fn backward_weights<T: Real>(shape: LayerShape, dl_dz: &[T], x: &[T], dl_dw: &mut [T], dl_db: &mut [T]) {
    let (i, o) = (shape.input_width, shape.output_width);
    Product {
        rows: o,
        columns: i,
        depth: x.len() / i,
        left: View::columns(dl_dz, o),
        right: View::rows(x, i),
    }
    .add_to(dl_dw);
    for row in dl_dz.chunks_exact(o) {
        for (sum, &value) in dl_db.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// Separate sums in a product of one row, so that additions do not wait for one another.
const SUMS: usize = 64;

/// [`forward`] of one sample: reading W once is all the work, and packing it would double that.
fn forward_one<T: Real>(x: &[T], w: &[T], b: &[T], z: &mut [T]) {
    vectorised!({
        for ((z, row), &b) in z.iter_mut().zip(w.chunks_exact(x.len())).zip(b) {
            *z = b + dot(row, x);
        }
    });
}

#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a_blocks, a_rest) = a.as_chunks::<SUMS>();
    let (b_blocks, b_rest) = b.as_chunks::<SUMS>();
    let mut sums = [T::zero(); SUMS];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for k in 0..SUMS {
            sums[k] += a[k] * b[k];
        }
    }
    let mut width = SUMS;
    while width > 1 {
        width /= 2;
        for k in 0..width {
            sums[k] += sums[k + width];
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
    sums[0] + rest
}

/// [`backward_input`] of one sample, added to zeros. Inactive units are skipped.
fn backward_input_one<T: Real>(dl_dz: &[T], w: &[T], dl_dx: &mut [T]) {
    vectorised!({
        for (row, &dl) in w.chunks_exact(dl_dx.len()).zip(dl_dz) {
            if dl != T::zero() {
                for (sum, &w) in dl_dx.iter_mut().zip(row) {
                    *sum += dl * w;
                }
            }
        }
    });
}

/// A matrix within a slice, with its row and column strides.
struct View<'a, T> {
    values: &'a [T],
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Copy> View<'a, T> {
    /// A row-major matrix with `width` columns.
    fn rows(values: &'a [T], width: usize) -> Self {
        Self { values, row_stride: width, column_stride: 1 }
    }

    /// The transpose of a row-major matrix with `width` columns.
    fn columns(values: &'a [T], width: usize) -> Self {
        Self { values, row_stride: 1, column_stride: width }
    }

    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> T {
        self.values[row * self.row_stride + column * self.column_stride]
    }
}

struct Product<'a, T> {
    rows: usize,
    columns: usize,
    depth: usize,
    left: View<'a, T>,
    right: View<'a, T>,
}

/// Results whose sums stay in registers over the whole depth.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 16;

impl<T: Real> Product<'_, T> {
    /// out += left right. out: (rows, columns), row-major.
    fn add_to(self, out: &mut [T]) {
        assert_eq!(out.len(), self.rows * self.columns, "output of a matrix product");
        vectorised!(self.add_tiles(out));
    }

    #[inline(always)]
    fn add_tiles(&self, out: &mut [T]) {
        // Columns of `right` side by side; beyond the last, stale values.
        let mut panel = vec![[T::zero(); TILE_COLUMNS]; self.depth];
        for first in (0..self.columns).step_by(TILE_COLUMNS) {
            let width = TILE_COLUMNS.min(self.columns - first);
            for (k, row) in panel.iter_mut().enumerate() {
                for (c, value) in row[..width].iter_mut().enumerate() {
                    *value = self.right.at(k, first + c);
                }
            }
            for (tile, rows) in out.chunks_mut(TILE_ROWS * self.columns).enumerate() {
                let sums = self.tile(tile * TILE_ROWS, &panel);
                for (row, sums) in rows.chunks_exact_mut(self.columns).zip(sums) {
                    for (out, sum) in row[first..][..width].iter_mut().zip(sums) {
                        *out += sum;
                    }
                }
            }
        }
    }

    /// Sums of the rows from `first` on, repeating the last one if there are too few.
    #[inline(always)]
    fn tile(&self, first: usize, panel: &[[T; TILE_COLUMNS]]) -> [[T; TILE_COLUMNS]; TILE_ROWS] {
        let mut sums = [[T::zero(); TILE_COLUMNS]; TILE_ROWS];
        for (k, right) in panel.iter().enumerate() {
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = self.left.at((first + r).min(self.rows - 1), k);
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum += left * right;
                }
            }
        }
        sums
    }
}
