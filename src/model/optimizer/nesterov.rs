//! Gradient descent with Nesterov's momentum, as `torch.optim.SGD(nesterov=True)`.

use super::{Formula, Nesterov};
use crate::model::Arithmetic;

/// g' = g + weight_decay w; v = momentum v + g'; w -= lr (g' + momentum v).
/// Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
impl Formula for Nesterov {
    fn n_moments(self) -> usize {
        1
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        vec![("momentum", self.momentum), ("weight_decay", self.weight_decay)]
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, [lr, ..]: [T; 4], w: T, g: T, [v, _]: [T; 2]) -> (T, [T; 2]) {
        let momentum = T::of(self.momentum);
        let g = g + T::of(self.weight_decay) * w;
        let v = momentum * v + g;
        (w - lr * (g + momentum * v), [v, T::zero()])
    }
}
