//! Liu et al. 2024, FINER: Flexible Spectral-bias Tuning in Implicit Neural Representation.

use super::sine::turns_per_unit;
use super::{Finer, Formula};
use crate::model::Arithmetic;

/// sin(w0 (|z| + 1) z), equation 5.
impl Formula for Finer {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let growth = z.abs() + T::one();
        let (sine, cosine) = (growth * z * turns_per_unit(self.w0)).sin_cos_turns();
        (sine, T::of(self.w0.into()) * (growth + z.abs()) * cosine)
    }
}
