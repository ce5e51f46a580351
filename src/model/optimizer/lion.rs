//! Lion.

use super::{Factors, Formula, Lion};
use crate::model::Arithmetic;

/// Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2:
/// c = beta1 m + (1 - beta1) g; w -= lr (sign(c) + weight_decay w); m = beta2 m + (1 - beta2) g.
impl Formula for Lion {
    fn n_moments(self) -> usize {
        1
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        vec![
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("one_minus_beta1", 1.0 - self.beta1),
            ("one_minus_beta2", 1.0 - self.beta2),
        ]
    }

    #[inline(always)]
    fn factors(self, _: u64, lr: f64) -> Factors {
        [lr, 0.0, 1.0 - lr * self.weight_decay, 0.0]
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, [lr, _, keep, _]: [T; 4], w: T, g: T, [m, _]: [T; 2]) -> (T, [T; 2]) {
        let c = T::of(self.beta1) * m + T::of(1.0 - self.beta1) * g;
        let m = T::of(self.beta2) * m + T::of(1.0 - self.beta2) * g;
        (w * keep - lr * c.sign(), [m, T::zero()])
    }
}
