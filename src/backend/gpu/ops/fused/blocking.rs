//! Which networks are fused, and how many samples a workgroup takes at a time: from the job and the device's limits
//! alone, so that a resumed run computes as it did before.

use super::definitions;
use crate::backend::BackendError;
use crate::backend::gpu::kernel::Kernel;
use crate::backend::gpu::memory::Budget;
use crate::model::{Activation, Mlp, Model};
use std::sync::LazyLock;

/// When networks are fused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Where it fits and moves fewer bytes through device memory.
    #[default]
    Auto,
    /// Wherever it fits.
    Always,
    /// Never.
    Never,
}

/// The environment variable that says so: `auto`, `always` or `never`.
const VARIABLE: &str = "AFTERIMAGE_FUSED";

static MODE: LazyLock<Result<Mode, String>> = LazyLock::new(|| match std::env::var(VARIABLE) {
    Err(_) => Ok(Mode::default()),
    Ok(text) => match text.as_str() {
        "auto" | "" => Ok(Mode::Auto),
        "always" => Ok(Mode::Always),
        "never" => Ok(Mode::Never),
        _ => Err(format!("{VARIABLE} is '{text}'; give auto, always or never")),
    },
});

/// Whether the variable can be understood.
///
/// # Errors
/// When it cannot.
pub fn check() -> Result<(), BackendError> {
    MODE.as_ref().map(|_| ()).map_err(|reason| BackendError::Environment(reason.clone()))
}

impl Mode {
    /// What the environment says; [`check`] refuses what cannot be understood.
    pub fn from_env() -> Self {
        MODE.as_ref().copied().unwrap_or_default()
    }
}

/// Samples of a block, from the best on.
const BLOCKS: [usize; 4] = [128, 64, 32, 16];
/// Blocks that a step should at least have, to fill a GPU.
const WANTED_BLOCKS: usize = 256;
/// Most features at a time: a multiple of the features of a level of a grid.
const SLICE: usize = 64;
/// Depth of a tile of weights. `DEPTH` in `fused/product.wgsl`.
const DEPTH: usize = 16;
/// Depth of a narrow one. `NARROW_DEPTH` there.
const NARROW_DEPTH: usize = 64;
/// `COLUMNS` in `fused/backward.wgsl` times as many rows.
const FEWEST_THREADS: usize = 64;
const MOST_THREADS: usize = 256;
/// Bytes of a number in `cells`. `Stored` in `fused/stored.wgsl`.
const STORED_BYTES: usize = 4;
/// Bytes of `positions` in `fused/cells.wgsl`.
const POSITIONS_BYTES: usize = 64 * 16;

/// What the memory of a block follows from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) input_width: usize,
    pub(super) hidden_width: usize,
    pub(super) output_width: usize,
    pub(super) n_layers: usize,
    pub(super) keeps_values: bool,
}

impl Shape {
    pub(super) fn of(network: &Mlp) -> Self {
        Self {
            input_width: network.input_width,
            hidden_width: network.hidden_width,
            output_width: network.output_width,
            n_layers: network.n_layers,
            keeps_values: keeps_values(network.activation),
        }
    }
}

/// Whether f'(z) = f'(f(z)): both have a kink at 0, and keep the sign. Then z need not be kept beside f(z).
fn keeps_values(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::LeakyRelu { .. } | Activation::Identity)
}

/// Where things lie in `cells`, in rows: see `fused/cells.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) hidden: usize,
    pub(super) feature_row: usize,
    pub(super) features: usize,
    pub(super) value_row: usize,
    pub(super) features_kept: bool,
    pub(super) total: usize,
}

fn fours(n: usize) -> usize {
    n.next_multiple_of(4)
}

impl Rows {
    /// With at most `slice` features at a time, a multiple of eight; with rows of their own if `apart`.
    pub(super) fn new(shape: &Shape, slice: usize, apart: bool) -> Self {
        let hidden = fours(shape.hidden_width);
        let feature_row = hidden * (shape.n_layers - 1) + fours(shape.output_width);
        let features = fours(shape.input_width).min(slice);
        let values = if shape.keeps_values { 0 } else { hidden };
        let value_row = feature_row + if apart { features } else { 0 };
        Self {
            hidden,
            feature_row,
            features,
            value_row,
            features_kept: shape.input_width <= features && (apart || shape.keeps_values),
            total: (value_row + values).max(feature_row + features),
        }
    }
}

/// The sizes a kernel is compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// Samples taken at a time.
    pub block: usize,
    /// Threads of a workgroup.
    pub group: usize,
    pub(super) cells: usize,
    pub(super) tile_cells: usize,
    pub(super) keeps_values: bool,
    pub(super) rows: Rows,
}

impl Blocking {
    /// Blocks of `block` samples with at most `most_threads` threads; none if they do not go together.
    pub(super) fn new(shape: &Shape, rows: Rows, block: usize, most_threads: usize) -> Option<Self> {
        let quads = block / 4;
        // One thread for four units of four samples.
        let group = (rows.hidden / 4 * quads).next_power_of_two();
        let group = group.clamp(FEWEST_THREADS.max(block), MOST_THREADS.max(block)).min(most_threads);
        if group < FEWEST_THREADS.max(block) || !group.is_power_of_two() {
            return None;
        }
        Some(Self {
            block,
            group,
            cells: rows.total * quads,
            tile_cells: tile_cells(&rows, block, group),
            keeps_values: shape.keeps_values,
            rows,
        })
    }

    /// The sizes that `kernel` is compiled for, if a network with these rows goes with them.
    pub(super) fn of_kernel(kernel: &Kernel, rows: Rows) -> Option<Self> {
        let size = |name| kernel.size(name) as usize;
        let (block, group) = (size("BLOCK"), size("GROUP"));
        let keeps_values = size("KEEPS_VALUES") == 1;
        let tile_cells = tile_cells(&rows, block, group);
        let is_enough = rows.total * block / 4 <= size("CELLS") && tile_cells <= size("TILE_CELLS");
        let blocking =
            Self { block, group, cells: size("CELLS"), tile_cells: size("TILE_CELLS"), keeps_values, rows };
        is_enough.then_some(blocking)
    }

    /// The largest blocks for which `bytes` of workgroup memory are enough. Where there are few samples, smaller
    /// ones, so that there is work for all of a GPU.
    pub(super) fn fitting(
        shape: &Shape,
        n_samples: usize,
        bytes: usize,
        most_threads: usize,
    ) -> Option<Self> {
        let most_threads = 1 << most_threads.max(1).ilog2();
        let smallest = *BLOCKS.last().expect("not empty");
        let blocks = BLOCKS.iter().filter(|&&b| b == smallest || n_samples.div_ceil(b) >= WANTED_BLOCKS);
        let layouts = blocks.flat_map(|&block| {
            let rows = [(SLICE, true), (SLICE, false), (SLICE / 2, false)];
            rows.map(|(slice, apart)| Self::new(shape, Rows::new(shape, slice, apart), block, most_threads))
        });
        layouts.flatten().find(|blocking| blocking.bytes() <= bytes)
    }

    /// Blocks of `block` samples with all of `bytes`, for networks up to `width` wide.
    pub(super) fn roomy(activation: Activation, width: usize, block: usize, bytes: usize) -> Option<Self> {
        let keeps_values = keeps_values(activation);
        let shape =
            Shape { input_width: SLICE, hidden_width: width, output_width: 4, n_layers: 2, keeps_values };
        let least = Self::new(&shape, Rows::new(&shape, SLICE, false), block, MOST_THREADS)?;
        let rest = bytes.checked_sub(workgroup_bytes(0, least.tile_cells))?;
        Some(Self { cells: rest / (4 * STORED_BYTES), ..least })
    }

    /// Bytes of workgroup memory.
    pub fn bytes(&self) -> usize {
        workgroup_bytes(self.cells, self.tile_cells)
    }

    /// Values of the override constants of both kernels.
    pub fn constants(&self) -> Vec<(&'static str, u32)> {
        vec![
            ("BLOCK", self.block as u32),
            ("GROUP", self.group as u32),
            ("CELLS", self.cells as u32),
            ("TILE_CELLS", self.tile_cells as u32),
            ("KEEPS_VALUES", self.keeps_values.into()),
        ]
    }
}

/// Vectors of the tile of weights; the loss is added up there too.
fn tile_cells(rows: &Rows, block: usize, group: usize) -> usize {
    let at_a_time = (rows.hidden.max(rows.features) / 4).min(group / (block / 4));
    (DEPTH * (at_a_time | 1)).max(NARROW_DEPTH).max(block)
}

/// Bytes of workgroup memory of a kernel with these constants.
fn workgroup_bytes(cells: usize, tile_cells: usize) -> usize {
    4 * STORED_BYTES * cells + 16 * tile_cells + POSITIONS_BYTES
}

/// Numbers that the kernels of each layer move through device memory for a sample: of a step, or of a prediction. Each
/// kernel reads its operands and writes its results once; weights stay in the cache. docs/BENCHMARKS.md has the sum.
fn moved_apart(network: &Mlp, is_trained: bool, is_step: bool) -> usize {
    let layers = || network.layers().map(|layer| (layer.input_width, layer.output_width));
    let forward = network.input_width + layers().map(|(i, o)| i + o).sum::<usize>();
    if !is_step {
        return forward + 2 * network.output_width;
    }
    let loss = 3 * network.output_width + 1;
    let to_weights: usize = layers().map(|(i, o)| i + o).sum();
    let to_inputs = layers().skip(usize::from(!is_trained)).map(|(i, o)| 2 * i + o).sum::<usize>();
    forward + loss + to_weights + to_inputs + if is_trained { network.input_width } else { 0 }
}

/// The same in one kernel: a block's share of the gradients is written and read once.
fn moved_fused(network: &Mlp, block: usize, is_step: bool) -> usize {
    let io = 3 + 2 * network.output_width;
    if is_step { io + (2 * network.n_params()).div_ceil(block) } else { io }
}

/// The one place where it is decided whether a network is fused: for a step of `n_samples`, or for predictions.
fn choose(model: &Model, n_samples: Option<usize>, budget: &Budget) -> Option<Blocking> {
    let network = &model.network;
    definitions(&model.encoding)?;
    let has_outputs = network.output_width <= 4
        && matches!(network.output_activation, Activation::Identity | Activation::Sigmoid);
    let is_step = n_samples.is_some();
    let has_partials = !is_step || 4 * network.n_params() as u64 <= budget.partials_bytes();
    if budget.fused == Mode::Never || !has_outputs || !has_partials {
        return None;
    }
    let (bytes, threads) = (budget.workgroup_bytes as usize, budget.max_threads as usize);
    let blocking = Blocking::fitting(&Shape::of(network), n_samples.unwrap_or(usize::MAX), bytes, threads)?;
    let pays = moved_fused(network, blocking.block, is_step)
        < moved_apart(network, model.encoding.n_params() > 0, is_step);
    (budget.fused == Mode::Always || pays).then_some(blocking)
}

/// How a step of `n_samples` is computed in one kernel, where it is.
pub fn of_step(model: &Model, n_samples: usize, budget: &Budget) -> Option<Blocking> {
    choose(model, Some(n_samples), budget)
}

/// How predictions are computed in one kernel, where they are: the same in training and afterwards.
pub fn of_prediction(model: &Model, budget: &Budget) -> Option<Blocking> {
    choose(model, None, budget)
}
