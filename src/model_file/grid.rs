//! The tensors and metadata of a hash grid in a model file.

use super::Tensor;
use super::fields::{Metadata, Tensors};
use crate::model::HashGrid;
use crate::model::encoding::grid::{FEATURES_PER_LEVEL, MAX_RESOLUTION};

/// Metadata keys of a grid.
pub(super) const KEYS: [&str; 2] = ["grid_resolutions", "grid_interpolation"];

/// Name of the tensor of level `level`.
pub(super) fn tensor_name(level: usize) -> String {
    format!("encoding.grid.{level}")
}

/// The entries of each level, from the encoding's `params`.
pub(super) fn tensors<'a>(grid: &HashGrid, params: &'a [f32]) -> Vec<Tensor<'a>> {
    let tensor = |(n, level): (usize, &crate::model::GridLevel)| Tensor {
        name: tensor_name(n),
        shape: vec![level.n_entries, grid.features_per_level],
        values: &params[grid.params_of(n)],
    };
    grid.levels.iter().enumerate().map(tensor).collect()
}

/// What the tensors do not contain.
pub(super) fn metadata(grid: &HashGrid) -> [(&'static str, String); 2] {
    let resolutions: Vec<String> = grid.levels.iter().map(|level| level.resolution.to_string()).collect();
    let [key_resolutions, key_interpolation] = KEYS;
    [(key_resolutions, resolutions.join(" ")), (key_interpolation, grid.interpolation.to_string())]
}

/// Reads the grid of a file that has one.
pub(super) fn read(tensors: &Tensors<'_>, metadata: &Metadata<'_>) -> Result<HashGrid, String> {
    let [key_resolutions, key_interpolation] = KEYS;
    let text = metadata.get(key_resolutions)?;
    let resolution = |word: &str| word.parse().ok().filter(|n| (1..=MAX_RESOLUTION).contains(n));
    let resolutions: Option<Vec<u32>> = text.split(' ').map(resolution).collect();
    let resolutions = resolutions.ok_or_else(|| {
        format!(
            "its metadata has {key_resolutions} = {text:?}; numbers from 1 to {MAX_RESOLUTION} are needed"
        )
    })?;
    let first = tensor_name(0);
    let [_, features_per_level] = tensors.shape(&first)?;
    if !FEATURES_PER_LEVEL.contains(&features_per_level) {
        return Err(format!("{first} has {features_per_level} features; 1, 2, 4 or 8 are possible"));
    }
    let mut levels = Vec::new();
    for (n, &resolution) in resolutions.iter().enumerate() {
        let name = tensor_name(n);
        let shape @ [entries, features] = tensors.shape(&name)?;
        let n_vertices = (u64::from(resolution) + 2).pow(2);
        let fits =
            entries as u64 == n_vertices || (entries.is_power_of_two() && (entries as u64) < n_vertices);
        if !fits || features != features_per_level {
            return Err(format!(
                "{name} has shape {shape:?}; at resolution {resolution} it needs {n_vertices} entries, or a lower \
                 power of two, of {features_per_level} features"
            ));
        }
        levels.push((resolution, entries));
    }
    let interpolation = metadata.named(key_interpolation)?;
    Ok(HashGrid::from_levels(features_per_level, interpolation, levels))
}
