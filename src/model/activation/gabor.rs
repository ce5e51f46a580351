//! Saragadam et al. 2023, WIRE: Wavelet Implicit Neural Representations, real form.

use super::sine::turns_per_unit;
use super::{Formula, Gabor};
use crate::model::Arithmetic;

/// cos(w0 z) exp(-(scale z)^2), the real part of equation 4; `scale` is the paper's s0.
impl Formula for Gabor {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let (w0, scale) = (T::of(self.w0.into()), T::of(self.scale.into()));
        let (sine, cosine) = (z * turns_per_unit(self.w0)).sin_cos_turns();
        let u = scale * z;
        let envelope = (-(u * u)).exp_fast();
        (cosine * envelope, -(w0 * sine + T::of(2.0) * scale * u * cosine) * envelope)
    }
}
