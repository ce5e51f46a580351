//! Stochastic gradient descent as `torch.optim.SGD`.

use super::{Formula, Sgd};
use crate::model::Arithmetic;

/// g' = g + weight_decay w; v = momentum v + g' (v = g' at the first step); w -= lr v.
/// With momentum 0 there is no v.
impl Formula for Sgd {
    fn n_moments(self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        vec![("momentum", self.momentum), ("weight_decay", self.weight_decay)]
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, [lr, ..]: [T; 4], w: T, g: T, [v, _]: [T; 2]) -> (T, [T; 2]) {
        let v = T::of(self.momentum) * v + (g + T::of(self.weight_decay) * w);
        (w - lr * v, [v, T::zero()])
    }
}
