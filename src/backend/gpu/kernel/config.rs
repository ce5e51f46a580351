//! Which of several equivalent kernels a device supports, and the choice without measurements.

use super::{Source, wgsl};
use crate::backend::gpu::device::{Gpu, is_software};
use crate::backend::tuned::{KernelConfig, MatmulTiling, Storage, TunedConfig};
use crate::backend::{BackendError, Result};
use crate::job::Precision;

impl TunedConfig {
    /// The choice, if `gpu` is the same device and `precision` allows it.
    pub(crate) fn on(&self, gpu: &Gpu, precision: Precision) -> Option<&KernelConfig> {
        let storage = self.config.storage;
        let allowed = match precision {
            Precision::Auto => true,
            Precision::F32 => storage == Storage::F32,
            Precision::Mixed => storage == Storage::F16,
        };
        let is_there = self.device == gpu.identity() && self.config.are_on(gpu);
        (allowed && is_there).then_some(&self.config)
    }
}

impl KernelConfig {
    /// Whether `gpu` supports all of them: they may come from an untrusted file.
    pub(crate) fn are_on(&self, gpu: &Gpu) -> bool {
        let has = |tiling: MatmulTiling| possible(gpu, self.storage).any(|p| p == tiling);
        has(self.tiling)
            && self.tuned.iter().all(|choice| has(choice.tiling))
            && self.fused_tiling.is_none_or(has)
    }

    /// What `gpu` trains with for `precision`, as far as is known without measuring.
    ///
    /// # Errors
    /// When the device does not support it.
    pub fn choose(gpu: &Gpu, precision: Precision) -> Result<Self> {
        let matrices = MatmulTiling::with_matrices(gpu, Storage::F16);
        let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
        let tiling = matrices.unwrap_or_default();
        let mixed = Self { storage: Storage::F16, tiling, ..Self::default() };
        match precision {
            Precision::Mixed if !has_f16 => Err(BackendError::NoAdapter(format!(
                "{} has no 16-bit floats in shaders (SHADER_F16), which --precision mixed needs; use --precision f32",
                gpu.info.name
            ))),
            Precision::Mixed => Ok(mixed),
            // A software driver computes matrices one product at a time, and takes seconds to compile each kernel.
            Precision::Auto if has_f16 && matrices.is_some() && !is_software(&gpu.info) => Ok(mixed),
            Precision::Auto | Precision::F32 => Ok(Self::default()),
        }
    }
}

impl MatmulTiling {
    /// The one with the largest cooperative matrices of `gpu` that multiply values of `storage`, if there are any.
    pub fn with_matrices(gpu: &Gpu, storage: Storage) -> Option<Self> {
        [Self::Matrix16, Self::Matrix8].into_iter().find(|tiling| tiling.fits(gpu, storage))
    }

    /// Whether `gpu` has the cooperative matrices, threads and workgroup memory of a tiling that needs some, with
    /// values of `storage`.
    pub fn fits(self, gpu: &Gpu, storage: Storage) -> bool {
        let (Some(size), Some(subgroups)) = (self.matrix_size(), self.subgroups()) else { return true };
        let threads = subgroups * gpu.subgroup_size();
        // A thread stores up to four fours of two matrices, and moves up to eight chunks of each tile: see `befores` in
        // `matmul/matrices_results.wgsl` and `fetch` in `matmul/matrices_tiles.wgsl`.
        let is_size_possible = (size * size / 8..=64).contains(&gpu.subgroup_size());
        self.multiplies(storage)
            && gpu.has_matrices(size, storage)
            && is_size_possible
            && threads <= gpu.limits.max_compute_invocations_per_workgroup
            && threads <= gpu.limits.max_compute_workgroup_size_x
            && self.workgroup_bytes(storage) <= gpu.limits.max_compute_workgroup_storage_size
    }

    /// The most workgroup memory that one of the three products by cooperative matrices takes.
    pub fn workgroup_bytes(self, storage: Storage) -> u32 {
        let (Some(size), Some(subgroups)) = (self.matrix_size(), self.subgroups()) else { return 0 };
        let [rows, columns] = self.tile_shape().map(|n| n as u32);
        let depth = self.depth() as u32;
        let number = storage.size_bytes() as u32;
        let sums = size * (2 * size + 4);
        let lines_along_k = number * (rows + columns) * (depth + 8) + 4 * subgroups * sums;
        let lines_across = number * depth * (rows + columns + 16) + 4 * subgroups * sums.max(512);
        lines_along_k.max(lines_across)
    }

    /// The file with the size of its cooperative matrices, if it uses them.
    pub(crate) fn matrix_source(self) -> Option<Source> {
        match self.matrix_size()? {
            8 => Some(wgsl!("matmul/matrices_8.wgsl")),
            16 => Some(wgsl!("matmul/matrices_16.wgsl")),
            size => unreachable!("no tiling has matrices of {size}"),
        }
    }

    /// Files joined to a product, whichever of the three it is.
    pub(crate) fn sources(self) -> &'static [Source] {
        const PARAMS: Source = wgsl!("matmul/params.wgsl");
        const FOURS: Source = wgsl!("matmul/chunks_of_four.wgsl");
        const TILES: Source = wgsl!("matmul/tiles.wgsl");
        const CORE_4X4: Source = wgsl!("matmul/core_4x4.wgsl");
        const CORE_8X8: Source = wgsl!("matmul/core_8x8.wgsl");
        const MATRICES: Source = wgsl!("matmul/matrices.wgsl");
        const MATRIX_TILES: Source = wgsl!("matmul/matrices_tiles.wgsl");
        const MATRIX_RESULTS: Source = wgsl!("matmul/matrices_results.wgsl");
        const SQUARE: Source = wgsl!("matmul/groups_2x2.wgsl");
        const WIDE: Source = wgsl!("matmul/groups_2x4.wgsl");
        match self {
            Self::Tile32 => &[PARAMS, wgsl!("matmul/tile_32.wgsl"), FOURS, TILES, CORE_4X4],
            Self::Tile64 => &[PARAMS, wgsl!("matmul/tile_64.wgsl"), FOURS, TILES, CORE_8X8],
            Self::Tile64Ahead => &[PARAMS, wgsl!("matmul/tile_64_ahead.wgsl"), FOURS, TILES, CORE_8X8],
            Self::Tile128 => &[PARAMS, wgsl!("matmul/tile_128.wgsl"), FOURS, TILES, CORE_8X8],
            Self::TileTall => &[PARAMS, wgsl!("matmul/tile_tall.wgsl"), FOURS, TILES, CORE_4X4],
            Self::TileWide => &[PARAMS, wgsl!("matmul/tile_wide.wgsl"), FOURS, TILES, CORE_4X4],
            Self::Matrix8 | Self::Matrix16 => &[PARAMS, SQUARE, MATRICES, MATRIX_TILES, MATRIX_RESULTS],
            Self::Matrix16Wide => &[PARAMS, WIDE, MATRICES, MATRIX_TILES, MATRIX_RESULTS],
        }
    }
}

/// The tilings that `gpu` supports for this storage.
pub(in crate::backend::gpu) fn possible(
    gpu: &Gpu,
    storage: Storage,
) -> impl Iterator<Item = MatmulTiling> + '_ {
    let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
    let is_stored = storage == Storage::F32 || has_f16;
    MatmulTiling::ALL.into_iter().filter(move |tiling| is_stored && tiling.fits(gpu, storage))
}
