//! Half the mean squared error, whose derivative has no factor.

use super::{Formula, HalfMse};
use crate::model::Arithmetic;

impl Formula for HalfMse {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let difference = p - t;
        (T::of(0.5) * difference * difference, difference)
    }
}
