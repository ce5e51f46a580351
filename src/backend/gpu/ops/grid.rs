//! The hash grid: features, and the gradients of its entries.

use super::dense::Reduction;
use crate::backend::gpu::kernel::{
    Kernel, KernelDef, Source, params_block, read, read_stored, wgsl, write, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::encoding::{HashGrid, Interpolation};

mod reference;
pub(super) use reference::{entry_gradients, entry_sums, example_sums, feature_tolerances, of_words, sums};

params_block! {
    GridParams {
        grid_width: u32,
        n_rows: u32,
        /// L
        n_levels: u32,
        /// F
        n_features: u32,
        smoothstep: u32,
        /// The value of a stored gradient of 1.
        gradient_unit: f32,
    }
}

params_block! {
    ClearGradientsParams {
        grid_width: u32,
        /// Entries times F.
        n_values: u32,
    }
}

params_block! {
    GridGradientsParams {
        grid_width: u32,
        /// Entries times F.
        n_values: u32,
    }
}

const CELLS: Source = wgsl!("grid.wgsl");
const FEATURES: Source = wgsl!("grid_features.wgsl");
/// The number that a fixed-point sum represents.
pub(super) const FIXED_POINT_VALUE: Source = wgsl!("fixed_point_value.wgsl");

/// Words of a level in the buffer of levels.
pub(crate) const LEVEL_WORDS: usize = 4;

/// features = interpolated between vertices
pub(crate) static ENCODE: KernelDef = KernelDef {
    name: "encode_grid",
    parts: &[CELLS, wgsl!("grid_table.wgsl"), FEATURES, wgsl!("encode_grid.wgsl")],
    bindings: &[read("levels"), read("weights"), read("coords"), write_stored("features")],
    ..KernelDef::plain::<GridParams>(reference::encode, reference::encode_cases)
};

/// sums += gradients of the entries
pub(crate) static BACKWARD: KernelDef = KernelDef {
    name: "encode_grid_backward",
    parts: &[CELLS, FEATURES, wgsl!("grid_add_exact.wgsl"), wgsl!("encode_grid_backward.wgsl")],
    bindings: &[read("levels"), read("coords"), read_stored("dl_dfeatures"), write("sums")],
    adds_fixed_point: true,
    ..KernelDef::plain::<GridParams>(reference::backward, reference::backward_cases)
};

/// grads += gradients of the entries, by float atomics
pub static BACKWARD_FLOAT: KernelDef = KernelDef {
    name: "encode_grid_backward_float",
    parts: &[CELLS, FEATURES, wgsl!("grid_add_float.wgsl"), wgsl!("encode_grid_backward.wgsl")],
    bindings: &[read("levels"), read("coords"), read_stored("dl_dfeatures"), write("grads")],
    needs: wgpu::Features::SHADER_FLOAT32_ATOMIC,
    ..KernelDef::plain::<GridParams>(reference::backward_float, reference::backward_float_cases)
};

/// grads = 0
pub(crate) static CLEAR: KernelDef = KernelDef {
    name: "clear_gradients",
    parts: &[wgsl!("clear_gradients.wgsl")],
    bindings: &[write("grads")],
    ..KernelDef::plain::<ClearGradientsParams>(reference::clear, reference::clear_cases)
};

/// grads = sums, sums = 0
pub(crate) static GRADIENTS: KernelDef = KernelDef {
    name: "grid_gradients",
    parts: &[FIXED_POINT_VALUE, wgsl!("grid_gradients.wgsl")],
    bindings: &[write("sums"), write("grads")],
    ..KernelDef::plain::<GridGradientsParams>(reference::gradients, reference::gradients_cases)
};

/// The levels as the kernels read them: resolution, first entry, entries, whether hashed.
pub(crate) fn level_words(grid: &HashGrid) -> Vec<u32> {
    let words = |l: &crate::model::encoding::GridLevel| {
        [l.resolution, l.first_entry as u32, l.n_entries as u32, l.is_hashed().into()]
    };
    grid.levels.iter().flat_map(words).collect()
}

fn params(grid: &HashGrid, n_rows: usize, gradient_unit: f32, max_groups: u32) -> (GridParams, Workgroups) {
    let groups = Workgroups::fold((n_rows * grid.levels.len()).div_ceil(THREADS), max_groups);
    let params = GridParams {
        grid_width: groups.width,
        n_rows: n_rows as u32,
        n_levels: grid.levels.len() as u32,
        n_features: grid.features_per_level as u32,
        smoothstep: (grid.interpolation == Interpolation::Smoothstep).into(),
        gradient_unit,
    };
    (params, groups)
}

/// Approximate operations per position: a cell and four vertices for each level.
fn cost(grid: &HashGrid, n_rows: usize) -> f64 {
    n_rows as f64 * grid.levels.len() as f64 * (40.0 + 16.0 * grid.features_per_level as f64)
}

/// features = interpolated for `n_rows` positions. Buffers: levels, flat parameters, coords, features.
pub fn encode(grid: &HashGrid, n_rows: usize, buffers: [BufferId; 4], max_groups: u32) -> Dispatch {
    let (params, groups) = params(grid, n_rows, 1.0, max_groups);
    Dispatch::new(Kernel::plain(&ENCODE), &params, buffers.into(), groups, cost(grid, n_rows))
}

/// Adds the gradients of the entries to the sums or, unless `is_exact`, by float atomics to the flat gradients. Buffers:
/// levels, coords, dl_dfeatures, and one of the two.
pub(crate) fn backward(
    grid: &HashGrid,
    n_rows: usize,
    Reduction { unit, max_groups, .. }: Reduction,
    is_exact: bool,
    buffers: [BufferId; 4],
) -> Dispatch {
    let (params, groups) = params(grid, n_rows, unit, max_groups);
    // Atomic additions take several times as long as loads, and the exact ones need two.
    let (def, slower) = if is_exact { (&BACKWARD, 4.0) } else { (&BACKWARD_FLOAT, 2.0) };
    Dispatch::new(Kernel::plain(def), &params, buffers.into(), groups, slower * cost(grid, n_rows))
}

/// The encoding's part of grads = 0.
pub(crate) fn clear(grid: &HashGrid, grads: BufferId, max_groups: u32) -> Dispatch {
    let n_values = grid.n_params();
    let groups = Workgroups::fold(n_values.div_ceil(THREADS), max_groups);
    let params = ClearGradientsParams { grid_width: groups.width, n_values: n_values as u32 };
    Dispatch::new(Kernel::plain(&CLEAR), &params, vec![grads], groups, n_values as f64)
}

/// The encoding's part of grads = sums, and sums = 0. Buffers: sums, flat gradients.
pub(crate) fn gradients(grid: &HashGrid, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let n_values = grid.n_params();
    let groups = Workgroups::fold(n_values.div_ceil(THREADS), max_groups);
    let params = GridGradientsParams { grid_width: groups.width, n_values: n_values as u32 };
    Dispatch::new(Kernel::plain(&GRADIENTS), &params, buffers.into(), groups, 10.0 * n_values as f64)
}
