//! Adam and AdamW.

use super::{Adam, Factors, Formula};
use crate::model::Arithmetic;

/// Bias corrections at step `index` (from 0): 1 - beta1^t and sqrt(1 - beta2^t), t = index + 1.
#[inline(always)]
fn corrections(beta1: f64, beta2: f64, index: u64) -> (f64, f64) {
    let t = (index + 1) as f64;
    (1.0 - libm::pow(beta1, t), (1.0 - libm::pow(beta2, t)).sqrt())
}

/// Kingma and Ba 2015, algorithm 1, with the decoupled decay of Loshchilov and Hutter 2019,
/// algorithm 2: w -= lr weight_decay w, then w -= lr m^ / (sqrt(v^) + epsilon).
impl Formula for Adam {
    fn n_moments(self) -> usize {
        2
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        vec![
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("one_minus_beta1", 1.0 - self.beta1),
            ("one_minus_beta2", 1.0 - self.beta2),
            ("epsilon", self.epsilon),
        ]
    }

    #[inline(always)]
    fn factors(self, index: u64, lr: f64) -> Factors {
        let (correction1, correction2) = corrections(self.beta1, self.beta2, index);
        [lr / correction1, 1.0 / correction2, 1.0 - lr * self.weight_decay, 0.0]
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, factors: [T; 4], w: T, g: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let [step_size, second_scale, keep, _] = factors;
        let m = T::of(self.beta1) * m + T::of(1.0 - self.beta1) * g;
        let v = T::of(self.beta2) * v + T::of(1.0 - self.beta2) * g * g;
        (w * keep - step_size * m / (v.sqrt() * second_scale + T::of(self.epsilon)), [m, v])
    }
}
