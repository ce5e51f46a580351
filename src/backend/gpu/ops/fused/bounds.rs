//! The network in f64 with a bound on the error of f32, layer by layer.
//!
//! Let x + e_x with |e_x| <= E_x be the device's value for x. A sum of K products of such numbers is off by at most
//! sum (|x| + E_x)(|w| + E_w) - |x||w|, and by K + 5 roundings of sum (|x| + E_x)(|w| + E_w) (Higham, Accuracy and
//! Stability of Numerical Algorithms, 2nd edition, equation 3.3), in any order. So each product is computed three
//! times: of the values, of their magnitudes, and of magnitudes with errors. Everything else is element-wise and goes
//! through [`Bounded`].

use crate::backend::cpu::dense;
use crate::backend::gpu::kernel::Storage;
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, sum_of_products};
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

/// Values with errors, from their products, those of magnitudes, and those of magnitudes with errors: sums of `k`.
fn of_products(values: Vec<f64>, lower: &[f64], upper: &[f64], k: usize) -> Bounds {
    let roundings = sum_of_products(k);
    let error =
        |(lower, upper): (&f64, &f64)| (upper - lower).max(0.0) + upper * roundings + k as f64 * FLUSH;
    let errors = lower.iter().zip(upper).map(error).collect();
    Bounds::new(values, errors)
}

/// x W^T + b
pub(super) fn forward(shape: LayerShape, x: &Bounds, w: &[f64], b: &[f64]) -> Bounds {
    let n = x.values.len() / shape.input_width;
    let product = |x: &[f64], w: &[f64], b: &[f64]| {
        let mut z = vec![0.0; n * shape.output_width];
        dense::forward(shape, x, w, b, &mut z);
        z
    };
    let [lower, upper] = x.magnitudes();
    let (w_abs, b_abs) = (absolute(w), absolute(b));
    of_products(
        product(&x.values, w, b),
        &product(&lower, &w_abs, &b_abs),
        &product(&upper, &w_abs, &b_abs),
        shape.input_width,
    )
}

/// dl_dz W
pub(super) fn backward_input(shape: LayerShape, dl_dz: &Bounds, w: &[f64]) -> Bounds {
    let n = dl_dz.values.len() / shape.output_width;
    let product = |dl_dz: &[f64], w: &[f64]| {
        let mut dl_dx = vec![0.0; n * shape.input_width];
        dense::backward_input(shape, dl_dz, w, &mut dl_dx);
        dl_dx
    };
    let [lower, upper] = dl_dz.magnitudes();
    let w_abs = absolute(w);
    let k = shape.output_width;
    of_products(product(&dl_dz.values, w), &product(&lower, &w_abs), &product(&upper, &w_abs), k)
}

/// [dl_dz^T x, column sums of dl_dz]
pub(super) fn backward_weights(shape: LayerShape, dl_dz: &Bounds, x: &Bounds) -> Bounds {
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
    of_products(product(&dl_dz.values, &x.values), &product(&lower, &x_lower), &product(&upper, &x_upper), n)
}
