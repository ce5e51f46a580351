//! Muon: hidden weight matrices descend along their orthogonalised momentum, all else by Adam.

use super::{Adam, Factors, Formula, Muon};
use crate::model::Arithmetic;
use crate::model::network::LayerShape;
use crate::names::named;

named! {
    /// The layers whose weight matrices Muon orthogonalises.
    pub enum MuonLayers = Hidden {
        /// Those between hidden layers
        Hidden "hidden",
        /// The first layer too
        ButLast "but-last",
    }
}

impl Muon {
    /// The direction of descent of an element with gradient `g` and momentum `m`, and its new momentum: Nesterov's.
    #[inline(always)]
    pub(crate) fn direction<T: Arithmetic>(self, g: T, m: T) -> (T, T) {
        let (old, new) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        let m = old * m + new * g;
        (old * m + new * g, m)
    }

    fn adam(self) -> Adam {
        let Self { beta1, beta2, epsilon, weight_decay, .. } = self;
        Adam { beta1, beta2, epsilon, weight_decay }
    }
}

/// Kingma and Ba's update of the parameters that are not in whole matrices.
impl Formula for Muon {
    fn n_moments(self) -> usize {
        self.adam().n_moments()
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        self.adam().constants()
    }

    #[inline(always)]
    fn factors(self, index: u64, lr: f64) -> Factors {
        self.adam().factors(index, lr)
    }

    #[inline(always)]
    fn update<T: Arithmetic>(self, factors: [T; 4], w: T, g: T, m: [T; 2]) -> (T, [T; 2]) {
        self.adam().update(factors, w, g, m)
    }
}

/// How a direction u of a matrix is orthogonalised: x = u / (|u| + epsilon), then `ROUNDS` times
/// x = a x + (b s + c s s) x with s = x x^T, which moves all singular values near 1. Jordan et al. 2024, *Muon: an
/// optimizer for hidden layers in neural networks*; Bernstein and Newhouse 2024, *Old optimizer, new norm*.
pub struct Orthogonalization;

impl Orthogonalization {
    /// a, b and c.
    pub const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
    /// Enough for singular values from 1e-2 on.
    pub const ROUNDS: usize = 5;
    /// Keeps a gradient of 0 finite.
    pub const EPSILON: f64 = 1e-7;

    /// Factor on the step of a matrix of `shape`: sqrt(output width / input width) where that is more than 1.
    pub fn step_scale(shape: LayerShape) -> f64 {
        (shape.output_width as f64 / shape.input_width as f64).max(1.0).sqrt()
    }
}
