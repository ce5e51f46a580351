//! Elfwing, Uchibe and Doya 2018; Swish with beta 1.

use super::Formula;
use super::sigmoid::sigmoid;
use crate::model::Arithmetic;

/// z / (1 + e^-z)
#[derive(Clone, Copy, Debug)]
pub(super) struct Silu;

impl Formula for Silu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let p = sigmoid(z);
        (z * p, p + z * p * (T::one() - p))
    }
}
