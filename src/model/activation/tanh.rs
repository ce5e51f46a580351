//! The hyperbolic tangent.

use super::{Formula, Tanh};
use crate::model::Arithmetic;

impl Formula for Tanh {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        // (1 - e) / (1 + e) with e = exp(-2 |z|), which cannot overflow.
        let e = (T::of(-2.0) * z.abs()).exp_fast();
        let magnitude = (T::one() - e) / (T::one() + e);
        let value = z.if_positive(magnitude, -magnitude);
        (value, T::one() - value * value)
    }
}
