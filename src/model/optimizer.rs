//! Optimisers as data: the update rule and its constants.

/// How gradients g become a change of the parameters w, at learning rate `lr`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// g' = g + weight_decay w; v = momentum v + g' (v = g' at the first step); w -= lr v.
    /// As `torch.optim.SGD`. With momentum 0 there is no velocity.
    Sgd {
        /// 0 for plain SGD.
        momentum: f64,
        /// L2 penalty, added to the gradient.
        weight_decay: f64,
    },
    /// Kingma and Ba 2015, algorithm 1, with the decoupled decay of Loshchilov and Hutter 2019,
    /// algorithm 2: w -= lr weight_decay w, then w -= lr m^ / (sqrt(v^) + epsilon).
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the square root of the second moment.
        epsilon: f64,
        /// Decoupled decay.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Moment buffers it keeps: 0 for plain SGD, 1 with momentum, 2 for Adam.
    pub fn n_moments(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Self::Adam { .. } => 2,
        }
    }
}

/// Adam's bias corrections at step `index` (from 0): 1 - beta1^t and sqrt(1 - beta2^t), t = index + 1.
pub fn adam_corrections(beta1: f64, beta2: f64, index: u64) -> (f64, f64) {
    let t = (index + 1) as f64;
    (1.0 - beta1.powf(t), (1.0 - beta2.powf(t)).sqrt())
}
