//! The leaky rectified linear unit (Maas, Hannun and Ng 2013).

use super::{Formula, LeakyRelu};
use crate::model::Arithmetic;

/// z above 0, slope z elsewhere.
impl Formula for LeakyRelu {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let slope = T::of(self.slope.into());
        (z.if_positive(z, slope * z), z.if_positive(T::one(), slope))
    }
}
