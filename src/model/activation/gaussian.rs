//! Ramasinghe and Lucey 2022, Beyond Periodicity: Towards a Unifying Framework for Activations in Coordinate-MLPs.

use super::{Formula, Gaussian};
use crate::model::Arithmetic;

/// exp(-z^2 / (2 scale^2)), table 1.
impl Formula for Gaussian {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        let scale = T::of(self.scale.into());
        let u = z / scale;
        let value = (T::of(-0.5) * u * u).exp_fast();
        (value, -(u / scale) * value)
    }
}
