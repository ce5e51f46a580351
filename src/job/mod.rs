//! What a backend is asked for: the job, and the device to run it on.

#[cfg(feature = "faults")]
pub mod faults;
mod options;

#[cfg(feature = "faults")]
pub use faults::Faults;
pub use options::{DeviceOptions, Override};

use crate::model::{GridGradients, Loss, Mask, Model, Optimizer, Raster, Refinements, SampleSet, Sampling};
use crate::names::named;
use crate::picture::Picture;
use std::sync::Arc;

/// What a backend is asked to train: fixed for the whole run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Encoding and network.
    pub model: Model,
    /// The picture to memorise; its channels are the network's output width.
    pub picture: Arc<Picture>,
    /// Positions of the picture's pixels.
    pub raster: Raster,
    /// Which pixels are trained on.
    pub samples: SampleSet,
    /// What is minimised.
    pub loss: Loss,
    /// How.
    pub optimizer: Optimizer,
    /// Samples of a full step; at most `samples.len()`.
    pub batch_size: u32,
    /// What most jobs leave as it is.
    pub options: JobOptions,
}

/// Refinements of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobOptions {
    /// Factor on the loss of each channel.
    pub channel_weights: [f32; 4],
    /// What is done around the update rule.
    pub refinements: Refinements,
    /// The part of the picture that is trained on, where that is not all of it.
    pub mask: Option<Arc<Mask>>,
    /// How an epoch's samples are spread, where there is no mask.
    pub sampling: Sampling,
    /// How a GPU adds up the gradients of a grid.
    pub grid_gradients: GridGradients,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            channel_weights: [1.0; 4],
            refinements: Refinements::default(),
            mask: None,
            sampling: Sampling::Uniform,
            grid_gradients: GridGradients::Exact,
        }
    }
}

named! {
    /// Where to run.
    pub enum BackendChoice = Auto {
        /// The best hardware GPU, or the CPU where there is none
        Auto "auto",
        /// A GPU, or a software driver where that is all there is
        Gpu "gpu",
        /// The processor
        Cpu "cpu",
    }
}

named! {
    /// How a GPU computes.
    pub enum Precision = Auto {
        /// Whichever is faster on a hardware GPU, f32 on a software driver
        Auto "auto",
        /// 32-bit floats throughout
        F32 "f32",
        /// Weights and sums in 32 bits, values between layers in 16; pictures are computed in 32
        Mixed "mixed",
    }
}

/// What a run asks to be trained on.
#[derive(Clone, Debug, Default)]
pub struct DeviceRequest {
    /// Which kind.
    pub backend: BackendChoice,
    /// A GPU by part of its name or by its number.
    pub adapter: Option<String>,
    /// Threads of the CPU backend, 0 for all cores.
    pub threads: usize,
    /// How a GPU computes; the CPU backend has f32 alone.
    pub precision: Precision,
    /// How that is opened and used.
    pub options: DeviceOptions,
}

impl DeviceRequest {
    /// The same with `options`.
    #[must_use]
    pub fn with(self, options: &DeviceOptions) -> Self {
        Self { options: options.clone(), ..self }
    }

    /// Whether any backend will do.
    pub(crate) fn is_open(&self) -> bool {
        self.backend == BackendChoice::Auto && self.adapter.is_none()
    }
}
