//! What a model file says about itself.

use super::ModelFile;
use serde::Serialize;

/// A tensor in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSummary {
    /// As in the file.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Type of a value.
    pub dtype: &'static str,
    /// Bytes of its values.
    pub bytes: usize,
    /// Smallest value.
    pub lowest: f32,
    /// Largest value.
    pub highest: f32,
    /// Mean of the values.
    pub mean: f64,
}

impl ModelFile {
    /// Every tensor of the file, in its order.
    pub fn tensor_summaries(&self) -> Vec<TensorSummary> {
        let summary = |tensor: super::Tensor<'_>| {
            let values = tensor.values;
            TensorSummary {
                name: tensor.name,
                shape: tensor.shape,
                dtype: "F32",
                bytes: size_of_val(values),
                lowest: values.iter().copied().fold(f32::INFINITY, f32::min),
                highest: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                mean: values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64,
            }
        };
        self.tensors().into_iter().map(summary).collect()
    }

    /// A setting of the configuration it was trained with, as text; none where the file does not
    /// say. Comes from the file: do not print it unescaped.
    pub fn setting(&self, section: &str, key: &str) -> Option<String> {
        self.settings(section).into_iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// All settings of a section of that configuration.
    pub fn settings(&self, section: &str) -> Vec<(String, String)> {
        // Read as a plain table, so that a model of another version still says what it can.
        let table: Option<toml::Table> = self.metadata.get("config").and_then(|text| text.parse().ok());
        let section = table.as_ref().and_then(|t| t.get(section)?.as_table());
        let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        section.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }
}
