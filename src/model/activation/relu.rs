//! The rectified linear unit.

use super::Formula;
use crate::model::Arithmetic;

/// max(z, 0)
#[derive(Clone, Copy, Debug)]
pub(super) struct Relu;

impl Formula for Relu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        (z.relu(), z.if_positive(T::one(), T::zero()))
    }
}
