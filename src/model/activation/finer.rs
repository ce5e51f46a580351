//! Liu et al. 2024, FINER: Flexible Spectral-bias Tuning in Implicit Neural Representation.

use super::Formula;
use super::sine::turns_per_unit;
use crate::model::Arithmetic;

/// sin(w0 (|z| + 1) z), equation 5.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finer {
    /// Angular frequency in radians per unit of z, at 0.
    pub(super) w0: f32,
}

impl Formula for Finer {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let growth = z.abs() + T::one();
        let (sine, cosine) = (growth * z * turns_per_unit(self.w0)).sin_cos_turns();
        (sine, T::of(self.w0.into()) * (growth + z.abs()) * cosine)
    }
}
