//! AdaBelief.

use super::{AdaBelief, Adam, Factors, Formula};
use crate::model::Arithmetic;

impl AdaBelief {
    /// Adam, which has the same constants and corrections.
    #[inline(always)]
    fn as_adam(self) -> Adam {
        let Self { beta1, beta2, epsilon, weight_decay } = self;
        Adam { beta1, beta2, epsilon, weight_decay }
    }
}

/// Zhuang et al. 2020, AdaBelief Optimizer, algorithm 2, with decoupled decay: Adam with the second
/// moment of g - m, so that steps are long where the gradient is predictable.
impl Formula for AdaBelief {
    fn n_moments(self) -> usize {
        2
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        self.as_adam().constants()
    }

    #[inline(always)]
    fn factors(self, index: u64, lr: f64) -> Factors {
        self.as_adam().factors(index, lr)
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, factors: [T; 4], w: T, g: T, [m, s]: [T; 2]) -> (T, [T; 2]) {
        let [step_size, second_scale, keep, _] = factors;
        let epsilon = T::of(self.epsilon);
        let m = T::of(self.beta1) * m + T::of(1.0 - self.beta1) * g;
        let surprise = g - m;
        let s = T::of(self.beta2) * s + T::of(1.0 - self.beta2) * surprise * surprise + epsilon;
        (w * keep - step_size * m / (s.sqrt() * second_scale + epsilon), [m, s])
    }
}
