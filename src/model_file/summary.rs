//! A summary of a model file's contents.

use super::ModelFile;
use crate::picture::{ColorHandling, Transparent};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;

/// Shape and statistics of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Name in the file.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Type of its values.
    pub dtype: &'static str,
    /// Size of its values, with the scales of codes.
    pub bytes: usize,
    /// Smallest value.
    pub lowest: f32,
    /// Largest value.
    pub highest: f32,
    /// Mean of the values.
    pub mean: f64,
}

impl ModelFile {
    /// Metadata key of the ICC profile, in base64.
    pub const PROFILE: &str = "icc_profile";
    /// Metadata key of the exposure of previews, if not 1.
    pub const EXPOSURE: &str = "exposure";

    /// All tensors, in the order of the file.
    pub fn tensor_summaries(&self) -> Vec<TensorSummary> {
        let summary = |tensor: super::Tensor<'_>| {
            let values = tensor.values;
            let coded = self
                .metadata
                .contains_key(super::WEIGHT_BITS)
                .then(|| super::rounded::bytes_of(&tensor))
                .flatten();
            TensorSummary {
                name: tensor.name,
                shape: tensor.shape,
                dtype: if coded.is_some() { "I8" } else { "F32" },
                bytes: coded.unwrap_or(size_of_val(values)),
                lowest: values.iter().copied().fold(f32::INFINITY, f32::min),
                highest: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                mean: values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64,
            }
        };
        self.tensors().into_iter().map(summary).collect()
    }

    /// A setting of the training configuration, as text, if the file has it. The text is untrusted: do
    /// not print it unescaped.
    pub fn setting(&self, section: &str, key: &str) -> Option<String> {
        self.settings(section).into_iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// What was done with the colour space of the training picture; former versions took values as they were.
    pub fn color(&self) -> ColorHandling {
        let setting = self.setting("picture", "color");
        setting.and_then(|name| name.parse().ok()).unwrap_or(ColorHandling::Keep)
    }

    /// What was done with colours where the training picture's alpha is 0; former versions kept them.
    pub fn transparent(&self) -> Transparent {
        let setting = self.setting("picture", "transparent");
        setting.and_then(|name| name.parse().ok()).unwrap_or(Transparent::Keep)
    }

    /// The ICC profile of the network's colours, if they are not sRGB.
    pub fn profile(&self) -> Option<Vec<u8>> {
        self.metadata.get(Self::PROFILE).and_then(|text| BASE64_STANDARD.decode(text).ok())
    }

    /// The factor at which a screen shows a network of linear light: 1 unless the picture was nearly black or white.
    pub fn exposure(&self) -> f32 {
        let exposure = self.metadata.get(Self::EXPOSURE).and_then(|text| text.parse().ok());
        exposure.filter(|e: &f32| e.is_normal() && *e > 0.0).unwrap_or(1.0)
    }

    /// All settings of a section of the training configuration.
    pub fn settings(&self, section: &str) -> Vec<(String, String)> {
        // Read as a plain table, so that settings of other versions are still found.
        let table: Option<toml::Table> = self.metadata.get("config").and_then(|text| text.parse().ok());
        let section = table.as_ref().and_then(|t| t.get(section)?.as_table());
        let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        section.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }
}
