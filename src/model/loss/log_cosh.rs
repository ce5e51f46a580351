//! Log-cosh: a Huber loss without a kink in its derivative.

use super::{Formula, LogCosh};
use crate::model::Arithmetic;

impl Formula for LogCosh {
    #[inline(always)]
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        // tanh |d| = (1 - e) / (1 + e) with e = exp(-2 |d|), which cannot overflow.
        let difference = p - t;
        let distance = difference.abs();
        let e = (T::of(-2.0) * distance).exp_fast();
        let tanh = (T::one() - e) / (T::one() + e);
        // ln cosh d = -0.5 ln(1 - tanh^2 d), precise near 0; |d| + ln(1 + e) - ln 2 elsewhere.
        let near = T::of(-0.5) * (-(tanh * tanh)).ln_1p_fast();
        let far = distance + e.ln_1p_fast() - T::of(std::f64::consts::LN_2);
        let value = (distance - T::of(0.5)).if_positive(far, near);
        (value, tanh * difference.sign())
    }
}
