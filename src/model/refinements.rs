//! Steps around the update rule: clipping, penalties, averaging.

use super::optimizer::MuonLayers;

/// Refinements of a training step; none by default.
///
/// In a step, the gradient is clipped, penalties are added to it, the rule updates the weights, and
/// then their average is updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refinements {
    /// Factor on the learning rate of the encoding's weights.
    pub encoding_rate: f64,
    /// Factor on the learning rate of the matrices that Muon updates as a whole.
    pub matrix_rate: f64,
    /// Which those are.
    pub muon_layers: MuonLayers,
    /// L2 penalty on the encoding's weights: this times w is added to their gradient.
    pub encoding_l2: f64,
    /// The same on the network's weights and biases.
    pub l2: f64,
    /// Largest Euclidean norm of the whole gradient; a longer one is scaled down to it.
    /// Pascanu et al. 2013, *On the difficulty of training recurrent neural networks*, algorithm 1.
    pub clip_norm: Option<f64>,
    /// Decay of a moving average of the weights, which is then used in predictions and the model file.
    /// Polyak and Juditsky 1992, with the bias correction of Kingma and Ba 2015.
    pub ema: Option<f64>,
}

impl Default for Refinements {
    fn default() -> Self {
        Self {
            encoding_rate: 1.0,
            matrix_rate: 1.0,
            muon_layers: MuonLayers::Hidden,
            encoding_l2: 0.0,
            l2: 0.0,
            clip_norm: None,
            ema: None,
        }
    }
}

/// Keeps the factor finite for a gradient of 0, as `torch.nn.utils.clip_grad_norm_` does.
const NORM_EPSILON: f64 = 1e-6;

/// The factor on a gradient of `norm` that clips it to `clip_norm`.
#[inline(always)]
pub fn clip_factor(clip_norm: f64, norm: f64) -> f64 {
    (clip_norm / (norm + NORM_EPSILON)).min(1.0)
}

impl Refinements {
    /// How far the average a moves towards the weights w after step `index` (from 0): with t = index + 1,
    /// a += (1 - ema) / (1 - ema^t) (w - a), so that the first average is the weights of the first step.
    pub fn average_rate(&self, index: u64) -> f64 {
        let Some(decay) = self.ema else { return 1.0 };
        let t = (index + 1) as f64;
        // 1 - ema^t, exact for decays near 1.
        (1.0 - decay) / -libm::expm1(t * libm::log(decay))
    }

    /// Whether a step only applies the update rule.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_begin_with_the_first_weights_and_weigh_as_one() {
        let refinements = Refinements { ema: Some(0.9), ..Refinements::default() };
        assert_eq!(refinements.average_rate(0), 1.0);
        // a_3 = (w_3 + 0.9 w_2 + 0.81 w_1) / (1 + 0.9 + 0.81)
        let mut average = 0.0;
        for (index, w) in [5.0, 7.0, 11.0].into_iter().enumerate() {
            average += refinements.average_rate(index as u64) * (w - average);
        }
        assert!((average - (11.0 + 0.9 * 7.0 + 0.81 * 5.0) / 2.71).abs() < 1e-12, "{average}");
    }

    #[test]
    fn only_long_gradients_are_clipped() {
        assert_eq!(clip_factor(1.0, 0.5), 1.0);
        assert!((clip_factor(1.0, 4.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_factor(1.0, 0.0), 1.0);
    }
}
