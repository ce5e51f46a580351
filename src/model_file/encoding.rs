//! The encodings of a model file.
//!
//! A single encoding follows from the tensors and metadata. Several are listed, in order, in the metadata's
//! `encodings`.

use super::fields::{Metadata, Tensors};
use super::{Tensor, axes, grid};
use crate::model::{Encoding, EncodingFamily};
use crate::names::Named;
use std::collections::BTreeMap;

/// Metadata key of a composite.
pub(super) const KEY: &str = "encodings";

const FREQUENCIES: &str = "encoding.frequencies";

/// The tensors of `encoding`, whose weights are `params`.
pub(super) fn tensors<'a>(encoding: &'a Encoding, params: &'a [f32]) -> Vec<Tensor<'a>> {
    let of_part = |part: &'a Encoding| match part {
        Encoding::Fourier { frequencies } => vec![Tensor {
            name: FREQUENCIES.to_owned(),
            shape: vec![frequencies.len(), 2],
            values: frequencies.as_flattened(),
        }],
        Encoding::TrainedFourier { .. } => unreachable!("`ModelFile::frozen` made them frozen ones"),
        Encoding::Grid(hash_grid) => grid::tensors(hash_grid, params),
        Encoding::Pointwise(_) | Encoding::Composite(_) => Vec::new(),
    };
    encoding.parts().iter().flat_map(of_part).collect()
}

/// How many tensors it has.
pub(super) fn n_tensors(encoding: &Encoding) -> usize {
    let of_part = |part: &Encoding| match part {
        Encoding::Fourier { .. } | Encoding::TrainedFourier { .. } => 1,
        Encoding::Grid(grid) => grid.levels.len(),
        Encoding::Pointwise(_) | Encoding::Composite(_) => 0,
    };
    encoding.parts().iter().map(of_part).sum()
}

/// Adds what the tensors do not contain.
pub(super) fn metadata(encoding: &Encoding, into: &mut BTreeMap<String, String>) {
    let mut set = |key: &str, value: String| drop(into.insert(key.to_owned(), value));
    if let Encoding::Composite(parts) = encoding {
        set(KEY, parts.iter().map(|part| part.family().name()).collect::<Vec<_>>().join(" "));
    }
    for part in encoding.parts() {
        match part {
            Encoding::Grid(hash_grid) => grid::metadata(hash_grid).into_iter().for_each(|(k, v)| set(k, v)),
            Encoding::Pointwise(of) => axes::metadata(*of).into_iter().for_each(|(k, v)| set(k, v)),
            _ => {}
        }
    }
}

/// The encoding of a file.
pub(super) fn read(tensors: &Tensors<'_>, metadata: &Metadata<'_>) -> Result<Encoding, String> {
    let Ok(words) = metadata.get(KEY) else {
        return if tensors.has(&grid::tensor_name(0)) {
            grid::read(tensors, metadata).map(Encoding::Grid)
        } else if tensors.has(FREQUENCIES) {
            frequencies(tensors)
        } else {
            Ok(axes::read(metadata)?.map_or(Encoding::IDENTITY, Encoding::Pointwise))
        };
    };
    let words: Vec<&str> = words.split(' ').collect();
    let twice = words.iter().enumerate().any(|(i, word)| words[..i].contains(word));
    let part = |word: &&str| match EncodingFamily::named(word) {
        Some(EncodingFamily::Position) => Ok(Encoding::IDENTITY),
        Some(EncodingFamily::Frequencies) => frequencies(tensors),
        Some(EncodingFamily::Axes) => axes::read(metadata)?
            .map(Encoding::Pointwise)
            .ok_or_else(|| "its metadata does not say which encoding of each axis it has".to_owned()),
        Some(EncodingFamily::Grid) => grid::read(tensors, metadata).map(Encoding::Grid),
        None => Err(format!(
            "its metadata has {KEY} = {words:?}; words from position, frequencies, axes and grid are needed"
        )),
    };
    if twice {
        return Err(format!("its metadata has {KEY} = {words:?}; each may be there once"));
    }
    Ok(Encoding::side_by_side(words.iter().map(part).collect::<Result<_, _>>()?))
}

fn frequencies(tensors: &Tensors<'_>) -> Result<Encoding, String> {
    match tensors.shape(FREQUENCIES)? {
        [m, 2] if m > 0 => {
            let values = tensors.floats(FREQUENCIES)?;
            Ok(Encoding::Fourier { frequencies: values.as_chunks().0.to_vec() })
        }
        shape => Err(format!("{FREQUENCIES} has shape {shape:?}; (m, 2) with m of at least 1 is needed")),
    }
}
