//! `model.safetensors`: a self-describing trained network.
//!
//! Tensors, written as f32 and also read as f16, bf16 and, with scales ([`Rounded`]), i8: `encoding.frequencies` (m, 2) or, for a hash grid, `encoding.grid.N` (entries,
//! features) for each level from 0, or neither for encodings without numbers; `layers.N.weight`
//! (out, in) and `layers.N.bias` (out) for N from 0, as in `torch.nn.Linear`. Everything else needed
//! to compute a colour is in the metadata:
//!
//! | key | value |
//! |---|---|
//! | `format` | `afterimage model 1` |
//! | `activation`, `output_activation` | a name of `model::Activation`, such as `relu` |
//! | its parameters, such as `w0`; `output_w0` | of the one above, where it has them |
//! | `grid_resolutions` | for a hash grid, cells across the unit of length at each level: `16 20 25` |
//! | `grid_interpolation` | likewise, `linear` or `smoothstep` |
//! | `axis_encoding`, `axis_features` | for an encoding of each axis, its name, such as `one-blob`, and its features of one axis |
//! | `coords` | `center` or `corner`: where pixels lie in the plane |
//! | `width`, `height` | size of the picture it was trained on, in pixels |
//! | `depth` | `u8`, `u16` (values are sRGB-encoded, unless there is a profile) or `f32` (linear, HDR; colours are times alpha) |
//! | `exposure` | of `f32`, if not 1: a factor for showing it on a screen |
//! | `icc_profile` | in base64, the profile of the values' colours, if they are not sRGB |
//! | `hdr_scale`, `hdr_curve` | of `f32`, unless they are 1 and `linear`: a colour is v / scale for the network's value v, or sign(v) (exp(4 abs(v)) - 1) / scale if the curve is `log` |

mod axes;
mod blocks;
mod encoding;
mod fields;
mod grid;
mod read;
mod rounded;
mod summary;

use crate::atomic_write::{Durability, atomic_write};
use crate::model::{Activation, Coords, Encoding, Model};
use crate::picture::{Depth, Transfer};
pub use rounded::{Rounded, round};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
pub use summary::TensorSummary;

/// A network, its weights, and what it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// Encoding and layers.
    pub model: Model,
    /// Weights and biases, in the order of [`Model::layout`].
    pub params: Vec<f32>,
    /// Where pixels lie in the plane.
    pub coords: Coords,
    /// Width of the picture it was trained on, in pixels.
    pub width: u32,
    /// Height of that picture.
    pub height: u32,
    /// Format of the picture's values: linear for `F32`, else sRGB-encoded.
    pub depth: Depth,
    /// From the network's values to the picture's; the identity unless the depth is `F32`.
    pub transfer: Transfer,
    /// Other metadata, such as the configuration. Keys of the table above are taken from the fields
    /// instead.
    pub metadata: BTreeMap<String, String>,
}

/// Why a model file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Damaged, hostile, or made by another program.
    #[error("{} is not a usable model file: {detail}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        detail: String,
    },
}

/// The value of `format`.
pub const FORMAT: &str = "afterimage model 1";

/// Metadata that a loaded model has where its file held weights of so many bits; in no file, whose tensors say it.
const WEIGHT_BITS: &str = "weight_bits";

/// Metadata keys that belong to fields of [`ModelFile`].
const OWN_KEYS: [&str; 10] = [
    WEIGHT_BITS,
    "format",
    "activation",
    "output_activation",
    "coords",
    "width",
    "height",
    "depth",
    "hdr_scale",
    "hdr_curve",
];

/// Whether metadata `key` belongs to a field of [`ModelFile`].
fn is_own(key: &str) -> bool {
    let parameter = key.strip_prefix("output_").unwrap_or(key);
    OWN_KEYS.contains(&key)
        || key == encoding::KEY
        || grid::KEYS.contains(&key)
        || axes::KEYS.contains(&key)
        || Activation::ALL.iter().any(|a| a.param(parameter).is_some())
}

impl ModelFile {
    /// Channels of the network's output.
    pub fn channels(&self) -> usize {
        self.model.network.output_width
    }

    /// Writes the file atomically and flushes it to disk. Equal models give equal bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// When `params` does not have the length of the model's layout.
    pub fn save(&self, path: &Path) -> Result<(), ModelFileError> {
        atomic_write(path, Durability::Flushed, |out| self.write(out))
            .map_err(|source| ModelFileError::Write { path: path.to_owned(), source })
    }

    /// Writes the bytes of the file, which [`Self::parse`] reads.
    ///
    /// # Errors
    /// When `out` fails.
    ///
    /// # Panics
    /// As [`Self::save`].
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let tensors = self.tensors();
        let header = header_of(&tensors, self.all_metadata());
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|tensor| tensor.write(out))
    }

    /// Size of the file that [`Self::save`] writes.
    ///
    /// # Panics
    /// As [`Self::save`].
    pub fn file_bytes(&self) -> u64 {
        let tensors = self.tensors();
        let values: usize = tensors.iter().map(|tensor| size_of_val(tensor.values)).sum();
        (8 + header_of(&tensors, self.all_metadata()).len() + values) as u64
    }

    /// Reads a file, checking everything before allocating memory for it.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged or too large, or is not a model of this program.
    pub fn load(path: &Path) -> Result<Self, ModelFileError> {
        read::load(path)
    }

    /// Parses the bytes of a file.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        read::parse(bytes)
    }

    /// Converts trained frequencies into fixed ones.
    pub fn frozen(mut self) -> Self {
        let Some((Encoding::TrainedFourier { .. }, _)) = self.model.encoding.trained_part() else {
            return self;
        };
        let network = self.params.split_off(self.model.encoding.n_params());
        let trained = std::mem::replace(&mut self.params, network);
        let frozen = |part: &Encoding| match part {
            Encoding::TrainedFourier { .. } => {
                Encoding::Fourier { frequencies: trained.as_chunks().0.to_vec() }
            }
            other => other.clone(),
        };
        self.model.encoding =
            Encoding::side_by_side(self.model.encoding.parts().iter().map(frozen).collect());
        self
    }

    /// All tensors, in the order of the file.
    ///
    /// # Panics
    /// As [`Self::save`].
    pub fn tensors(&self) -> Vec<Tensor<'_>> {
        let layout = self.model.layout();
        assert_eq!(self.params.len(), layout.n_params(), "parameters of the model");
        let mut tensors = encoding::tensors(&self.model.encoding, &self.params[layout.encoding.clone()]);
        for (n, layer) in layout.layers.iter().enumerate() {
            tensors.push(Tensor {
                name: format!("layers.{n}.weight"),
                shape: vec![layer.shape.output_width, layer.shape.input_width],
                values: &self.params[layer.weight.clone()],
            });
            tensors.push(Tensor {
                name: format!("layers.{n}.bias"),
                shape: vec![layer.shape.output_width],
                values: &self.params[layer.bias.clone()],
            });
        }
        tensors
    }

    /// All that the file says beside its tensors.
    pub(crate) fn all_metadata(&self) -> BTreeMap<String, String> {
        let mut all = self.metadata.clone();
        all.retain(|key, _| !is_own(key));
        let mut set = |key: &str, value: String| all.insert(key.to_owned(), value);
        set("format", FORMAT.to_owned());
        let network = &self.model.network;
        for (prefix, activation) in [("", network.activation), ("output_", network.output_activation)] {
            set(&format!("{prefix}activation"), activation.name().to_owned());
            for (name, value) in activation.params() {
                set(&format!("{prefix}{name}"), value.to_string());
            }
        }
        set("coords", self.coords.to_string());
        set("width", self.width.to_string());
        set("height", self.height.to_string());
        set("depth", self.depth.to_string());
        if !self.transfer.is_identity() {
            set("hdr_scale", self.transfer.scale.to_string());
            set("hdr_curve", self.transfer.curve.to_string());
        }
        encoding::metadata(&self.model.encoding, &mut all);
        all
    }
}

/// A tensor of a model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Name in the file.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: &'a [f32],
}

impl Tensor<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
    }
}

fn header_of(tensors: &[Tensor<'_>], metadata: BTreeMap<String, String>) -> String {
    header(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.clone())), metadata)
}

/// The JSON header of a safetensors file with tensors of these names and shapes, padded with spaces so that they start at
/// a multiple of 8 bytes. Not written by the safetensors crate, which orders metadata randomly.
pub(crate) fn header<'a>(
    tensors: impl Iterator<Item = (&'a str, Vec<usize>)>,
    metadata: BTreeMap<String, String>,
) -> String {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), json!(metadata));
    let mut start = 0;
    for (name, shape) in tensors {
        let end = start + size_of::<f32>() * shape.iter().product::<usize>();
        let entry: Value = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        entries.insert(name.to_owned(), entry);
        start = end;
    }
    padded_header(entries)
}

/// A header's text, padded with spaces so that tensors start at a multiple of 8 bytes.
fn padded_header(entries: Map<String, Value>) -> String {
    let mut header = Value::Object(entries).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    header
}
