//! The section `encoding`: one of them, or several side by side.

use super::section::Section;
use crate::config::{EncodingConfig, EncodingKind, EncodingList, Growth};
use crate::model::Interpolation;
use serde_json::{Map, Value};

pub(super) fn encoding(section: &Section, config: &mut EncodingConfig) -> Result<(), String> {
    let (name, written) = section.otype("OneBlob")?;
    // A part's own number of dimensions: the position has two.
    if section.count("n_dims_to_encode", 2)? != 2 {
        return Err("encoding.n_dims_to_encode: this program encodes x and y together".to_owned());
    }
    section.get("dims_to_encode_begin");
    let frequencies = || Ok::<_, String>(Some(section.count("n_frequencies", 12)? as usize));
    match name.as_str() {
        // All of them are a Grid, with another default for its `type`.
        "grid" | "hashgrid" => grid(section, config, "Hash")?,
        "densegrid" => grid(section, config, "Dense")?,
        "tiledgrid" => grid(section, config, "Tiled")?,
        "frequency" => (config.kind, config.octaves) = (Some(EncodingKind::Octaves), frequencies()?),
        "trianglewave" => (config.kind, config.octaves) = (Some(EncodingKind::TriangleWave), frequencies()?),
        "oneblob" => {
            config.kind = Some(EncodingKind::OneBlob);
            config.bins = Some(section.count("n_bins", 16)? as usize);
        }
        "identity" => {
            config.kind = Some(EncodingKind::None);
            section.must_be("scale", 1.0)?;
            section.must_be("offset", 0.0)?;
        }
        "composite" => {
            section.get("nested");
            section.finish();
            return composite(section, config);
        }
        _ => {
            let supported = "Grid, HashGrid, DenseGrid, Frequency, TriangleWave, OneBlob and Identity";
            return Err(section.unsupported(written, supported));
        }
    }
    section.finish();
    Ok(())
}

/// Encodings of the same two dimensions, side by side.
fn composite(section: &Section, config: &mut EncodingConfig) -> Result<(), String> {
    let parts = section.value("nested", &[] as &[Value], as_slice, "a list of encodings")?;
    if parts.is_empty() {
        return Err("encoding.nested has no encodings: give at least one".to_owned());
    }
    let empty = Map::new();
    let mut also = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let inner = Section::new("encoding", Some(part), &empty)?;
        // Without it, a part takes the dimensions after those of the previous part.
        if i > 0 && inner.count("dims_to_encode_begin", u32::MAX)? != 0 {
            let why = "encoding.nested: a position has two dimensions, so each encoding but the first needs \
                       \"dims_to_encode_begin\": 0";
            return Err(why.to_owned());
        }
        let mut own = EncodingConfig::default();
        encoding(&inner, &mut own)?;
        also.extend(own.kind);
        *config = std::mem::take(config).or(own);
    }
    also.remove(0);
    config.also = (!also.is_empty()).then_some(EncodingList(also));
    Ok(())
}

fn as_slice(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

fn grid<'a>(section: &Section<'a>, config: &mut EncodingConfig, usual: &'a str) -> Result<(), String> {
    let storage = section.text("type", usual)?;
    let dense = match storage.to_lowercase().as_str() {
        "hash" => false,
        "dense" => true,
        _ => return Err(section.unsupported(storage, "grids of the types Hash and Dense")),
    };
    let features_per_level = section.count("n_features_per_level", 2)?;
    config.kind = Some(if dense { EncodingKind::DenseGrid } else { EncodingKind::HashGrid });
    config.levels = Some(n_levels(section, features_per_level)? as usize);
    config.features_per_level = Some(features_per_level as usize);
    let log2_table = section.count("log2_hashmap_size", 19)?;
    config.log2_table = (!dense).then_some(log2_table);
    config.base_resolution = Some(section.count("base_resolution", 16)?);
    config.growth = Some(growth(section)?);
    let interpolation = section.text("interpolation", "Linear")?;
    config.interpolation = Some(match interpolation.to_lowercase().as_str() {
        "linear" => Interpolation::Linear,
        "smoothstep" => Interpolation::Smoothstep,
        _ => return Err(section.unsupported(interpolation, "the interpolations Linear and Smoothstep")),
    });
    section.only("hash", section.text("hash", "CoherentPrime")?, "CoherentPrime")?;
    section.is_off("stochastic_interpolation")?;
    // How its positions are stored; here they are always f32.
    section.get("fixed_point_pos");
    Ok(())
}

/// Levels, or as many as the features of all of them ask for.
fn n_levels(section: &Section, features_per_level: u32) -> Result<u32, String> {
    let n_features = match section.get("n_features") {
        None => section.count("n_grid_features", 0)?,
        Some(_) => section.count("n_features", 0)?,
    };
    let n_levels = section.count("n_levels", 16)?;
    if n_features == 0 {
        return Ok(n_levels);
    }
    if section.get("n_levels").is_some() {
        let why = "encoding.n_features and n_levels both say how many levels there are: give one";
        return Err(why.to_owned());
    }
    Ok(n_features / features_per_level.max(1))
}

/// From one level to the next: without a number, by the picture, as instant-ngp does.
fn growth(section: &Section) -> Result<Growth, String> {
    let factor = section.number("per_level_scale", 0.0)?;
    if factor > 0.0 {
        return Ok(Growth::Factor(factor));
    }
    log::warn!(
        "encoding.per_level_scale is not given: as in instant-ngp, the grid's finest level has a cell for two \
         pixels (alone, tiny-cuda-nn would take 2)"
    );
    Ok(Growth::Half)
}
