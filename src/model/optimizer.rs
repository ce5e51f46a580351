//! Optimisers.

mod adabelief;
mod adam;
mod lion;
mod muon;
mod nesterov;
mod sgd;

use super::Arithmetic;
use super::family::family;
use super::network::{LayerRange, ParamLayout};

pub use muon::{MuonLayers, Orthogonalization};

/// The factors of a step, computed on the host in f64 and rounded once.
pub type Factors = [f64; 4];

/// An update rule for one parameter w with gradient g and moments m.
///
/// Its shader in `shaders/optimizer/` has the function `update`.
pub trait Formula: Copy {
    /// Number of moments, at most 2.
    fn n_moments(self) -> usize;
    /// Constants that its shader declares with `override`.
    fn constants(self) -> Vec<(&'static str, f64)>;
    /// Factors of step `index`, from 0: the learning rate alone, unless a rule has others.
    #[inline(always)]
    fn factors(self, _index: u64, lr: f64) -> Factors {
        [lr, 0.0, 0.0, 0.0]
    }
    /// The new w and m. Unused moments are 0.
    fn update<T: Arithmetic>(self, factors: [T; 4], w: T, g: T, m: [T; 2]) -> (T, [T; 2]);
}

family! {
    ($) optimizers, with_rule of optimizer;
    /// An update rule and its constants.
    pub enum Optimizer: f64;
    /// Update rules by name.
    pub enum OptimizerKind;
    /// Stochastic gradient descent, optionally with --momentum
    Sgd { momentum = 0.0, weight_decay = 0.0 } "sgd" in sgd,
    /// Gradient descent with Nesterov's momentum
    Nesterov { momentum = 0.9, weight_decay = 0.0 } "nesterov" in nesterov,
    /// Adam
    Adam { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0 } "adam" in adam,
    /// Adam with decoupled weight decay, 0.01 by default
    AdamW { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01 } "adamw" in adam as Adam,
    /// Adam with longer steps where gradients are predictable
    AdaBelief { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-16, weight_decay = 0.0 } "adabelief" in adabelief,
    /// Steps of equal size in the direction of the sign
    Lion { beta1 = 0.9, beta2 = 0.99, weight_decay = 0.0 } "lion" in lion,
    /// Orthogonalised momentum for hidden weight matrices (--muon-layers), Adam for all else
    Muon { momentum = 0.95, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0 } "muon" in adam,
}

impl Optimizer {
    /// Number of moments: 0 for plain SGD, 1 with momentum, 2 for Adam.
    pub fn n_moments(self) -> usize {
        with_rule!(self, rule => rule.n_moments())
    }

    /// Constants that its shader declares with `override`.
    pub fn constants(self) -> Vec<(&'static str, f64)> {
        with_rule!(self, rule => rule.constants())
    }

    /// The layers whose weight matrices are updated as a whole: those that `muon_layers` names, under Muon.
    pub fn whole_matrices(self, layout: &ParamLayout, muon_layers: MuonLayers) -> &[LayerRange] {
        let last = layout.layers.len() - 1;
        match (self, muon_layers) {
            (Self::Muon { .. }, MuonLayers::Hidden) => &layout.layers[1.min(last)..last],
            (Self::Muon { .. }, MuonLayers::ButLast) => &layout.layers[..last],
            _ => &[],
        }
    }

    /// Muon's constants, if this is Muon.
    pub(crate) fn muon(self) -> Option<Muon> {
        match self {
            Self::Muon { momentum, beta1, beta2, epsilon, weight_decay } => {
                Some(Muon { momentum, beta1, beta2, epsilon, weight_decay })
            }
            _ => None,
        }
    }

    /// Factors of step `index`, from 0.
    pub fn factors(self, index: u64, lr: f64) -> Factors {
        with_rule!(self, rule => rule.factors(index, lr))
    }
}
