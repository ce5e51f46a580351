//! Mean squared error.

use super::{Formula, Mse};
use crate::model::Arithmetic;

impl Formula for Mse {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        (difference * difference, T::of(2.0) * difference)
    }
}
