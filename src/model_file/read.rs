//! Reading untrusted model files.

use super::fields::{Metadata, Tensors};
use super::{FORMAT, ModelFile, ModelFileError, WEIGHT_BITS, encoding, grid, is_own};
use crate::model::{Activation, Encoding, Mlp, Model};
use crate::picture::Transfer;
use crate::read_file::{open_regular, read_at_most};
use base64::prelude::{BASE64_STANDARD, Engine};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;

/// Largest file read, far above any network that this program trains.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// A colour profile, of at most 10 MiB, is in the header.
const MAX_HEADER_BYTES: u64 = 1 << 24;
const MAX_TENSORS: usize = 1024;
/// Most pixels of a model's picture, more than can be trained on.
const MAX_PIXELS: u64 = 1 << 30;

pub(super) fn load(path: &Path) -> Result<ModelFile, ModelFileError> {
    let read_error = |source| ModelFileError::Read { path: path.to_owned(), source };
    let invalid = |detail| ModelFileError::Invalid { path: path.to_owned(), detail };
    let (mut file, size_bytes) = open_regular(path).map_err(read_error)?;
    // Checked first, so that a large file of another kind is not read at all.
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start).map_err(read_error)?;
    check_lengths(&start, size_bytes).map_err(invalid)?;
    file.rewind().map_err(read_error)?;
    let bytes = read_at_most(file, MAX_FILE_BYTES).map_err(read_error)?;
    parse(&bytes.ok_or_else(|| invalid("it grew while it was read".to_owned()))?).map_err(invalid)
}

/// Checks the length of the file and the length of the header, in its first 8 bytes.
fn check_lengths(start: &[u8], size_bytes: u64) -> Result<(), String> {
    if size_bytes > MAX_FILE_BYTES {
        return Err(format!("it has {size_bytes} bytes; at most {MAX_FILE_BYTES} are read"));
    }
    let Some(length) = start.first_chunk::<8>() else {
        return Err("it is too short to have a safetensors header".to_owned());
    };
    let header_bytes = u64::from_le_bytes(*length);
    if header_bytes > MAX_HEADER_BYTES || header_bytes + 8 > size_bytes {
        return Err(format!(
            "it does not start as a safetensors file does, or is cut short \
             (header of {header_bytes} bytes in a file of {size_bytes})"
        ));
    }
    Ok(())
}

pub(super) fn parse(bytes: &[u8]) -> Result<ModelFile, String> {
    check_lengths(bytes, bytes.len() as u64)?;
    let (header_bytes, header) = SafeTensors::read_metadata(bytes)
        .map_err(|e| format!("its header does not match its contents ({e}); it may be cut short"))?;
    let values = &bytes[8 + header_bytes..];
    let infos = header.tensors();
    if infos.len() > MAX_TENSORS {
        return Err(format!("it has {} tensors; at most {MAX_TENSORS} are read", infos.len()));
    }
    let tensors = Tensors::new(infos, values);
    let metadata: BTreeMap<String, String> =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let field = Metadata(&metadata);
    let format = field.get("format")?;
    if format != FORMAT {
        return Err(format!("its format is {format:?}; this version reads {FORMAT:?}"));
    }
    let encoding = encoding::read(&tensors, &field)?;
    let model = model(&tensors, encoding, activation(&field, "")?, activation(&field, "output_")?)?;
    let (width, height) = (field.side("width")?, field.side("height")?);
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "its metadata has a picture of {width}x{height}; at most {MAX_PIXELS} pixels are possible"
        ));
    }
    if metadata.get(ModelFile::PROFILE).is_some_and(|text| BASE64_STANDARD.decode(text).is_err()) {
        return Err(format!("its metadata has {} that is not base64", ModelFile::PROFILE));
    }
    Ok(ModelFile {
        params: params(&tensors, &model)?,
        model,
        coords: field.named("coords")?,
        width,
        height,
        depth: field.named("depth")?,
        transfer: transfer(&field)?,
        metadata: {
            let bits = tensors.is_rounded().then(|| (WEIGHT_BITS.to_owned(), "8".to_owned()));
            metadata.iter().filter(|(k, _)| !is_own(k)).map(own).chain(bits).collect()
        },
    })
}

/// The identity if there is none, as in files of sRGB pictures and of former versions.
fn transfer(metadata: &Metadata<'_>) -> Result<Transfer, String> {
    if metadata.get("hdr_scale").is_err() && metadata.get("hdr_curve").is_err() {
        return Ok(Transfer::IDENTITY);
    }
    let scale: f32 = metadata.number("hdr_scale", "a number")?;
    if !(scale.is_normal() && scale > 0.0) {
        return Err(format!("its metadata has hdr_scale = {scale}; a number above 0 is needed"));
    }
    Ok(Transfer { scale, curve: metadata.named("hdr_curve")? })
}

fn own((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

/// The activation of `activation` or `output_activation`, with its parameters.
fn activation(metadata: &Metadata<'_>, prefix: &str) -> Result<Activation, String> {
    let table: Vec<_> = Activation::ALL.iter().map(|&a| (a, a.name())).collect();
    let example = metadata.one_of(&format!("{prefix}activation"), &table)?;
    let mut values = Vec::new();
    for (name, _) in example.params() {
        let key = format!("{prefix}{name}");
        let value: f32 = metadata.number(&key, "a number")?;
        if !value.is_finite() {
            return Err(format!("its metadata has {key} = {value}; a finite number is needed"));
        }
        values.push((name, value));
    }
    Ok(example.kind().with(|name| values.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)))
}

/// The layers, from the tensors' shapes, which must form a chain.
fn model(
    tensors: &Tensors<'_>,
    encoding: Encoding,
    activation: Activation,
    output_activation: Activation,
) -> Result<Model, String> {
    let with_encoding = encoding::n_tensors(&encoding);
    let n = tensors.infos.len();
    let n_layers = n.saturating_sub(with_encoding) / 2;
    if n_layers < 2 || n != with_encoding + 2 * n_layers {
        return Err(format!(
            "it has {n} tensors; those of the encoding and a weight and a bias for each of at least \
             two layers are needed"
        ));
    }
    let [hidden_width, _] = tensors.shape("layers.0.weight")?;
    let [output_width, _] = tensors.shape(&format!("layers.{}.weight", n_layers - 1))?;
    let input_width = encoding.output_width();
    let network = Mlp { input_width, hidden_width, output_width, n_layers, activation, output_activation };
    if !(1..=4).contains(&output_width) {
        return Err(format!("its last layer gives {output_width} channels; 1 to 4 are possible"));
    }
    for (n, layer) in network.layers().enumerate() {
        let name = format!("layers.{n}.weight");
        let (found, needed) = (tensors.shape(&name)?, [layer.output_width, layer.input_width]);
        if found != needed || found.contains(&0) {
            return Err(format!("{name} has shape {found:?}; {needed:?} is needed here"));
        }
        let name = format!("layers.{n}.bias");
        let [found] = tensors.shape(&name)?;
        if found != layer.output_width {
            return Err(format!("{name} has {found} values; {} are needed", layer.output_width));
        }
    }
    Ok(Model { encoding, network })
}

/// The flat parameter buffer.
fn params(tensors: &Tensors<'_>, model: &Model) -> Result<Vec<f32>, String> {
    let mut params = Vec::with_capacity(model.layout().n_params());
    if let Some((Encoding::Grid(grid), _)) = model.encoding.trained_part() {
        for level in 0..grid.levels.len() {
            params.extend(tensors.floats(&grid::tensor_name(level))?);
        }
    }
    for n in 0..model.network.n_layers {
        for part in ["weight", "bias"] {
            params.extend(tensors.floats(&format!("layers.{n}.{part}"))?);
        }
    }
    Ok(params)
}
