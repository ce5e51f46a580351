//! How many samples a workgroup takes at a time, and the layout of its memory.

use super::matrices::{self, Matrices};
use crate::backend::gpu::device::Budget;
use crate::backend::gpu::kernel::{FusedBlock, Kernel, MatmulTiling, Storage};
use crate::model::{Activation, Mlp};

/// Samples of a block, best first.
const BLOCKS: [usize; 4] = [128, 64, 32, 16];
/// Minimum number of blocks of a step, to fill a GPU.
const WANTED_BLOCKS: usize = 256;
/// Maximum number of features at a time: a multiple of the features of a grid level.
const SLICE: usize = 64;
/// Depth of a tile of weights. `DEPTH` in `fused/product.wgsl`.
const DEPTH: usize = 16;
/// Depth of a narrow one. `NARROW_DEPTH` there.
const NARROW_DEPTH: usize = 64;
/// `COLUMNS` in `fused/backward.wgsl` times as many rows.
const FEWEST_THREADS: usize = 64;
/// Unless measured.
const MOST_THREADS: usize = 256;
/// What is measured.
const THREADS: [usize; 2] = [MOST_THREADS, 512];
/// Rows of pre-activations of the widest test case.
const MOST_BIAS_ROWS: usize = 512;
/// Bytes of `positions` in `fused/network.wgsl` and `pixels` in `fused/samples_of_picture.wgsl`.
const POSITIONS_BYTES: usize = 64 * 16 + 32 * 16;

/// Whether f'(z) = f'(f(z)): both have a kink at 0 and the same sign. Then z need not be stored beside f(z).
fn derivative_from_output(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::LeakyRelu { .. } | Activation::Identity)
}

/// The layout of a block, in rows: see `fused/network.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) hidden: usize,
    pub(super) feature_row: usize,
    pub(super) features: usize,
    pub(super) value_row: usize,
    pub(super) features_kept: bool,
    pub(super) derivative_from_output: bool,
    pub(super) total: usize,
}

/// What row numbers are multiples of: the size of a matrix, or four.
fn row_unit(tiling: Option<MatmulTiling>) -> usize {
    tiling.map_or(4, matrices::side)
}

impl Rows {
    /// Row numbers that are multiples of those of `tiling`, or of four. With at most `slice` features at a time, a
    /// multiple of eight; in separate rows if `separate`.
    pub(super) fn new(network: &Mlp, tiling: Option<MatmulTiling>, slice: usize, separate: bool) -> Self {
        let unit = row_unit(tiling);
        let derivative_from_output = derivative_from_output(network.activation);
        let hidden = network.hidden_width.next_multiple_of(unit);
        let feature_row = hidden * (network.n_layers - 1) + network.output_width.next_multiple_of(unit);
        let features = network.input_width.next_multiple_of(unit).min(slice.next_multiple_of(unit));
        let values = if derivative_from_output { 0 } else { hidden };
        let value_row = feature_row + if separate { features } else { 0 };
        Self {
            hidden,
            feature_row,
            features,
            value_row,
            features_kept: network.input_width <= features && (separate || derivative_from_output),
            derivative_from_output,
            total: (value_row + values).max(feature_row + features),
        }
    }
}

/// The sizes a kernel is compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// Samples taken at a time.
    pub block: usize,
    /// Threads, or with cooperative matrices subgroups.
    pub group: usize,
    /// Vectors of four samples in all rows.
    pub(super) cells: usize,
    /// Vectors of the tile of weights, without cooperative matrices.
    pub(super) tile_cells: usize,
    pub(super) rows: Rows,
    /// Storage of the rows.
    pub(crate) storage: Storage,
    pub(super) matrices: Option<Matrices>,
}

impl Blocking {
    /// Blocks of `block` samples with at most `most_threads` threads; `None` if that is impossible.
    fn new(rows: Rows, storage: Storage, block: usize, most_threads: usize) -> Option<Self> {
        let quads = block / 4;
        // One thread for four units of four samples.
        let group = (rows.hidden / 4 * quads).next_power_of_two().max(FEWEST_THREADS.max(block));
        let group = group.min(1 << most_threads.max(1).ilog2());
        if group < FEWEST_THREADS.max(block) {
            return None;
        }
        let (cells, tile_cells) = (rows.total * quads, tile_cells(&rows, block, group));
        Some(Self { block, group, cells, tile_cells, rows, storage, matrices: None })
    }

    /// The same with cooperative matrices, which take values stored as f16.
    fn with_matrices(rows: Rows, matrices: Matrices, block: usize) -> Self {
        let cells = rows.total * matrices::pitch(block);
        let (group, storage) = (matrices.subgroups(block), Storage::F16);
        Self { block, group, cells, tile_cells: 0, rows, storage, matrices: Some(matrices) }
    }

    /// The sizes that `kernel` is compiled for, if they suit `network` with at most `slice` features at a time, in separate
    /// rows if `separate`.
    pub(super) fn of_kernel(
        kernel: &Kernel,
        network: &Mlp,
        (slice, separate): (usize, bool),
    ) -> Option<Self> {
        let size = |name| kernel.size(name) as usize;
        let block = size("BLOCK");
        let matrices = Matrices::of_kernel(kernel);
        let rows = Rows::new(network, matrices.map(|m| m.tiling), slice, separate);
        if let Some(matrices) = matrices {
            let blocking = Self::with_matrices(rows, matrices, block);
            let is_enough = 4 * blocking.cells <= size("N_CELLS") && rows.feature_row <= matrices.bias_rows;
            return is_enough.then_some(blocking);
        }
        let (group, cells, tile_cells) = (size("GROUP"), size("CELLS"), size("TILE_CELLS"));
        let is_enough =
            rows.total * block / 4 <= cells && self::tile_cells(&rows, block, group) <= tile_cells;
        let storage = kernel.storage;
        is_enough.then_some(Self { block, group, cells, tile_cells, rows, storage, matrices })
    }

    /// The first of `blocks` that fits into the workgroup memory and the threads of `budget`.
    pub(super) fn first_fitting(
        (network, storage): (&Mlp, Storage),
        blocks: impl IntoIterator<Item = FusedBlock>,
        budget: &Budget,
    ) -> Option<Self> {
        let mut all = blocks.into_iter().flat_map(with_rows).filter_map(|(block, slice, separate)| {
            let most_threads = block.threads.min(budget.max_threads as usize);
            Self::new(Rows::new(network, None, slice, separate), storage, block.samples, most_threads)
        });
        all.find(|blocking: &Self| blocking.bytes() <= budget.workgroup_bytes as usize)
    }

    /// The same with the cooperative matrices of `tiling`, if it has some.
    pub(super) fn first_with_matrices(
        (network, tiling): (&Mlp, MatmulTiling),
        blocks: impl IntoIterator<Item = FusedBlock>,
        budget: &Budget,
    ) -> Option<Self> {
        tiling.matrix_size()?;
        let (bytes, subgroup_size) = (budget.workgroup_bytes as usize, budget.subgroup_size? as usize);
        let all = blocks.into_iter().flat_map(with_rows).map(|(block, slice, separate)| {
            let rows = Rows::new(network, Some(tiling), slice, separate);
            let of_rows = (rows.features, rows.feature_row);
            Self::with_matrices(rows, Matrices::new(tiling, network, of_rows, block.samples), block.samples)
        });
        let has_threads = |b: &Self| b.group * subgroup_size <= budget.max_threads as usize;
        all.filter(has_threads).find(|blocking| blocking.bytes() <= bytes)
    }

    /// Such blocks that use all of `bytes`, for networks up to `width` wide.
    pub(super) fn filling(
        (activation, storage): (Activation, Storage),
        width: usize,
        block: FusedBlock,
        bytes: usize,
    ) -> Option<Self> {
        let network = Mlp::new([SLICE, width, 4], 2, [activation, Activation::Identity]);
        let rows = Rows::new(&network, None, SLICE, false);
        let least = Self::new(rows, storage, block.samples, block.threads)?;
        let rest = bytes.checked_sub(Self { cells: 0, ..least.clone() }.bytes())?;
        Some(Self { cells: rest / (4 * storage.size_bytes()), ..least })
    }

    /// The same with the cooperative matrices of `tiling`, and with `sums` of gradients in registers.
    pub(super) fn filling_with_matrices(
        (activation, tiling): (Activation, MatmulTiling),
        sums: usize,
        block: usize,
        bytes: usize,
    ) -> Option<Self> {
        let network = Mlp::new([1, 1, 1], 2, [activation, Activation::Identity]);
        let rows = Rows::new(&network, Some(tiling), SLICE, false);
        let matrices = Matrices { tiling, sums, bias_rows: MOST_BIAS_ROWS };
        let least = Self::with_matrices(rows, matrices, block);
        let rest = bytes.checked_sub(Self { cells: 0, ..least.clone() }.bytes())?;
        Some(Self { cells: rest / 8, ..least })
    }

    /// Bytes of workgroup memory.
    pub fn bytes(&self) -> usize {
        let cells = 4 * self.storage.size_bytes() * self.cells;
        let of_matrices = self.matrices.map_or(0, |matrices| matrices.bytes(self.block));
        cells + 16 * self.tile_cells + of_matrices + POSITIONS_BYTES
    }

    /// The cooperative matrices it multiplies with.
    pub fn tiling(&self) -> Option<MatmulTiling> {
        self.matrices.map(|matrices| matrices.tiling)
    }

    /// Values of the override constants of the kernels.
    pub(super) fn constants(&self) -> Vec<(&'static str, u32)> {
        let of_kind = match self.matrices {
            Some(Matrices { sums, bias_rows, .. }) => {
                [("N_CELLS", 4 * self.cells), ("N_SUMS", sums), ("BIAS_ROWS", bias_rows)]
            }
            None => [("GROUP", self.group), ("CELLS", self.cells), ("TILE_CELLS", self.tile_cells)],
        };
        let of_both = [
            ("BLOCK", self.block),
            ("DERIVATIVE_FROM_OUTPUT", usize::from(self.rows.derivative_from_output)),
        ];
        of_both.into_iter().chain(of_kind).map(|(name, size)| (name, size as u32)).collect()
    }
}

/// Without measurements, best first: the largest, but smaller ones if there are few samples, to fill the GPU.
pub(super) fn unmeasured_blocks(n_samples: usize) -> impl Iterator<Item = FusedBlock> {
    let smallest = *BLOCKS.last().expect("not empty");
    let blocks = BLOCKS.into_iter().filter(move |&b| b == smallest || n_samples.div_ceil(b) >= WANTED_BLOCKS);
    blocks.map(|samples| FusedBlock { samples, threads: MOST_THREADS })
}

/// All that are measured: without those of which `n_samples` fill at most half.
pub(super) fn all_blocks(n_samples: usize) -> impl Iterator<Item = FusedBlock> {
    let filled = BLOCKS.into_iter().filter(move |samples| samples / 2 < n_samples);
    filled.flat_map(|samples| THREADS.map(|threads| FusedBlock { samples, threads }))
}

/// A block with its features at a time, and whether they have separate rows: best first. Nothing if the kernels have
/// no such blocks.
fn with_rows(block: FusedBlock) -> impl Iterator<Item = (FusedBlock, usize, bool)> {
    let rows = [(SLICE, true), (SLICE, false), (SLICE / 2, false)];
    let is_known = BLOCKS.contains(&block.samples);
    rows.into_iter().filter(move |_| is_known).map(move |(slice, separate)| (block, slice, separate))
}

/// Vectors of the tile of weights, which is also used to sum the loss.
fn tile_cells(rows: &Rows, block: usize, group: usize) -> usize {
    let at_a_time = (rows.hidden.max(rows.features) / 4).min(group / (block / 4));
    (DEPTH * (at_a_time | 1)).max(NARROW_DEPTH).max(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_one_another() {
        let network = Mlp::new([30, 17, 3], 4, [Activation::Tanh, Activation::Identity]);
        let (separate, shared) = (Rows::new(&network, None, 64, true), Rows::new(&network, None, 64, false));
        let rows = (separate.hidden, separate.feature_row, separate.features, separate.value_row);
        assert_eq!(rows, (20, 64, 32, 96));
        assert_eq!((separate.total, separate.features_kept), (116, true));
        assert_eq!((shared.value_row, shared.total, shared.features_kept), (64, 96, false));
    }
}
