//! Weights of 8 bits: codes from -127 to 127 in blocks with a scale each.
//!
//! A tensor `NAME` of codes, I8, has beside it `NAME.scale`, F32, with a scale for each block: value = code * scale. Blocks have
//! the same length but for the last. Those of a layer's weights are its rows; those of a grid's level have about 64 numbers.
//! Biases and frequencies stay F32.

use super::blocks::{SCALE, block_length};
use super::{ModelFile, ModelFileError, Tensor, padded_header};
use crate::atomic_write::{Durability, atomic_write};
use crate::model::{Encoding, Model};
use serde_json::json;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

/// Largest magnitude of a code.
const MAX_CODE: f32 = 127.0;
/// Most numbers of a grid's block.
const GRID_BLOCK: usize = 64;

/// Codes and scales of a tensor.
struct Codes {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

fn scale_of(block: &[f32]) -> f32 {
    let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { largest / MAX_CODE } else { 1.0 }
}

fn code(value: f32, scale: f32) -> f32 {
    (value / scale).round().clamp(-MAX_CODE, MAX_CODE)
}

impl Codes {
    fn of(values: &[f32], block: usize) -> Self {
        let scales: Vec<f32> = values.chunks(block).map(scale_of).collect();
        let codes = values.chunks(block).zip(&scales);
        let codes =
            codes.flat_map(|(block, &scale)| block.iter().map(move |&value| code(value, scale) as i8));
        Self { codes: codes.collect(), scales }
    }
}

/// Block length of a level of a grid.
fn grid_block(n_values: usize) -> usize {
    block_length(n_values, n_values.div_ceil(GRID_BLOCK)).expect("none is longer than GRID_BLOCK")
}

/// Block length of a tensor; none if it stays as it is.
fn block_of(tensor: &Tensor<'_>) -> Option<usize> {
    let n = tensor.values.len();
    match tensor.shape.as_slice() {
        [_, columns] if tensor.name.ends_with(".weight") => Some(*columns),
        _ if tensor.name.starts_with("encoding.grid.") => Some(grid_block(n)),
        _ => None,
    }
}

/// Bytes of a tensor's codes and scales; none if it stays as it is.
pub(super) fn bytes_of(tensor: &Tensor<'_>) -> Option<usize> {
    let n = tensor.values.len();
    block_of(tensor).map(|block| n + size_of::<f32>() * n.div_ceil(block))
}

/// A model whose weights take 8 bits each.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded(ModelFile);

/// Replaces parameters by the nearest ones that 8 bits hold.
pub fn round(model: &Model, params: &mut [f32]) {
    for (block, range) in blocks(model) {
        for block in params[range].chunks_mut(block) {
            let scale = scale_of(block);
            block.iter_mut().for_each(|value| *value = code(*value, scale) * scale);
        }
    }
}

/// Places among the parameters of what is rounded, with the lengths of blocks.
fn blocks(model: &Model) -> Vec<(usize, Range<usize>)> {
    let layout = model.layout();
    let mut blocks = Vec::new();
    if let Some((Encoding::Grid(grid), _)) = model.encoding.trained_part() {
        let start = layout.encoding.start;
        for level in 0..grid.levels.len() {
            let place = grid.params_of(level);
            blocks.push((grid_block(place.len()), start + place.start..start + place.end));
        }
    }
    blocks.extend(layout.layers.iter().map(|layer| (layer.shape.input_width, layer.weight.clone())));
    blocks
}

impl Rounded {
    /// The model with its weights rounded.
    pub fn new(mut model: ModelFile) -> Self {
        round(&model.model, &mut model.params);
        Self(model)
    }

    /// Writes the file atomically and flushes it to disk. [`ModelFile::load`] reads it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelFileError> {
        atomic_write(path, Durability::Flushed, |out| self.write(out))
            .map_err(|source| ModelFileError::Write { path: path.to_owned(), source })
    }

    /// Writes the bytes of the file.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let tensors = self.0.tensors();
        let mut entries = serde_json::Map::new();
        entries.insert("__metadata__".to_owned(), json!(self.0.all_metadata()));
        let mut bytes = Vec::new();
        // F32 first, so that all of them lie at multiples of 4 bytes.
        let mut add = |name: &str, dtype: &str, shape: &[usize], values: &mut dyn Iterator<Item = u8>| {
            let start = bytes.len();
            bytes.extend(values);
            let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, bytes.len()] });
            entries.insert(name.to_owned(), entry);
        };
        let coded: Vec<(&Tensor<'_>, Option<Codes>)> = tensors
            .iter()
            .map(|tensor| (tensor, block_of(tensor).map(|block| Codes::of(tensor.values, block))))
            .collect();
        for (tensor, codes) in &coded {
            match codes {
                Some(Codes { scales, .. }) => {
                    let values = &mut scales.iter().flat_map(|scale| scale.to_le_bytes());
                    add(&format!("{}{SCALE}", tensor.name), "F32", &[scales.len()], values);
                }
                None => {
                    let values = &mut tensor.values.iter().flat_map(|value| value.to_le_bytes());
                    add(&tensor.name, "F32", &tensor.shape, values);
                }
            }
        }
        for (tensor, codes) in &coded {
            if let Some(Codes { codes, .. }) = codes {
                add(&tensor.name, "I8", &tensor.shape, &mut codes.iter().map(|&code| code as u8));
            }
        }
        let header = padded_header(entries);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        out.write_all(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Coords, EncodingSpec, HashGrid, Init, Interpolation, Mlp};
    use crate::picture::{Depth, Transfer};
    use std::collections::BTreeMap;

    /// Models with frequencies, with a grid of whole and hashed levels, and with both.
    fn models() -> Vec<ModelFile> {
        let fourier = Encoding::new(EncodingSpec::Gaussian { features: 12, sigma: 4.0 }, 5);
        let levels = vec![(5, 49), (9, 64), (20, 256)];
        let grid = Encoding::Grid(HashGrid::from_levels(2, Interpolation::Linear, levels));
        let both = Encoding::side_by_side(vec![fourier.clone(), grid.clone()]);
        let model = |encoding: Encoding| {
            let widths = [encoding.output_width(), 24, 3];
            let network = Mlp::new(widths, 3, [Activation::Relu, Activation::Sigmoid]);
            let model = Model { encoding, network };
            let params = Init::HeNormal.draw(&model, 7);
            let metadata = BTreeMap::new();
            let (coords, depth, transfer) = (Coords::Center, Depth::U8, Transfer::IDENTITY);
            ModelFile { model, params, coords, width: 30, height: 20, depth, transfer, metadata }
        };
        [fourier, grid, both].map(model).to_vec()
    }

    #[test]
    fn what_is_read_is_what_was_rounded() {
        for model in models() {
            let exact = model.params.clone();
            let rounded = Rounded::new(model);
            let mut bytes = Vec::new();
            rounded.write(&mut bytes).expect("bytes in memory");
            let read = ModelFile::parse(&bytes).expect("a model");
            assert_eq!(read.model, rounded.0.model);
            for (block, range) in blocks(&read.model) {
                let numbers = read.params[range.clone()].chunks(block).zip(exact[range].chunks(block));
                for (read, exact) in numbers {
                    // Half a step, and the rounding of a quotient and a product.
                    let most = 0.501 * scale_of(exact);
                    assert!(read.iter().zip(exact).all(|(a, b)| (a - b).abs() <= most), "{read:?} {exact:?}");
                }
            }
            // Rounding again moves nothing by more than the rounding of a scale.
            let again = Rounded::new(read.clone());
            for (a, b) in again.0.params.iter().zip(&read.params) {
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
            }
            let mut exact_bytes = Vec::new();
            rounded.0.write(&mut exact_bytes).expect("bytes in memory");
            assert!(bytes.len() < exact_bytes.len());
        }
    }

    #[test]
    fn scales_that_do_not_fit_are_refused() {
        let model = models().into_iter().next().expect("one");
        let mut bytes = Vec::new();
        Rounded::new(model).write(&mut bytes).expect("bytes in memory");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("layers.0.weight.scale"));
        let at = bytes.windows(21).position(|part| part == b"layers.0.weight.scale").expect("a name");
        bytes[at + 20] = b'x';
        assert!(ModelFile::parse(&bytes).expect_err("no scales").contains("tensors"));
    }
}
