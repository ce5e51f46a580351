//! The encodings of a model file.
//!
//! A single encoding follows from the tensors and metadata. Several are listed, in order, in the metadata's
//! `encodings`.

use super::fields::{Metadata, Tensors};
use super::{Tensor, grid, per_axis};
use crate::model::Encoding;
use std::collections::BTreeMap;

/// Metadata key of a composite.
pub(super) const KEY: &str = "encodings";

const FREQUENCIES: &str = "encoding.frequencies";

/// A composite's word for `part`.
fn family(part: &Encoding) -> &'static str {
    match part {
        Encoding::Identity => "position",
        Encoding::Fourier { .. } | Encoding::TrainedFourier { .. } => "frequencies",
        Encoding::PerAxis(_) => "axes",
        Encoding::Grid(_) => "grid",
        Encoding::Composite(_) => unreachable!("composites do not nest"),
    }
}

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
        Encoding::Identity | Encoding::PerAxis(_) | Encoding::Composite(_) => Vec::new(),
    };
    encoding.parts().iter().flat_map(of_part).collect()
}

/// How many tensors it has.
pub(super) fn n_tensors(encoding: &Encoding) -> usize {
    let of_part = |part: &Encoding| match part {
        Encoding::Fourier { .. } | Encoding::TrainedFourier { .. } => 1,
        Encoding::Grid(grid) => grid.levels.len(),
        Encoding::Identity | Encoding::PerAxis(_) | Encoding::Composite(_) => 0,
    };
    encoding.parts().iter().map(of_part).sum()
}

/// Adds what the tensors do not contain.
pub(super) fn metadata(encoding: &Encoding, into: &mut BTreeMap<String, String>) {
    let mut set = |key: &str, value: String| drop(into.insert(key.to_owned(), value));
    if let Encoding::Composite(parts) = encoding {
        set(KEY, parts.iter().map(family).collect::<Vec<_>>().join(" "));
    }
    for part in encoding.parts() {
        match part {
            Encoding::Grid(hash_grid) => grid::metadata(hash_grid).into_iter().for_each(|(k, v)| set(k, v)),
            Encoding::PerAxis(axes) => per_axis::metadata(*axes).into_iter().for_each(|(k, v)| set(k, v)),
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
            Ok(per_axis::read(metadata)?.map_or(Encoding::Identity, Encoding::PerAxis))
        };
    };
    let words: Vec<&str> = words.split(' ').collect();
    let twice = words.iter().enumerate().any(|(i, word)| words[..i].contains(word));
    let part = |word: &&str| match *word {
        "position" => Ok(Encoding::Identity),
        "frequencies" => frequencies(tensors),
        "axes" => per_axis::read(metadata)?
            .map(Encoding::PerAxis)
            .ok_or_else(|| "its metadata does not say which encoding of each axis it has".to_owned()),
        "grid" => grid::read(tensors, metadata).map(Encoding::Grid),
        _ => Err(format!(
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
