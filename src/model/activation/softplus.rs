//! A smooth rectifier.

use super::Formula;
use super::sigmoid::sigmoid;
use crate::model::Arithmetic;

/// ln(1 + e^z)
#[derive(Clone, Copy, Debug)]
pub(super) struct Softplus;

impl Formula for Softplus {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        // max(z, 0) + ln(1 + e^-|z|), which cannot overflow.
        (z.relu() + (-z.abs()).exp_fast().ln_1p_fast(), sigmoid(z))
    }
}
