//! A whole run as one value: as written in a TOML file or on the command line, and, once [`Config::resolve`] has
//! filled in every default, exactly what is run.

mod defaults;
mod fields;
mod inputs;
mod kept;
mod network;
mod parameters;
mod preset;
mod refinements;
mod resolve;
mod resolved;
mod scale;
mod sections;
mod settings;
mod tiny_cuda_nn;
mod training;

pub use crate::job::BackendChoice;
pub use crate::model::{ActivationKind, EncodingKind, LossKind, OptimizerKind};
pub use fields::{
    BatchSize, ChannelWeights, CheckpointEvery, EncodingList, Frequencies, Growth, Keep, OutputKind,
    PictureSize, Sigma,
};
pub use inputs::mask_as_meant;
pub use preset::Preset;
pub use resolve::ConfigError;
pub use resolved::Resolved;
pub use scale::Scale;
pub(crate) use sections::Section;
pub use sections::{
    DeviceConfig, EncodingConfig, NetworkConfig, OutputConfig, PictureConfig, TrainingConfig,
};

/// A value of a setting, as TOML has them.
pub use toml::Value;

use crate::read_file::read_whole;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A run's settings. `None` means the default, which may depend on other settings and on the picture. A resolved
/// configuration has `None` only where it has no effect, and repeats the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The picture to memorise.
    pub picture: PictureConfig,
    /// From position to features.
    pub encoding: EncodingConfig,
    /// From features to colour.
    pub network: NetworkConfig,
    /// How it is trained.
    pub training: TrainingConfig,
    /// What is written.
    pub output: OutputConfig,
    /// Where it runs.
    pub device: DeviceConfig,
}

/// Maximum size of a configuration file.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads a TOML file, or one of tiny-cuda-nn's if its name ends in `.json`, with the parents it names.
    ///
    /// # Errors
    /// When the file cannot be read, is neither, or has an unknown field or value; the message names it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let failed = |reason: String| ConfigError::of_file(path, &reason);
        let config = match is_json {
            true => tiny_cuda_nn::sections(&tiny_cuda_nn::with_parents(path)?),
            false => Self::parse(&read_text(path).map_err(failed)?),
        };
        config.map_err(failed)
    }

    /// Parses a TOML configuration.
    ///
    /// # Errors
    /// One sentence that names the error and its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() as u64 > MAX_CONFIG_BYTES {
            return Err(format!("{} bytes is too long for a configuration", text.len()));
        }
        toml::from_str(text).map_err(|e| one_line(&e, text))
    }

    /// As TOML text.
    ///
    /// # Panics
    /// When the picture's path is not UTF-8, or a number exceeds TOML's range (2^63 - 1).
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every configuration can be written as TOML")
    }

    /// Takes each setting from `self` if set, otherwise from `base`.
    #[must_use]
    pub fn or(self, mut base: Self) -> Self {
        // Both set the length of training, so either replaces the other.
        if self.training.epochs.is_some() || self.training.effort.is_some() {
            (base.training.epochs, base.training.effort) = (None, None);
        }
        // Muon's settings go with it.
        if self.training.optimizer.is_some_and(|rule| rule != OptimizerKind::Muon) {
            (base.training.muon_lr, base.training.muon_layers) = (None, None);
        }
        Self {
            picture: self.picture.or(base.picture),
            encoding: self.encoding.or(base.encoding),
            network: self.network.or(base.network),
            training: self.training.or(base.training),
            output: self.output.or(base.output),
            device: self.device.or(base.device),
        }
    }
}

/// The text of a configuration. Fails with why it cannot be read.
fn read_text(path: &Path) -> Result<String, String> {
    let bytes = read_whole(path, MAX_CONFIG_BYTES).map_err(|e| e.to_string())?;
    let bytes =
        bytes.ok_or_else(|| format!("more than {MAX_CONFIG_BYTES} bytes is too long for a configuration"))?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// A TOML error as one sentence with its line, without the excerpt.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = in_plain_words(error.message().replace('\n', ", "));
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// Replaces Rust type names in the parser's messages.
fn in_plain_words(message: String) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message };
    let words = match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "path string" => "a path in quotes",
        _ => return message,
    };
    format!("{found}expected {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_effort_take_each_others_place() {
        let of = |text| Config::parse(text).expect("a configuration");
        let (epochs, effort) = (of("training.epochs = 7"), of("training.effort = 2.0"));
        assert_eq!(epochs.clone().or(effort.clone()), epochs);
        assert_eq!(effort.clone().or(epochs.clone()), effort);
        assert_eq!(Config::default().or(epochs.clone()), epochs);
    }
}
