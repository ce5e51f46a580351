//! A whole run as one value: what may be written in a TOML file, what was typed, and, once
//! [`Config::resolve`] has filled every default, exactly what is run.

mod defaults;
mod fields;
mod resolve;
mod resolved;

pub use crate::backend::BackendChoice;
pub use fields::{
    ActivationKind, BatchSize, CheckpointEvery, EncodingKind, OptimizerKind, OutputKind, PictureSize,
};
pub use resolve::ConfigError;
pub use resolved::Resolved;

use crate::model::{Coords, Holdout, Init, Loss, Schedule};
use crate::read_file::read_at_most;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A run's settings. `None` means: take the default, which may depend on the other settings and
/// on the picture. A resolved configuration has no `None` that matters and repeats the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is memorised.
    pub picture: PictureConfig,
    /// Position to features.
    pub encoding: EncodingConfig,
    /// Features to colour.
    pub network: NetworkConfig,
    /// How it is trained.
    pub training: TrainingConfig,
    /// What is written.
    pub output: OutputConfig,
    /// Where it runs.
    pub device: DeviceConfig,
}

/// The `[picture]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureConfig {
    /// The picture's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Resized to this before training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<PictureSize>,
    /// Pixels kept from training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
    /// Where pixels lie in the plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coords: Option<Coords>,
}

/// The `[encoding]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncodingConfig {
    /// Which encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<EncodingKind>,
    /// Number of frequencies m; the network sees 2m inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<usize>,
    /// Gaussian: standard deviation of the frequencies, in cycles per unit of length. Positional:
    /// log2 of the highest frequency plus one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f32>,
}

/// The `[network]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Units of each hidden layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Linear layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Between the layers: `relu` or `sine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationKind>,
    /// Angular frequency of `sine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub w0: Option<f32>,
    /// After the last layer: `sigmoid`, or `identity` (the default for HDR).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputKind>,
    /// How initial weights are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

/// The `[training]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the training pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Samples a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchSize>,
    /// What is minimised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// The update rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerKind>,
    /// Learning rate of the first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// How the learning rate moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// SGD's momentum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Decoupled for Adam, an L2 penalty for SGD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Adam's decay of the first moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// Adam's decay of the second moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,
    /// Adam's epsilon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Frequencies, initial weights and sample order follow from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// The `[output]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Epochs between pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_every: Option<u64>,
    /// Epochs or time between checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<CheckpointEvery>,
}

/// The `[device]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// `auto`, `gpu` or `cpu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendChoice>,
    /// Part of an adapter's name, or its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
}

/// Configuration files are small; anything larger is not one.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has a field or value that does not exist;
    /// the message names it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let open = File::open(path).map_err(|e| file(e.to_string()))?;
        let bytes = read_at_most(open, MAX_CONFIG_BYTES).map_err(|e| file(e.to_string()))?;
        let bytes = bytes.ok_or_else(|| {
            file(format!("more than {MAX_CONFIG_BYTES} bytes is too long for a configuration"))
        })?;
        let text = String::from_utf8(bytes).map_err(|_| file("it is not UTF-8 text".to_owned()))?;
        Self::parse(&text).map_err(file)
    }

    /// The configuration in a TOML text.
    ///
    /// # Errors
    /// One sentence about what is wrong with it, and in which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() as u64 > MAX_CONFIG_BYTES {
            return Err(format!("{} bytes is too long for a configuration", text.len()));
        }
        toml::from_str(text).map_err(|e| one_line(&e, text))
    }

    /// As TOML text.
    ///
    /// # Panics
    /// When the picture's path is not UTF-8, or a number is above what TOML can hold (2^63 - 1).
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every configuration can be written as TOML")
    }

    /// Takes each setting from `self` where it is set and from `base` elsewhere.
    #[must_use]
    pub fn or(self, base: Self) -> Self {
        Self {
            picture: PictureConfig {
                file: self.picture.file.or(base.picture.file),
                size: self.picture.size.or(base.picture.size),
                holdout: self.picture.holdout.or(base.picture.holdout),
                coords: self.picture.coords.or(base.picture.coords),
            },
            encoding: EncodingConfig {
                kind: self.encoding.kind.or(base.encoding.kind),
                features: self.encoding.features.or(base.encoding.features),
                sigma: self.encoding.sigma.or(base.encoding.sigma),
            },
            network: NetworkConfig {
                hidden: self.network.hidden.or(base.network.hidden),
                layers: self.network.layers.or(base.network.layers),
                activation: self.network.activation.or(base.network.activation),
                w0: self.network.w0.or(base.network.w0),
                output: self.network.output.or(base.network.output),
                init: self.network.init.or(base.network.init),
            },
            training: self.training.or(base.training),
            output: OutputConfig {
                snapshot_every: self.output.snapshot_every.or(base.output.snapshot_every),
                checkpoint_every: self.output.checkpoint_every.or(base.output.checkpoint_every),
            },
            device: DeviceConfig {
                backend: self.device.backend.or(base.device.backend),
                adapter: self.device.adapter.or(base.device.adapter),
            },
        }
    }
}

impl TrainingConfig {
    fn or(self, base: Self) -> Self {
        Self {
            epochs: self.epochs.or(base.epochs),
            batch: self.batch.or(base.batch),
            loss: self.loss.or(base.loss),
            optimizer: self.optimizer.or(base.optimizer),
            lr: self.lr.or(base.lr),
            schedule: self.schedule.or(base.schedule),
            momentum: self.momentum.or(base.momentum),
            weight_decay: self.weight_decay.or(base.weight_decay),
            beta1: self.beta1.or(base.beta1),
            beta2: self.beta2.or(base.beta2),
            epsilon: self.epsilon.or(base.epsilon),
            seed: self.seed.or(base.seed),
        }
    }
}

/// A TOML error as one sentence with its line, without the excerpt.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}
