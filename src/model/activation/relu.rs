//! The rectified linear unit.

use super::{Formula, Relu};
use crate::model::Arithmetic;

impl Formula for Relu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        (z.relu(), z.if_positive(T::one(), T::zero()))
    }
}
