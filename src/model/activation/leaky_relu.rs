//! The leaky rectified linear unit (Maas, Hannun and Ng 2013).

use super::Formula;
use crate::model::Arithmetic;

/// z above 0, slope z elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeakyRelu {
    /// Below 0.
    pub(super) slope: f32,
}

impl Formula for LeakyRelu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let slope = T::of(self.slope.into());
        (z.if_positive(z, slope * z), z.if_positive(T::one(), slope))
    }
}
