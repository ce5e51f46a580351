//! How the products of a linear layer are tiled.

use super::Storage;
use crate::model::LayerShape;
use serde::{Deserialize, Serialize};

/// One of the three products of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// (samples, inputs) by (inputs, outputs)
    Forward,
    /// (samples, outputs) by (outputs, inputs)
    BackwardInput,
    /// (outputs, samples) by (samples, inputs)
    BackwardWeights,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardInput, Self::BackwardWeights];

    /// Rows and columns of the results for `n_samples` samples.
    pub fn results(self, shape: LayerShape, n_samples: usize) -> [usize; 2] {
        match self {
            Self::Forward => [n_samples, shape.output_width],
            Self::BackwardInput => [n_samples, shape.input_width],
            Self::BackwardWeights => [shape.output_width, shape.input_width],
        }
    }
}

/// How a matrix product is cut into tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulTiling {
    /// 64 x 64 results a workgroup, 8 x 8 a thread.
    #[default]
    Tile64,
    /// The same, but a tile is loaded while the one before is multiplied, for devices with many registers.
    Tile64Ahead,
    /// 32 x 32 results a workgroup, 4 x 4 a thread.
    Tile32,
    /// 128 x 128 results a workgroup, 8 x 8 a thread.
    Tile128,
    /// 256 x 4 results a workgroup, 4 x 4 a thread.
    TileTall,
    /// 4 x 256 results a workgroup, 4 x 4 a thread.
    TileWide,
    /// Cooperative matrices of 8 x 8, 64 x 64 results a workgroup. From f16 or f32, with sums in f32.
    Matrix8,
    /// The same of 16 x 16 from f16, 128 x 128 results a workgroup.
    Matrix16,
    /// The same with 128 x 256 results a workgroup.
    Matrix16Wide,
}

impl MatmulTiling {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Tile64,
        Self::Tile64Ahead,
        Self::Tile32,
        Self::Tile128,
        Self::TileTall,
        Self::TileWide,
        Self::Matrix8,
        Self::Matrix16,
        Self::Matrix16Wide,
    ];

    /// Used in the names of kernels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tile64 => "tile64",
            Self::Tile64Ahead => "tile64-ahead",
            Self::Tile32 => "tile32",
            Self::Tile128 => "tile128",
            Self::TileTall => "tall",
            Self::TileWide => "wide",
            Self::Matrix8 => "matrix8",
            Self::Matrix16 => "matrix16",
            Self::Matrix16Wide => "matrix16-wide",
        }
    }

    /// Rows and columns of the results of a workgroup, as in `shaders/matmul/`.
    pub fn tile_shape(self) -> [usize; 2] {
        match self {
            Self::Tile64 | Self::Tile64Ahead | Self::Matrix8 => [64, 64],
            Self::Tile32 => [32, 32],
            Self::Tile128 | Self::Matrix16 => [128, 128],
            Self::TileTall => [256, 4],
            Self::TileWide => [4, 256],
            Self::Matrix16Wide => [128, 256],
        }
    }

    /// Terms of a sum that a workgroup loads at a time: `DEPTH` there.
    pub fn depth(self) -> usize {
        match self {
            Self::TileTall | Self::TileWide => 8,
            _ if self.matrix_size().is_some() => 32,
            _ => 16,
        }
    }

    /// Neighbouring numbers of an operand that a thread moves at a time: `CHUNK` there.
    pub fn chunk(self) -> usize {
        if self.matrix_size().is_some() { 8 } else { 4 }
    }

    /// Rows and columns of a cooperative matrix, if it uses them.
    pub fn matrix_size(self) -> Option<u32> {
        match self {
            Self::Matrix8 => Some(8),
            Self::Matrix16 | Self::Matrix16Wide => Some(16),
            _ => None,
        }
    }

    /// Whether it multiplies values that are stored so: of cooperative matrices only those of 8 x 8 take f32, which
    /// Metal has.
    pub fn multiplies(self, storage: Storage) -> bool {
        storage == Storage::F16 || self.matrix_size().is_none_or(|size| size == 8)
    }

    /// Subgroups of a workgroup, if it uses cooperative matrices.
    pub fn subgroups(self) -> Option<u32> {
        match self {
            Self::Matrix8 | Self::Matrix16 => Some(4),
            Self::Matrix16Wide => Some(8),
            _ => None,
        }
    }

    /// Padding overhead: results computed over results needed.
    pub fn padding_ratio(self, [rows, columns]: [usize; 2]) -> f64 {
        let [tile_rows, tile_columns] = self.tile_shape();
        let computed = rows.next_multiple_of(tile_rows) * columns.next_multiple_of(tile_columns);
        computed as f64 / (rows * columns) as f64
    }

    /// The tiling for a device without measurements that may use `preferred`: that, or the largest plain tile with
    /// little padding, or the one with the least.
    pub(super) fn default_for(preferred: Self, results: [usize; 2]) -> Self {
        let worth = |tiling: &Self| tiling.padding_ratio(results) < 1.5;
        let plain = [Self::Tile64, Self::Tile32, Self::TileTall, Self::TileWide];
        let least =
            || plain.into_iter().min_by(|a, b| a.padding_ratio(results).total_cmp(&b.padding_ratio(results)));
        [preferred].into_iter().chain(plain).find(worth).or_else(least).unwrap_or_default()
    }
}

/// The fastest tiling of a product's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedTile {
    /// Which product of the layer.
    pub operation: Operation,
    /// Inputs of the layer.
    pub input_width: usize,
    /// Outputs of the layer.
    pub output_width: usize,
    /// The fastest tiling.
    #[serde(rename = "product")]
    pub tiling: MatmulTiling,
}

impl TunedTile {
    /// Whether it is for this product.
    pub fn is_of(&self, operation: Operation, shape: LayerShape) -> bool {
        (self.operation, self.input_width, self.output_width)
            == (operation, shape.input_width, shape.output_width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_unmeasured_wastes_little_where_something_fits() {
        for (results, tiling) in [
            ([16_384, 256], MatmulTiling::Tile64),
            ([16_384, 3], MatmulTiling::TileTall),
            ([3, 256], MatmulTiling::TileWide),
            ([16_384, 32], MatmulTiling::Tile32),
            ([3, 5], MatmulTiling::Tile32),
            ([3, 128], MatmulTiling::TileWide),
        ] {
            assert_eq!(MatmulTiling::default_for(MatmulTiling::Tile64, results), tiling, "{results:?}");
        }
        assert_eq!(MatmulTiling::default_for(MatmulTiling::Matrix16, [4096, 256]), MatmulTiling::Matrix16);
        assert_eq!(MatmulTiling::default_for(MatmulTiling::Matrix16, [4096, 64]), MatmulTiling::Tile64);
    }
}
