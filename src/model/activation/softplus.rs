//! A smooth rectifier.

use super::sigmoid::sigmoid;
use super::{Formula, Softplus};
use crate::model::Arithmetic;

impl Formula for Softplus {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        // max(z, 0) + ln(1 + e^-|z|), which cannot overflow.
        (z.relu() + (-z.abs()).exp_fast().ln_1p_fast(), sigmoid(z))
    }
}
