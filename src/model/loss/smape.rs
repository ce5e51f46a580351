//! Symmetric mean absolute percentage error, as in tiny-cuda-nn.

use super::{Formula, Smape};
use crate::model::Arithmetic;

/// |p - t| / (0.5 (|p| + |t|) + 0.01), with a derivative that treats the denominator as constant.
impl Formula for Smape {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        let denominator = T::of(0.5) * (p.abs() + t.abs()) + T::of(0.01);
        (difference.abs() / denominator, difference.sign() / denominator)
    }
}
