//! Mean absolute error.

use super::{Formula, L1};
use crate::model::Arithmetic;

/// |p - t|; the derivative at 0 is 0, as in PyTorch.
impl Formula for L1 {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        (difference.abs(), difference.sign())
    }
}
