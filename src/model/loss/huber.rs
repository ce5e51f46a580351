//! Huber 1964, Robust Estimation of a Location Parameter.

use super::{Formula, Huber};
use crate::model::Arithmetic;

/// 0.5 d^2 where |d| = |p - t| is at most delta, else delta (|d| - 0.5 delta), as `torch.nn.HuberLoss`.
impl Formula for Huber {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        let delta = T::of(self.delta.into());
        let difference = p - t;
        let distance = difference.abs();
        let beyond = distance - delta;
        let square = T::of(0.5) * distance * distance;
        let line = delta * (distance - T::of(0.5) * delta);
        (beyond.if_positive(line, square), beyond.if_positive(delta * difference.sign(), difference))
    }
}
