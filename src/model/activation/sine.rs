//! Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation Functions (SIREN).

use super::{Formula, Sine};
use crate::model::Arithmetic;
use std::f64::consts::TAU;

/// sin(w0 z), equation 5.
impl Formula for Sine {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let (sine, cosine) = (z * turns_per_unit(self.w0)).sin_cos_turns();
        (sine, T::of(self.w0.into()) * cosine)
    }
}

/// w0 / 2 pi, the factor from a pre-activation to a phase in turns.
#[inline(always)]
pub fn turns_per_unit<T: Arithmetic>(w0: f32) -> T {
    T::of(f64::from(w0) / TAU)
}
