//! Lehtinen et al. 2018, Noise2Noise, as in tiny-cuda-nn.

use super::{Formula, RelativeL2};
use crate::model::Arithmetic;

/// (p - t)^2 / (p^2 + 0.01), with a derivative that treats the denominator as constant.
impl Formula for RelativeL2 {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        let denominator = p * p + T::of(0.01);
        (difference * difference / denominator, T::of(2.0) * difference / denominator)
    }
}
