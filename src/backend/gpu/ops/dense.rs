//! Linear layers as tiled matrix products.

use crate::backend::gpu::kernel::{
    Alignment, Kernel, KernelConfig, KernelDef, MatmulTiling, Operation, Source, Specialization,
    params_block, read, read_stored, wgsl, write, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::network::LayerRange;
use crate::model::{Activation, LayerShape};

params_block! {
    DenseParams {
        grid_width: u32,
        /// Workgroups with work.
        n_groups: u32,
        /// Tiles of results from top to bottom.
        n_row_tiles: u32,
        /// Tiles of results from left to right.
        n_column_tiles: u32,
        /// n
        n_samples: u32,
        /// i
        input_width: u32,
        /// o
        output_width: u32,
        weight_offset: u32,
        bias_offset: u32,
        /// Samples summed by a slice.
        slice_length: u32,
    }
}

params_block! {
    ReduceParams {
        grid_width: u32,
        /// Parameters of the layer.
        n_values: u32,
        n_slices: u32,
        /// First parameter of the layer.
        grads_offset: u32,
        /// Whether to add to what is there.
        accumulate: u32,
        /// The value of a partial gradient of 1.
        unit: f32,
    }
}

params_block! {
    StoreWeightsParams {
        grid_width: u32,
        /// First parameter of the network.
        first: u32,
        /// One past its last.
        end: u32,
    }
}

mod reference;

/// Largest depth of a tile, `DEPTH` in `shaders/matmul/`; slices are whole multiples of it.
pub const DEPTH: usize = 32;
/// Results that all workgroups of the weight gradients compute together, if one layer alone has few: what the
/// registers of a large GPU hold.
const WANTED_RESULTS: usize = 1 << 22;
/// Workgroups for them, however large their tiles.
const WANTED_GROUPS: [usize; 2] = [128, 1024];
/// Minimum samples of a slice, if the layer has many weights.
const SHORTEST_SLICE: usize = 256;

/// Loads of operands.
const INPUTS: Source = wgsl!("dense_inputs.wgsl");
const OUTPUTS: Source = wgsl!("dense_outputs.wgsl");
const WEIGHTS: Source = wgsl!("dense_weights.wgsl");

/// z = f(x) W^T + b
pub(crate) static FORWARD: KernelDef = KernelDef {
    name: "dense_forward",
    parts: &[wgsl!("dense_forward.wgsl"), INPUTS, WEIGHTS],
    specialization: Specialization::Matmul(Operation::Forward),
    bindings: &[read_stored("weights"), read("biases"), read_stored("x"), write_stored("results")],
    ..KernelDef::plain::<DenseParams>(reference::forward, reference::forward_cases)
};

/// dl_dx = (dl_dz W) * f'(x), in place of x
pub(crate) static BACKWARD_INPUT: KernelDef = KernelDef {
    name: "dense_backward_input",
    parts: &[wgsl!("dense_backward_input.wgsl"), OUTPUTS, WEIGHTS],
    specialization: Specialization::Matmul(Operation::BackwardInput),
    bindings: &[read_stored("weights"), read_stored("dl_dz"), write_stored("results")],
    ..KernelDef::plain::<DenseParams>(reference::backward_input, reference::backward_input_cases)
};

/// partials = [dl_dz^T f(x), column sums of dl_dz] for each slice of the samples
pub(crate) static BACKWARD_WEIGHTS: KernelDef = KernelDef {
    name: "dense_backward_weights",
    parts: &[wgsl!("dense_backward_weights.wgsl"), INPUTS, OUTPUTS],
    specialization: Specialization::Matmul(Operation::BackwardWeights),
    bindings: &[read_stored("dl_dz"), read_stored("x"), write("results")],
    ..KernelDef::plain::<DenseParams>(reference::backward_weights, reference::backward_weights_cases)
};

/// grads (+)= sum of partials over the slices
pub(crate) static REDUCE_PARTIALS: KernelDef = KernelDef {
    name: "reduce_partials",
    parts: &[wgsl!("strided_sum.wgsl"), wgsl!("reduce_partials.wgsl")],
    bindings: &[read("partials"), write("grads")],
    ..KernelDef::plain::<ReduceParams>(reference::reduce, reference::reduce_cases)
};

/// The network's weights as they are stored for products
pub(crate) static STORE_WEIGHTS: KernelDef = KernelDef {
    name: "store_weights",
    parts: &[wgsl!("store_weights.wgsl")],
    bindings: &[read("weights"), write_stored("stored_weights")],
    ..KernelDef::plain::<StoreWeightsParams>(reference::store_weights, reference::store_weights_cases)
};

#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    pub(crate) range: &'a LayerRange,
    /// The activation of its input.
    pub(crate) activation_before: Activation,
    pub(crate) n_samples: usize,
    /// Selects the tiling of its products.
    pub(crate) config: &'a KernelConfig,
    pub(crate) max_groups: u32,
}

/// How the weight gradients are split: `count` slices of `length` samples, the last shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slices {
    pub count: usize,
    pub length: usize,
}

/// An upper bound of [`slices`] for any tiling, which grows with `n_samples`.
pub(crate) fn max_slices(shape: LayerShape, n_samples: usize, partials_bytes: u64) -> usize {
    let wanted = MatmulTiling::ALL.map(|tiling| wanted_slices((shape, tiling), n_samples, partials_bytes));
    wanted.into_iter().max().unwrap_or(1)
}

/// Slices for the weight gradients of a layer whose partial sums may take `partials_bytes`.
fn slices(of: (LayerShape, MatmulTiling), n_samples: usize, partials_bytes: u64) -> Slices {
    let wanted = wanted_slices(of, n_samples, partials_bytes);
    let length = n_samples.div_ceil(wanted).next_multiple_of(DEPTH);
    Slices { count: n_samples.div_ceil(length), length }
}

fn wanted_slices(
    (shape, tiling): (LayerShape, MatmulTiling),
    n_samples: usize,
    partials_bytes: u64,
) -> usize {
    let (i, o) = (shape.input_width, shape.output_width);
    let [tile_rows, tile_columns] = tiling.tile_shape();
    let tiles = o.div_ceil(tile_rows) * i.div_ceil(tile_columns);
    let [fewest, most] = WANTED_GROUPS;
    let groups = (WANTED_RESULTS / (tile_rows * tile_columns)).clamp(fewest, most);
    // A slice reads at least twice the numbers that it writes.
    let shortest = (2 * i * o / (i + o)).clamp(DEPTH, SHORTEST_SLICE);
    let fitting = (partials_bytes / (4 * shape.n_params() as u64)).max(1) as usize;
    groups.div_ceil(tiles).min(n_samples.div_ceil(shortest)).min(fitting)
}

impl Layer<'_> {
    fn dispatch(&self, operation: Operation, slices: Slices, buffers: Vec<BufferId>) -> Dispatch {
        let shape = self.range.shape;
        let tiling = self.config.tiling(operation, shape, self.n_samples);
        let def = match operation {
            Operation::Forward => &FORWARD,
            Operation::BackwardInput => &BACKWARD_INPUT,
            Operation::BackwardWeights => &BACKWARD_WEIGHTS,
        };
        let kernel = Kernel::with_activation(def, self.activation_before)
            .tiled(tiling)
            .aligned(Alignment::of((operation, tiling), self.range, self.n_samples));
        let (params, grid) = self.params((operation, tiling), slices);
        let flop = 2.0 * self.n_samples as f64 * shape.input_width as f64 * shape.output_width as f64;
        Dispatch::new(kernel, &params, buffers, grid, flop)
    }

    fn params(
        &self,
        (operation, tiling): (Operation, MatmulTiling),
        slices: Slices,
    ) -> (DenseParams, Workgroups) {
        let shape = self.range.shape;
        let [rows, columns] = operation.results(shape, self.n_samples);
        let [tile_rows, tile_columns] = tiling.tile_shape();
        let (n_row_tiles, n_column_tiles) = (rows.div_ceil(tile_rows), columns.div_ceil(tile_columns));
        let n_groups = n_row_tiles * n_column_tiles * slices.count;
        let grid = Workgroups::fold(n_groups, self.max_groups);
        let params = DenseParams {
            grid_width: grid.width,
            n_groups: n_groups as u32,
            n_row_tiles: n_row_tiles as u32,
            n_column_tiles: n_column_tiles as u32,
            n_samples: self.n_samples as u32,
            input_width: shape.input_width as u32,
            output_width: shape.output_width as u32,
            weight_offset: self.range.weight.start as u32,
            bias_offset: self.range.bias.start as u32,
            slice_length: slices.length as u32,
        };
        (params, grid)
    }

    fn whole(&self) -> Slices {
        Slices { count: 1, length: self.n_samples }
    }

    /// z = f(x) W^T + b. Buffers: the flat parameters as stored, and in f32 for b, x (n, i), z (n, o).
    pub fn forward(&self, buffers: [BufferId; 4]) -> Dispatch {
        self.dispatch(Operation::Forward, self.whole(), buffers.into())
    }

    /// Overwrites pre-activations with dl_dx. Buffers: the flat parameters as stored, dl_dz (n, o), x (n, i).
    pub fn backward_input(&self, buffers: [BufferId; 3]) -> Dispatch {
        self.dispatch(Operation::BackwardInput, self.whole(), buffers.into())
    }

    /// Slices for its weight gradients, whose partial sums may take `partials_bytes`.
    pub(crate) fn slices(&self, partials_bytes: u64) -> Slices {
        let shape = self.range.shape;
        let tiling = self.config.tiling(Operation::BackwardWeights, shape, self.n_samples);
        slices((shape, tiling), self.n_samples, partials_bytes)
    }

    /// Partial gradients of W and b. Buffers: dl_dz (n, o), x (n, i), partials (slices, o * i + o).
    pub(crate) fn backward_weights(&self, slices: Slices, buffers: [BufferId; 3]) -> Dispatch {
        self.dispatch(Operation::BackwardWeights, slices, buffers.into())
    }
}

/// How partial gradients are summed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduction {
    /// The value of a partial gradient of 1.
    pub unit: f32,
    /// Whether to add to the sum of the step's earlier parts.
    pub accumulate: bool,
    pub max_groups: u32,
}

/// grads (+)= sum of partials of the parameters in `range`. Buffers: partials, flat gradients.
pub(crate) fn reduce(
    slices: Slices,
    range: std::ops::Range<usize>,
    Reduction { unit, accumulate, max_groups }: Reduction,
    buffers: [BufferId; 2],
) -> Dispatch {
    let n_values = range.len();
    let grid = Workgroups::fold(n_values.div_ceil(THREADS), max_groups);
    let params = ReduceParams {
        grid_width: grid.width,
        n_values: n_values as u32,
        n_slices: slices.count as u32,
        grads_offset: range.start as u32,
        accumulate: accumulate.into(),
        unit,
    };
    let cost = 4.0 * (n_values * slices.count) as f64;
    Dispatch::new(Kernel::plain(&REDUCE_PARTIALS), &params, buffers.into(), grid, cost)
}

/// Stores the parameters in `range` for products. Buffers: flat parameters, the same as stored.
pub(crate) fn store_weights(
    range: std::ops::Range<usize>,
    buffers: [BufferId; 2],
    max_groups: u32,
) -> Dispatch {
    let grid = Workgroups::fold(range.len().div_ceil(THREADS), max_groups);
    let params =
        StoreWeightsParams { grid_width: grid.width, first: range.start as u32, end: range.end as u32 };
    Dispatch::new(Kernel::plain(&STORE_WEIGHTS), &params, buffers.into(), grid, 4.0 * range.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_whole_tiles_and_no_more_than_laid_out() {
        for (input_width, output_width) in [(1, 1), (256, 3), (3, 256), (64, 64), (512, 256), (1024, 1024)] {
            let shape = LayerShape { input_width, output_width };
            for n_samples in [1, 31, 32, 4096, 5000, 1 << 18] {
                for (tiling, bytes) in
                    MatmulTiling::ALL.into_iter().flat_map(|t| [(t, 1 << 20), (t, u64::MAX)])
                {
                    let Slices { count, length } = slices((shape, tiling), n_samples, bytes);
                    let most = max_slices(shape, n_samples, bytes);
                    assert!(
                        count <= most && length.is_multiple_of(DEPTH),
                        "{shape:?} {n_samples} {tiling:?}"
                    );
                    assert!((count - 1) * length < n_samples && n_samples <= count * length);
                }
            }
        }
    }

    #[test]
    fn a_last_layer_has_enough_workgroups_for_a_gpu() {
        let shape = LayerShape { input_width: 256, output_width: 3 };
        let found = slices((shape, MatmulTiling::TileWide), 4096, u64::MAX);
        assert_eq!(found, Slices { count: 128, length: 32 });
    }
}
