//! Hendrycks and Gimpel 2016, Gaussian Error Linear Units, tanh form.

use super::sigmoid::sigmoid;
use super::{Formula, Gelu};
use crate::model::Arithmetic;

const CUBIC: f64 = 0.044715;
/// 2 sqrt(2 / pi)
const ROOT: f64 = 1.595_769_121_605_730_8;

/// 0.5 z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))), as `torch.nn.GELU(approximate="tanh")`.
impl Formula for Gelu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        // 0.5 (1 + tanh(u / 2)) = sigmoid(u)
        let square = z * z;
        let u = T::of(ROOT) * z * (T::one() + T::of(CUBIC) * square);
        let p = sigmoid(u);
        let du = T::of(ROOT) * (T::one() + T::of(3.0 * CUBIC) * square);
        (z * p, p + z * p * (T::one() - p) * du)
    }
}
