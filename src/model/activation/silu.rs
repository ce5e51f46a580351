//! Elfwing, Uchibe and Doya 2018; Swish with beta 1.

use super::sigmoid::sigmoid;
use super::{Formula, Silu};
use crate::model::Arithmetic;

/// z / (1 + e^-z)
impl Formula for Silu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let p = sigmoid(z);
        (z * p, p + z * p * (T::one() - p))
    }
}
