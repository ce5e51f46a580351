//! The network in f64 with a bound on the error of f32, layer by layer.
//!
//! Let x + e_x with |e_x| <= E_x be the device's value for x. A sum of K products of such numbers is off by at most
//! sum (|x| + E_x)(|w| + E_w) - |x||w|, and by K + 5 roundings of sum (|x| + E_x)(|w| + E_w) (Higham, Accuracy and
//! Stability of Numerical Algorithms, 2nd edition, equation 3.3), in any order. So each product is computed three
//! times: of the values, of their magnitudes, and of magnitudes with errors. Everything else is element-wise and goes
//! through [`Bounded`].
//!
//! Cooperative matrices multiply weights rounded to f16, so that E_w is this rounding, and their sums are less exact
//! ([`Products`]). All else that they multiply is stored as f16 before, and products of two f16 are exact in f32.

use crate::backend::cpu::dense;
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, sum_by_matrices, sum_of_products};
use crate::backend::gpu::kernel::{Kernel, Storage};
use crate::backend::tuned::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING};
use crate::model::LayerShape;

/// Numbers and bounds of their errors.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) values: Vec<f64>,
    pub(super) errors: Vec<f64>,
}

impl Bounds {
    pub(super) fn new(values: Vec<f64>, errors: Vec<f64>) -> Self {
        assert_eq!(values.len(), errors.len(), "an error for each value");
        Self { values, errors }
    }

    pub(super) fn exact(values: Vec<f64>) -> Self {
        let errors = vec![0.0; values.len()];
        Self { values, errors }
    }

    /// After storing in workgroup memory: unchanged, or rounded to f16 and clipped to its range.
    pub(super) fn stored(self, storage: Storage) -> Self {
        if storage == Storage::F32 {
            return self;
        }
        let values: Vec<f64> = self.values.iter().map(|v| v.clamp(-HALF_MAX, HALF_MAX)).collect();
        let rounded = |(v, e): (&f64, &f64)| e + (v.abs() + e) * HALF_ROUNDING + HALF_FLUSH;
        let errors = values.iter().zip(&self.errors).map(rounded).collect();
        Self { values, errors }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Bounded> + '_ {
        self.values.iter().zip(&self.errors).map(|(&value, &error)| Bounded { value, error })
    }

    /// |x|, and |x| + E_x.
    fn magnitudes(&self) -> [Vec<f64>; 2] {
        let upper = self.values.iter().zip(&self.errors).map(|(v, e)| v.abs() + e).collect();
        [absolute(&self.values), upper]
    }

    /// Rows of `width` numbers, `rows` of them.
    pub(super) fn rows(&self, rows: std::ops::Range<usize>, width: usize) -> Self {
        let range = rows.start * width..rows.end * width;
        Self { values: self.values[range.clone()].to_vec(), errors: self.errors[range].to_vec() }
    }
}

impl FromIterator<Bounded> for Bounds {
    fn from_iter<I: IntoIterator<Item = Bounded>>(numbers: I) -> Self {
        let (values, errors) = numbers.into_iter().map(|b| (b.value, b.error)).unzip();
        Self { values, errors }
    }
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// How a kernel multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Products {
    /// In f32.
    Plain,
    /// By cooperative matrices.
    Matrices,
}

impl Products {
    pub(super) fn of(kernel: &Kernel) -> Self {
        if kernel.tiling.matrix_size().is_some() { Self::Matrices } else { Self::Plain }
    }

    /// Weights as they are multiplied.
    pub(super) fn factors(self, weights: &[f64]) -> Bounds {
        match self {
            Self::Plain => Bounds::exact(weights.to_vec()),
            Self::Matrices => Bounds::exact(weights.to_vec()).stored(Storage::F16),
        }
    }

    /// Relative error of a sum of `k` products.
    fn roundings(self, k: usize) -> f64 {
        match self {
            Self::Plain => sum_of_products(k),
            Self::Matrices => sum_by_matrices(k),
        }
    }
}

/// Values with errors, from their products, those of magnitudes, and those of magnitudes with errors: sums of `k`.
fn of_products(values: Vec<f64>, lower: &[f64], upper: &[f64], (products, k): (Products, usize)) -> Bounds {
    let roundings = products.roundings(k);
    let error =
        |(lower, upper): (&f64, &f64)| (upper - lower).max(0.0) + upper * roundings + k as f64 * FLUSH;
    let errors = lower.iter().zip(upper).map(error).collect();
    Bounds::new(values, errors)
}

/// x W^T + b
pub(super) fn forward(products: Products, shape: LayerShape, x: &Bounds, (w, b): (&[f64], &[f64])) -> Bounds {
    let n = x.values.len() / shape.input_width;
    let product = |x: &[f64], w: &[f64], b: &[f64]| {
        let mut z = vec![0.0; n * shape.output_width];
        dense::forward(shape, x, w, b, &mut z);
        z
    };
    let [lower, upper] = x.magnitudes();
    let (w, b_abs) = (products.factors(w), absolute(b));
    let [w_lower, w_upper] = w.magnitudes();
    of_products(
        product(&x.values, &w.values, b),
        &product(&lower, &w_lower, &b_abs),
        &product(&upper, &w_upper, &b_abs),
        (products, shape.input_width),
    )
}

/// dl_dz W
pub(super) fn backward_input(products: Products, shape: LayerShape, dl_dz: &Bounds, w: &[f64]) -> Bounds {
    let n = dl_dz.values.len() / shape.output_width;
    let product = |dl_dz: &[f64], w: &[f64]| {
        let mut dl_dx = vec![0.0; n * shape.input_width];
        dense::backward_input(shape, dl_dz, w, &mut dl_dx);
        dl_dx
    };
    let [lower, upper] = dl_dz.magnitudes();
    let w = products.factors(w);
    let [w_lower, w_upper] = w.magnitudes();
    of_products(
        product(&dl_dz.values, &w.values),
        &product(&lower, &w_lower),
        &product(&upper, &w_upper),
        (products, shape.output_width),
    )
}

/// [dl_dz^T x, column sums of dl_dz]
pub(super) fn backward_weights(products: Products, shape: LayerShape, dl_dz: &Bounds, x: &Bounds) -> Bounds {
    let n = x.values.len() / shape.input_width;
    let n_weights = shape.input_width * shape.output_width;
    let product = |dl_dz: &[f64], x: &[f64]| {
        let mut sums = vec![0.0; shape.n_params()];
        let (dl_dw, dl_db) = sums.split_at_mut(n_weights);
        dense::backward_weights(shape, dl_dz, x, dl_dw, dl_db);
        sums
    };
    let [lower, upper] = dl_dz.magnitudes();
    let [x_lower, x_upper] = x.magnitudes();
    of_products(
        product(&dl_dz.values, &x.values),
        &product(&lower, &x_lower),
        &product(&upper, &x_upper),
        (products, n),
    )
}
