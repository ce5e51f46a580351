//! A run with every default filled in and every value checked.

use super::{CheckpointEvery, Config, Keep};
use crate::job::{DeviceOptions, DeviceRequest, Job, JobOptions};
use crate::model::{Coords, Init, Loss, Model, Optimizer, Raster, SampleSet, Schedule};
use crate::picture::{Curve, IccProfile, Picture, Transfer, Transparent};
use std::sync::Arc;

/// A fully resolved run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The same as a configuration with every default filled in.
    pub config: Config,
    /// Encoding (frequencies drawn) and network.
    pub model: Model,
    /// The distribution of initial weights.
    pub init: Init,
    /// Determines frequencies, initial weights and sample order.
    pub seed: u64,
    /// How pixels are placed in the plane.
    pub coords: Coords,
    /// Positions of the picture's pixels.
    pub raster: Raster,
    /// From the picture's values to those that are trained on.
    pub transfer: Transfer,
    /// The factor at which previews show a picture in linear light.
    pub exposure: f32,
    /// Which pixels are trained on.
    pub samples: SampleSet,
    /// Samples per step.
    pub batch_size: u32,
    /// Passes over the training pixels.
    pub epochs: u64,
    /// The PSNR in dB of the training split that ends the run before.
    pub until: Option<f64>,
    /// The loss to minimise.
    pub loss: Loss,
    /// Refinements of the training.
    pub options: JobOptions,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Learning rate of the first step.
    pub lr: f64,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Epochs between pictures.
    pub snapshot_every: u64,
    /// Epochs between measurements of the whole picture.
    pub measure_every: u64,
    /// Which weights become the model.
    pub keep: Keep,
    /// How often checkpoints are written.
    pub checkpoint_every: CheckpointEvery,
    /// The requested device.
    pub device: DeviceRequest,
    /// The ICC profile of the picture's values, if they are not sRGB.
    pub profile: Option<IccProfile>,
}

impl Resolved {
    /// The same run, with `options` for the device.
    #[must_use]
    pub fn on(self, options: &DeviceOptions) -> Self {
        Self { device: self.device.with(options), ..self }
    }

    /// The same run, of a picture whose values `profile` describes.
    #[must_use]
    pub fn with_profile(self, profile: Option<IccProfile>) -> Self {
        Self { profile, ..self }
    }

    /// The job for a backend. `picture` is the one this was resolved for; the backend predicts values for
    /// [`Transfer::decode_pixels`].
    pub fn job(&self, picture: Arc<Picture>) -> Job {
        let picture = match self.transfer.is_identity() {
            true => picture,
            false => Arc::new(self.transfer.encode_picture(&picture)),
        };
        Job {
            model: self.model.clone(),
            picture,
            raster: self.raster,
            samples: self.samples,
            loss: self.loss,
            optimizer: self.optimizer,
            batch_size: self.batch_size,
            options: self.options.clone(),
        }
    }

    /// What becomes of colours where alpha is 0.
    pub fn transparent(&self) -> Transparent {
        self.config.picture.transparent.unwrap_or_default()
    }

    /// What to tell a user of how the values of `picture` are trained on and measured, if it is in linear light.
    pub fn range_note(&self, picture: &Picture) -> Option<String> {
        if !picture.is_hdr() {
            return None;
        }
        let Transfer { scale, curve } = self.transfer;
        let trained = match curve {
            Curve::Linear if scale == 1.0 => "trained on as they are".to_owned(),
            Curve::Linear => format!("trained on times {scale}"),
            Curve::Log => format!("trained on as ln(1 + {scale} v) / 4"),
        };
        let shown = match self.exposure {
            1.0 => String::new(),
            exposure => format!("; PNG files show them times {exposure}"),
        };
        let peak = picture.peak();
        Some(format!(
            "values in linear light up to {peak} are {trained}; PSNR is relative to that peak{shown}"
        ))
    }

    /// Steps of one pass over the training pixels.
    pub fn steps_per_epoch(&self) -> u32 {
        self.samples.len().div_ceil(self.batch_size)
    }

    /// Initial weights and biases, as laid out by the model.
    pub fn initial_params(&self) -> Vec<f32> {
        self.init.draw(&self.model, self.seed)
    }
}
