//! Muon's steps of whole matrices, by the products of training.

use super::panels::{PANEL, features_from_samples, padded};
use super::product::{Multiply, pack, tile_height};
use super::simd::{SimdReal, vectorised};
use crate::model::LayerShape;
use crate::model::optimizer::Orthogonalization;

/// A matrix that is orthogonalised, with its work space.
///
/// x is held in panels of 16 columns, (columns / 16, rows, 16), and transposed if it has more rows than columns, so that
/// x x^T is the smaller of the two products.
pub(super) struct Orthogonalizer<T> {
    pub(super) shape: LayerShape,
    /// The direction, before and after: (output width, input width).
    pub(super) matrix: Vec<T>,
    x: Vec<[T; PANEL]>,
    next: Vec<[T; PANEL]>,
    /// x^T
    transposed: Vec<[T; PANEL]>,
    /// s = x x^T, and s s.
    gram: Vec<[T; PANEL]>,
    squared: Vec<[T; PANEL]>,
    /// The left of a product.
    packed: Vec<T>,
}

impl<T: SimdReal> Orthogonalizer<T> {
    pub(super) fn new(shape: LayerShape) -> Self {
        let (rows, columns) = sides(shape);
        let panels = |columns: usize, rows: usize| vec![[T::zero(); PANEL]; padded(columns) / PANEL * rows];
        Self {
            shape,
            matrix: vec![T::zero(); rows * columns],
            x: panels(columns, rows),
            next: panels(columns, rows),
            transposed: panels(rows, padded(columns)),
            gram: panels(rows, rows),
            squared: panels(rows, rows),
            packed: vec![T::zero(); rows * padded(columns)],
        }
    }

    /// Values that [`Orthogonalizer::new`] allocates.
    pub(super) fn size(shape: LayerShape) -> usize {
        let (rows, columns) = sides(shape);
        let (wide, tall) = (padded(columns), padded(rows));
        rows * columns + 3 * wide * rows + tall * wide + 2 * tall * rows
    }

    /// Replaces the matrix by one nearby whose singular values are about 1.
    pub(super) fn run(&mut self) {
        let squares: f64 = self.matrix.iter().map(|u| u.as_f64().powi(2)).sum();
        let scale = T::of(1.0 / squares.sqrt().max(Orthogonalization::EPSILON));
        self.exchange(|x, &mut u| *x = scale * u);
        for _ in 0..Orthogonalization::ROUNDS {
            self.round();
        }
        self.exchange(|x, u| *u = *x);
    }

    /// Calls `exchange` with each element of x and its place in the matrix.
    fn exchange(&mut self, exchange: impl Fn(&mut T, &mut T)) {
        let LayerShape { input_width, output_width } = self.shape;
        let (rows, _) = sides(self.shape);
        let outputs = self.matrix.chunks_exact_mut(input_width).enumerate();
        if output_width > input_width {
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
        let Self { x, next, transposed, gram, squared, packed, .. } = self;
        let (rows, columns) = sides(self.shape);
        let at = |panels: &[[T; PANEL]], row: usize, k: usize| panels[k / PANEL * rows + row][k % PANEL];
        features_from_samples(x, rows, transposed);
        product((rows, padded(columns)), |row, k| at(x, row, k), transposed, packed, gram);
        product((rows, rows), |row, k| at(gram, row, k), gram, packed, squared);
        let [a, b, c] = Orthogonalization::COEFFICIENTS.map(T::of);
        let polynomial = |row: usize, k: usize| {
            let diagonal = if row == k { a } else { T::zero() };
            diagonal + b * at(gram, row, k) + c * at(squared, row, k)
        };
        product((rows, rows), polynomial, x, packed, next);
        std::mem::swap(x, next);
    }
}

/// out = left x, where `left` gives the elements of a matrix of (rows, depth).
fn product<T: SimdReal>(
    (rows, depth): (usize, usize),
    left: impl Fn(usize, usize) -> T,
    x: &[[T; PANEL]],
    packed: &mut [T],
    out: &mut [[T; PANEL]],
) {
    let packed = &mut packed[..rows * depth];
    vectorised!(pack((rows, depth), tile_height::<T>(), left, packed));
    Multiply { weights: packed, bias: None, rows, depth }.run(x, out, |_, _| {});
}

/// Rows and columns of x.
fn sides(shape: LayerShape) -> (usize, usize) {
    let LayerShape { input_width, output_width } = shape;
    (output_width.min(input_width), output_width.max(input_width))
}
