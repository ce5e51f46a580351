//! Muon's steps of whole matrices, by the products of training.

use super::panels::{PANEL, features_from_samples, padded};
use super::product::{Multiply, WeightGradient, pack, tile_and_sum, tile_height};
use super::simd::{SimdReal, vectorised};
use crate::model::LayerShape;
use crate::model::optimizer::Orthogonalization;

/// Work space of a matrix that is orthogonalised, in panels of 16 columns: (columns / 16, rows, 16).
///
/// A matrix with more rows than columns is held transposed, so that x x^T is the smaller of the two products.
pub(super) struct Orthogonalizer<T> {
    pub(super) shape: LayerShape,
    transposed: bool,
    x: Vec<[T; PANEL]>,
    next: Vec<[T; PANEL]>,
    /// x as the two operands of a sum over columns.
    tiled: Vec<[T; PANEL]>,
    features: Vec<[T; PANEL]>,
    /// s = x x^T, row-major and in panels, its square in panels, and either matrix as the left of a product.
    gram: Vec<T>,
    gram_panels: Vec<[T; PANEL]>,
    squared: Vec<[T; PANEL]>,
    packed: Vec<T>,
    sums: Vec<T>,
}

impl<T: SimdReal> Orthogonalizer<T> {
    pub(super) fn new(shape: LayerShape) -> Self {
        let transposed = shape.output_width > shape.input_width;
        let (rows, columns) = sides(shape);
        let panels = |n: usize| vec![[T::zero(); PANEL]; n];
        let of_x = padded(columns) / PANEL * rows;
        let of_gram = padded(rows) / PANEL * rows;
        Self {
            shape,
            transposed,
            x: panels(of_x),
            next: panels(of_x),
            tiled: panels(of_x),
            features: panels(padded(columns) * padded(rows) / PANEL),
            gram: vec![T::zero(); rows * rows],
            gram_panels: panels(of_gram),
            squared: panels(of_gram),
            packed: vec![T::zero(); rows * rows],
            sums: vec![T::zero(); rows],
        }
    }

    /// Values that [`Orthogonalizer::new`] allocates.
    pub(super) fn size(shape: LayerShape) -> usize {
        let (rows, columns) = sides(shape);
        let of_x = padded(columns) * rows;
        3 * of_x + padded(columns) * padded(rows) + 2 * (rows + padded(rows)) * rows + rows
    }

    /// Replaces `direction`, (output width, input width), by the nearest matrix whose singular values are about 1.
    pub(super) fn run(&mut self, direction: &mut [T]) {
        let squares: f64 = direction.iter().map(|u| u.as_f64().powi(2)).sum();
        let scale = T::of(1.0 / squares.sqrt().max(Orthogonalization::EPSILON));
        self.exchange(direction, |x, &mut u| *x = scale * u);
        for _ in 0..Orthogonalization::ROUNDS {
            self.round();
        }
        self.exchange(direction, |x, u| *u = *x);
    }

    /// Calls `exchange` with each element of x and its place in `matrix`, (output width, input width).
    fn exchange(&mut self, matrix: &mut [T], exchange: impl Fn(&mut T, &mut T)) {
        let rows = self.sums.len();
        let outputs = matrix.chunks_exact_mut(self.shape.input_width).enumerate();
        if self.transposed {
            for (output, row) in outputs {
                let column = &mut self.x[output / PANEL * rows..][..rows];
                column.iter_mut().zip(row).for_each(|(x, u)| exchange(&mut x[output % PANEL], u));
            }
        } else {
            for (output, row) in outputs {
                for (panel, values) in self.x.chunks_exact_mut(rows).zip(row.chunks_mut(PANEL)) {
                    panel[output].iter_mut().zip(values).for_each(|(x, u)| exchange(x, u));
                }
            }
        }
    }

    /// x = (a + b s + c s s) x with s = x x^T.
    fn round(&mut self) {
        let (rows, height) = (self.sums.len(), tile_height::<T>());
        tile_and_sum(&self.x, &mut self.tiled, &mut self.sums);
        features_from_samples(&self.x, rows, &mut self.features);
        self.gram.fill(T::zero());
        let (dl_dz, x, out) = (&self.tiled[..], &self.features[..], &mut self.gram[..]);
        WeightGradient { dl_dz, x, input_width: rows, output_width: rows, out }.add();
        let gram = &self.gram;
        for (i, panel) in self.gram_panels.iter_mut().enumerate() {
            let (first, row) = (i / rows * PANEL, i % rows);
            let values = &gram[row * rows + first..(row + 1) * rows];
            panel.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
        }
        pack((rows, rows), height, |row, k| gram[row * rows + k], &mut self.packed);
        square(&self.packed, rows).run(&self.gram_panels, &mut self.squared, |_, _| {});
        let [a, b, c] = Orthogonalization::COEFFICIENTS.map(T::of);
        let squared = &self.squared;
        let polynomial = |row: usize, k: usize| {
            let diagonal = if row == k { a } else { T::zero() };
            diagonal + b * gram[row * rows + k] + c * squared[k / PANEL * rows + row][k % PANEL]
        };
        vectorised!(pack((rows, rows), height, polynomial, &mut self.packed));
        square(&self.packed, rows).run(&self.x, &mut self.next, |_, _| {});
        std::mem::swap(&mut self.x, &mut self.next);
    }
}

/// A square matrix of `rows` rows as the left of a product.
fn square<T>(packed: &[T], rows: usize) -> Multiply<'_, T> {
    Multiply { weights: packed, bias: None, rows, depth: rows }
}

/// Rows and columns of x.
fn sides(shape: LayerShape) -> (usize, usize) {
    let LayerShape { input_width, output_width } = shape;
    (output_width.min(input_width), output_width.max(input_width))
}
