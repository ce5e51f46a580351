//! How many samples a workgroup takes at a time, and the layout of its memory.

use crate::backend::gpu::kernel::{Kernel, Storage};
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
const MOST_THREADS: usize = 256;
/// Bytes of `positions` in `fused/cells.wgsl`.
const POSITIONS_BYTES: usize = 64 * 16;

/// Whether f'(z) = f'(f(z)): both have a kink at 0 and the same sign. Then z need not be stored beside f(z).
fn derivative_from_output(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::LeakyRelu { .. } | Activation::Identity)
}

/// The layout of `cells`, in rows: see `fused/cells.wgsl`.
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

fn fours(n: usize) -> usize {
    n.next_multiple_of(4)
}

impl Rows {
    /// With at most `slice` features at a time, a multiple of eight; in separate rows if `separate`.
    pub(super) fn new(network: &Mlp, slice: usize, separate: bool) -> Self {
        let derivative_from_output = derivative_from_output(network.activation);
        let hidden = fours(network.hidden_width);
        let feature_row = hidden * (network.n_layers - 1) + fours(network.output_width);
        let features = fours(network.input_width).min(slice);
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
    pub group: usize,
    pub(super) cells: usize,
    pub(super) tile_cells: usize,
    pub(super) rows: Rows,
    /// Storage of `cells`.
    pub(crate) storage: Storage,
}

impl Blocking {
    /// Blocks of `block` samples with at most `most_threads` threads; `None` if that is impossible.
    pub(super) fn new(rows: Rows, storage: Storage, block: usize, most_threads: usize) -> Option<Self> {
        let quads = block / 4;
        // One thread for four units of four samples.
        let group = (rows.hidden / 4 * quads).next_power_of_two();
        let group = group.clamp(FEWEST_THREADS.max(block), MOST_THREADS.max(block)).min(most_threads);
        if group < FEWEST_THREADS.max(block) || !group.is_power_of_two() {
            return None;
        }
        let (cells, tile_cells) = (rows.total * quads, tile_cells(&rows, block, group));
        Some(Self { block, group, cells, tile_cells, rows, storage })
    }

    /// The sizes that `kernel` is compiled for, if they suit a network with these rows.
    pub(super) fn of_kernel(kernel: &Kernel, rows: Rows) -> Option<Self> {
        let size = |name| kernel.size(name) as usize;
        let (block, group) = (size("BLOCK"), size("GROUP"));
        let (cells, tile_cells) = (size("CELLS"), size("TILE_CELLS"));
        let is_enough =
            rows.total * block / 4 <= cells && self::tile_cells(&rows, block, group) <= tile_cells;
        is_enough.then_some(Self { block, group, cells, tile_cells, rows, storage: kernel.storage })
    }

    /// The largest blocks that fit into `bytes` of workgroup memory; smaller ones if there are few samples, to fill
    /// the GPU.
    pub(super) fn largest_fitting(
        (network, storage): (&Mlp, Storage),
        n_samples: usize,
        bytes: usize,
        most_threads: usize,
    ) -> Option<Self> {
        let most_threads = 1 << most_threads.max(1).ilog2();
        let smallest = *BLOCKS.last().expect("not empty");
        let blocks = BLOCKS.iter().filter(|&&b| b == smallest || n_samples.div_ceil(b) >= WANTED_BLOCKS);
        let layouts = blocks.flat_map(|&block| {
            let rows = [(SLICE, true), (SLICE, false), (SLICE / 2, false)];
            rows.map(|(slice, separate)| {
                Self::new(Rows::new(network, slice, separate), storage, block, most_threads)
            })
        });
        layouts.flatten().find(|blocking| blocking.bytes() <= bytes)
    }

    /// Blocks of `block` samples that use all of `bytes`, for networks up to `width` wide.
    pub(super) fn filling(
        (activation, storage): (Activation, Storage),
        width: usize,
        block: usize,
        bytes: usize,
    ) -> Option<Self> {
        let network = Mlp::new([SLICE, width, 4], 2, [activation, Activation::Identity]);
        let least = Self::new(Rows::new(&network, SLICE, false), storage, block, MOST_THREADS)?;
        let rest = bytes.checked_sub(workgroup_bytes(storage, 0, least.tile_cells))?;
        Some(Self { cells: rest / (4 * storage.size_bytes()), ..least })
    }

    /// Bytes of workgroup memory.
    pub fn bytes(&self) -> usize {
        workgroup_bytes(self.storage, self.cells, self.tile_cells)
    }

    /// Values of the override constants of both kernels.
    pub(crate) fn constants(&self) -> Vec<(&'static str, u32)> {
        vec![
            ("BLOCK", self.block as u32),
            ("GROUP", self.group as u32),
            ("CELLS", self.cells as u32),
            ("TILE_CELLS", self.tile_cells as u32),
            ("DERIVATIVE_FROM_OUTPUT", self.rows.derivative_from_output.into()),
        ]
    }
}

/// Vectors of the tile of weights, which is also used to sum the loss.
fn tile_cells(rows: &Rows, block: usize, group: usize) -> usize {
    let at_a_time = (rows.hidden.max(rows.features) / 4).min(group / (block / 4));
    (DEPTH * (at_a_time | 1)).max(NARROW_DEPTH).max(block)
}

/// Bytes of workgroup memory of a kernel with these constants.
fn workgroup_bytes(storage: Storage, cells: usize, tile_cells: usize) -> usize {
    4 * storage.size_bytes() * cells + 16 * tile_cells + POSITIONS_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_one_another() {
        let network = Mlp::new([30, 17, 3], 4, [Activation::Tanh, Activation::Identity]);
        let (separate, shared) = (Rows::new(&network, 64, true), Rows::new(&network, 64, false));
        let rows = (separate.hidden, separate.feature_row, separate.features, separate.value_row);
        assert_eq!(rows, (20, 64, 32, 96));
        assert_eq!((separate.total, separate.features_kept), (116, true));
        assert_eq!((shared.value_row, shared.total, shared.features_kept), (64, 96, false));
    }
}
