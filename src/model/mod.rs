//! The model and its training as data: encoding, network, loss, optimiser, schedule, sample order.
//!
//! Nothing here runs a training step; the backends do that from these types. What must be
//! bit-identical on all backends (sample order, initial weights, learning rates) is computed here.

pub mod activation;
mod dual;
pub mod encoding;
mod family;
pub mod importance;
pub mod init;
pub mod loss;
pub mod mask;
pub mod network;
pub mod optimizer;
pub mod real;
pub mod refinements;
pub mod sampling;
pub mod schedule;
pub mod steps;

pub use activation::{Activation, ActivationKind};
pub use dual::Dual;
pub use encoding::attenuation::{self, Footprint, PixelFilter};
pub use encoding::{
    Encoding, EncodingFamily, EncodingKind, EncodingSpec, GridGradients, GridLevel, GridSpec, HashGrid,
    Interpolation, Pointwise,
};
pub use family::Family;
pub use importance::{Importance, Sample, Sampling};
pub use init::Init;
pub use loss::{Loss, LossKind};
pub use mask::Mask;
pub use network::{LayerShape, Mlp, ParamLayout};
pub use optimizer::{Optimizer, OptimizerKind};
pub use real::{Arithmetic, Real};
pub use refinements::Refinements;
pub use sampling::{Coords, Holdout, Raster, SampleSet, Shuffle};
pub use schedule::{Schedule, ScheduleKind};
pub use steps::Steps;

use std::sync::Arc;

/// A coordinate network without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Position to features.
    pub encoding: Encoding,
    /// Features to colour.
    pub network: Mlp,
}

impl Model {
    /// Where each tensor lies in the flat parameter buffer.
    pub fn layout(&self) -> ParamLayout {
        ParamLayout::new(self.encoding.n_params(), &self.network)
    }
}

/// One optimiser step, resolved on the host, the same for every backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Optimiser steps done before this one, from 0.
    pub index: u64,
    /// Sample order of the epoch this step belongs to.
    pub shuffle: Shuffle,
    /// Position of the step's first sample within the epoch.
    pub first_sample: u32,
    /// Samples in this step: the batch size, or fewer at the end of an epoch.
    pub n_samples: u32,
    /// Learning rate.
    pub lr: f64,
    /// Importance sampling of the epoch; none if each pixel is sampled once.
    pub importance: Option<Arc<Importance>>,
}

/// The state of training, on the host.
///
/// `params` and each of `moments` have the length and the ranges of [`ParamLayout`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// Optimiser steps done.
    pub step: u64,
    /// Weights and biases.
    pub params: Vec<f32>,
    /// Optimiser moments (none for plain SGD, velocity with momentum, first and second for Adam), then
    /// the moving average of the weights, if there is one.
    pub moments: Vec<Vec<f32>>,
}

impl TrainingState {
    /// Before the first step.
    pub fn new(params: Vec<f32>, optimizer: Optimizer, refinements: &Refinements) -> Self {
        let mut moments = vec![vec![0.0; params.len()]; optimizer.n_moments()];
        moments.extend(refinements.ema.map(|_| params.clone()));
        Self { step: 0, params, moments }
    }

    /// Length of `moments`.
    pub fn n_moments(optimizer: Optimizer, refinements: &Refinements) -> usize {
        optimizer.n_moments() + usize::from(refinements.ema.is_some())
    }

    /// The weights to predict with: the moving average, if there is one.
    pub fn into_predicting(mut self, refinements: &Refinements) -> Vec<f32> {
        match refinements.ema {
            Some(_) => self.moments.pop().expect("the average is the last"),
            None => self.params,
        }
    }
}
