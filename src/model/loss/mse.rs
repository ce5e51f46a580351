//! Mean squared error.

use super::Formula;
use crate::model::Arithmetic;

/// (p - t)^2
#[derive(Clone, Copy, Debug)]
pub(super) struct Mse;

impl Formula for Mse {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        (difference * difference, T::of(2.0) * difference)
    }
}
