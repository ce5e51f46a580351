//! Mean absolute error.

use super::Formula;
use crate::model::Arithmetic;

/// |p - t|; the derivative at 0 is 0, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub(super) struct L1;

impl Formula for L1 {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        (difference.abs(), difference.sign())
    }
}
