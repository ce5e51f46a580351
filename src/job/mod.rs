//! What a backend is given: the job, and the device to run it on.

#[cfg(feature = "faults")]
pub mod faults;
mod network;
mod options;

#[cfg(feature = "faults")]
pub use faults::Faults;
pub use network::NetworkJob;
pub use options::{DeviceOptions, Override};

use crate::model::network::LayerRange;
use crate::model::{
    Coords, GridGradients, Holdout, Loss, Mask, Model, Optimizer, ParamLayout, Raster, Refinements,
    SampleSet, Sampling,
};
use crate::names::named;
use crate::picture::Picture;
use std::sync::Arc;

/// What a backend trains: fixed for the whole run.
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
    /// The loss to minimise.
    pub loss: Loss,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Samples of a full step; at most `samples.len()`.
    pub batch_size: u32,
    /// Options that most jobs leave at their defaults.
    pub options: JobOptions,
}

impl Job {
    /// Trains `model` on all pixels of `picture` at once, by the mean squared error.
    pub fn new(model: Model, picture: Picture, optimizer: Optimizer) -> Self {
        let (width, height) = (picture.width, picture.height);
        let samples = SampleSet { width, height, holdout: Holdout::None, masked: None };
        Self {
            model,
            raster: picture.raster(Coords::Center),
            picture: Arc::new(picture),
            samples,
            loss: Loss::Mse,
            optimizer,
            batch_size: samples.len(),
            options: JobOptions::default(),
        }
    }

    /// The layers of `layout`, its model's, whose weight matrices are updated as a whole.
    pub fn whole_matrices<'a>(&self, layout: &'a ParamLayout) -> &'a [LayerRange] {
        self.optimizer.whole_matrices(layout, self.options.refinements.muon_layers)
    }
}

/// Options of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobOptions {
    /// Factor on the loss of each channel.
    pub channel_weights: [f32; 4],
    /// Refinements of the update.
    pub refinements: Refinements,
    /// The mask of training pixels, if not all are trained on.
    pub mask: Option<Arc<Mask>>,
    /// How samples are distributed in an epoch; without a mask only.
    pub sampling: Sampling,
    /// How a GPU sums the gradients of a grid.
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
        /// The best hardware GPU, or the CPU if there is none
        Auto "auto",
        /// A GPU, or a software driver if there is no other
        Gpu "gpu",
        /// The CPU
        Cpu "cpu",
    }
}

named! {
    /// Precision on a GPU.
    pub enum Precision = Auto {
        /// Whichever is faster on a hardware GPU, f32 on a software driver
        Auto "auto",
        /// 32-bit floats throughout
        F32 "f32",
        /// Weights and sums in 32 bits, values between layers in 16; pictures are computed in 32
        Mixed "mixed",
    }
}

/// The requested device.
#[derive(Clone, Debug, Default)]
pub struct DeviceRequest {
    /// Kind of device.
    pub backend: BackendChoice,
    /// A GPU by part of its name or by its number.
    pub adapter: Option<String>,
    /// Threads of the CPU backend, 0 for all cores.
    pub threads: usize,
    /// Precision on a GPU; the CPU backend only has f32.
    pub precision: Precision,
    /// Options for opening and using it.
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
