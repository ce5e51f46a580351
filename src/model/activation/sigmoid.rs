//! The logistic function.

use super::{Formula, Sigmoid};
use crate::model::Arithmetic;

/// Computed from e^-|z|, which cannot overflow.
#[inline(always)]
pub(super) fn sigmoid<T: Arithmetic>(z: T) -> T {
    let e = (-z.abs()).exp_fast();
    z.if_positive(T::one(), e) / (T::one() + e)
}

impl Formula for Sigmoid {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let p = sigmoid(z);
        (p, p * (T::one() - p))
    }
}
