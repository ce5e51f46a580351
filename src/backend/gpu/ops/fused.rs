//! The network in one kernel: a workgroup takes a block of samples through encoding, layers, loss and backward pass,
//! and keeps intermediate values in workgroup memory.

use crate::backend::gpu::kernel::{
    Binding, FusedBlock, Kernel, KernelDef, MatmulTiling, Source, Specialization, Storage, params_block,
    read, wgsl, write,
};
use crate::backend::gpu::ops::sample::{ALL, ORDER_OF_STEP, PictureParams, SHUFFLE, STORED_VALUE};
use crate::model::encoding::{self, Formula, formulas};
use crate::model::{Activation, Encoding, Loss, Model, Pointwise};

mod blocking;
mod bounds;
mod cases;
mod choice;
mod matrices;
mod record;
mod reference;

pub use blocking::Blocking;
pub(crate) use choice::{of_prediction, of_step, with_other_blocks};
pub(crate) use record::{Fetched, Groups};
pub(crate) use record::{predict, step, sums};

params_block! {
    /// Parameters of all kernels; those of the loss and of samples are 0 in a prediction.
    FusedParams {
        grid_width: u32,
        /// Workgroups with work.
        n_groups: u32,
        n_samples: u32,
        /// Blocks of samples per workgroup.
        blocks_per_group: u32,
        /// Features.
        input_width: u32,
        hidden_width: u32,
        /// Channels.
        output_width: u32,
        n_layers: u32,
        /// First parameter of the network.
        first_weight: u32,
        n_params: u32,
        /// Rows of a hidden layer in workgroup memory.
        hidden_rows: u32,
        feature_row: u32,
        /// Features at a time.
        feature_rows: u32,
        /// First row of f(z).
        value_row: u32,
        /// Whether features are kept for the backward pass.
        features_kept: u32,
        /// Of the encoding: frequencies, levels, or a formula's n.
        n_units: u32,
        /// F
        n_features: u32,
        smoothstep: u32,
        /// One over the values of the whole step.
        scale: f32,
        /// S: gradients are stored S times as large.
        gradient_scale: f32,
        /// Where the step fetches its samples.
        picture: PictureParams,
        channel_weights: [f32; 4],
    }
}

const NETWORK: Source = wgsl!("fused/network.wgsl");
const CELLS: Source = wgsl!("fused/cells.wgsl");
const EACH_FEATURE: Source = wgsl!("fused/each_feature.wgsl");
const FORMULA: Source = wgsl!("fused/formula.wgsl");
const FORWARD: Source = wgsl!("fused/forward.wgsl");
const PRODUCT: Source = wgsl!("fused/product.wgsl");
const BACKWARD: Source = wgsl!("fused/backward.wgsl");
const BACKWARD_INPUT: Source = wgsl!("fused/backward_input.wgsl");
const LAYERS: Source = wgsl!("fused/backward_layers.wgsl");
const MATRICES: Source = wgsl!("fused/matrices.wgsl");
const MATRIX_LAYERS: Source = wgsl!("fused/matrices_layers.wgsl");
const MATRIX_GRADIENTS: Source = wgsl!("fused/matrices_gradients.wgsl");
const NO_GRADIENTS: Source = wgsl!("fused/no_encoding_gradients.wgsl");
const POSITIONS: Source = wgsl!("fused/positions.wgsl");
const SAMPLES: Source = wgsl!("fused/samples.wgsl");
const SAMPLES_OF_PICTURE: Source = wgsl!("fused/samples_of_picture.wgsl");
const REDUCE: Source = wgsl!("reduce.wgsl");
const STEP: Source = wgsl!("fused/step.wgsl");
const PREDICT: Source = wgsl!("fused/predict.wgsl");

const GRID_BINDINGS: &[Binding] = &[
    read("weights"),
    read("constants"),
    read("coords"),
    read("targets"),
    read("sample_weights"),
    write("partials"),
    write("loss_partials"),
    write("sums"),
];
const STEP_BINDINGS: &[Binding] = GRID_BINDINGS.split_at(7).0;
const GRID_OF_PICTURE_BINDINGS: &[Binding] = &[
    read("weights"),
    read("constants"),
    read("picture_0"),
    read("picture_1"),
    read("picture_2"),
    write("partials"),
    write("loss_partials"),
    write("sums"),
];
const OF_PICTURE_BINDINGS: &[Binding] = GRID_OF_PICTURE_BINDINGS.split_at(7).0;
const PREDICT_BINDINGS: &[Binding] = &[read("weights"), read("constants"), read("coords"), write("colours")];

/// The bindings of a picture that a step fetches samples from.
pub(crate) const PARTS: usize = 3;

/// The definitions of a step's kernel: `$parts` are those of the encoding, `$gradients` those of its gradients, `$samples`
/// those of the samples; `$of_call` rebuilds the encoding from a call and `$example` makes one with a number of units.
macro_rules! step {
    ($name:expr, [$($parts:expr),+], [$($gradients:expr),+], [$($samples:expr),+], $bindings:expr, $of_call:expr, $example:expr) => {
        KernelDef {
            name: $name,
            parts: &[
                NETWORK, $($samples,)+ $($parts,)+ CELLS, FORWARD, PRODUCT, BACKWARD, BACKWARD_INPUT, LAYERS,
                $($gradients,)+ REDUCE, STEP,
            ],
            parts_with_matrices: &[
                NETWORK, $($samples,)+ $($parts,)+ MATRICES, FORWARD, MATRIX_LAYERS, MATRIX_GRADIENTS, LAYERS,
                $($gradients,)+ REDUCE, STEP,
            ],
            specialization: Specialization::Network { loss: true },
            bindings: $bindings,
            // Only a grid's kernels bind such sums.
            adds_fixed_point: $bindings.len() == GRID_BINDINGS.len(),
            ..KernelDef::plain::<FusedParams>(|call| reference::step(call, $of_call), |kernel| cases::step(kernel, $example))
        }
    };
}

/// An encoding's kernels.
struct Definitions {
    /// A step of samples that another kernel has fetched.
    step: KernelDef,
    /// A step that fetches its samples from the picture.
    step_of_picture: KernelDef,
    predict: KernelDef,
}

macro_rules! fused {
    ($name:expr, $parts:tt, $gradients:tt, [$bindings:ident, $of_picture:ident], $of_call:expr, $example:expr) => {
        Definitions {
            step: step!(
                concat!("fused_step_", $name),
                $parts,
                $gradients,
                [POSITIONS, SAMPLES],
                $bindings,
                $of_call,
                $example
            ),
            step_of_picture: KernelDef {
                uses_step: true,
                ..step!(
                    concat!("fused_step_of_picture_", $name),
                    $parts,
                    $gradients,
                    [ORDER_OF_STEP, SHUFFLE, ALL, STORED_VALUE, SAMPLES_OF_PICTURE],
                    $of_picture,
                    $of_call,
                    $example
                )
            },
            predict: prediction!(concat!("fused_predict_", $name), $parts, $of_call, $example),
        }
    };
}

macro_rules! prediction {
    ($name:expr, [$($parts:expr),+], $of_call:expr, $example:expr) => {
        KernelDef {
            name: $name,
            parts: &[NETWORK, POSITIONS, $($parts,)+ CELLS, FORWARD, PRODUCT, PREDICT],
            specialization: Specialization::Network { loss: false },
            bindings: PREDICT_BINDINGS,
            ..KernelDef::plain::<FusedParams>(
                |call| reference::predict(call, $of_call),
                |kernel| cases::predict(kernel, $example),
            )
        }
    };
}

static FOURIER: Definitions = fused!(
    "fourier",
    [wgsl!("fused/fourier.wgsl"), EACH_FEATURE],
    [NO_GRADIENTS],
    [STEP_BINDINGS, OF_PICTURE_BINDINGS],
    reference::fourier,
    cases::example_fourier
);
static GRID: Definitions = fused!(
    "grid",
    [wgsl!("grid.wgsl"), wgsl!("grid_table.wgsl"), wgsl!("fused/grid.wgsl")],
    [wgsl!("fused/grid_sums.wgsl"), wgsl!("fused/grid_gradients.wgsl")],
    [GRID_BINDINGS, GRID_OF_PICTURE_BINDINGS],
    reference::grid,
    cases::example_grid
);

macro_rules! of_formulas {
    ($($formula:ident $module:ident)+) => {
        static FORMULAS: &[Definitions] = &[$(fused!(
            stringify!($module),
            [wgsl!("encoding", $module), FORMULA, EACH_FEATURE],
            [NO_GRADIENTS],
            [STEP_BINDINGS, OF_PICTURE_BINDINGS],
            |_, p| Encoding::Pointwise(Pointwise::$formula(encoding::$formula::with_units(p.n_units as usize))),
            |n_units| Encoding::Pointwise(Pointwise::$formula(tried(n_units)))
        )),+];
    };
}
formulas!(of_formulas);

/// A formula for test kernels.
fn tried<F: Formula>(n_units: usize) -> F {
    F::with_units(n_units.min(F::with_units(1).max_tried()))
}

/// The kernels of every encoding that has them.
pub(crate) fn all() -> impl Iterator<Item = &'static KernelDef> {
    let all = [&FOURIER, &GRID].into_iter().chain(FORMULAS);
    all.flat_map(|Definitions { step, step_of_picture, predict }| [step, step_of_picture, predict])
}

/// Those of `encoding`, if it has some.
fn definitions(encoding: &Encoding) -> Option<&'static Definitions> {
    match encoding {
        Encoding::Fourier { .. } => Some(&FOURIER),
        Encoding::Grid(_) => Some(&GRID),
        Encoding::Pointwise(pointwise) => {
            let stem = |of: &Definitions| of.step.name.strip_prefix("fused_step_");
            FORMULAS.iter().find(|of| stem(of) == Some(pointwise.stem()))
        }
        Encoding::TrainedFourier { .. } | Encoding::Composite(_) => None,
    }
}

/// Examples of the many kernels that `def` makes, compared by the tests and `afterimage verify`. A run's own are
/// compared when it starts.
pub(crate) fn examples(def: &'static KernelDef) -> Vec<Kernel> {
    // Every device has at least this.
    let bytes = wgpu::Limits::default().max_compute_workgroup_storage_size as usize;
    examples_of(def, 64, FusedBlock { samples: 16, threads: 256 }, bytes)
}

/// The same for hidden layers of up to `width` units and such blocks in `bytes` of workgroup memory, as far as they fit.
pub fn examples_of(def: &'static KernelDef, width: usize, block: FusedBlock, bytes: usize) -> Vec<Kernel> {
    let is_step = matches!(def.specialization, Specialization::Network { loss: true });
    let one = |(loss, activation, output): (Loss, Activation, Activation)| {
        let blocking = Blocking::filling((activation, Storage::F32), width, block, bytes)?;
        let parts = if loss == Loss::Mse { 1 } else { PARTS };
        let kernel =
            |rows| kernel(def, is_step.then_some(loss), [activation, output], (&blocking, parts, rows));
        Some(of_both_rows((def, loss), kernel))
    };
    let formulas = [
        (Loss::Mse, Activation::Relu, Activation::Sigmoid),
        (Loss::L1, Activation::Sine { w0: 30.0 }, Activation::Identity),
    ];
    formulas.into_iter().filter_map(one).flatten().collect()
}

/// Examples of a step by cooperative matrices: as much workgroup memory as any device that has some.
pub(crate) fn examples_with_matrices(def: &'static KernelDef) -> Vec<Kernel> {
    let tilings = [MatmulTiling::Matrix8, MatmulTiling::Matrix16];
    tilings.into_iter().flat_map(|tiling| examples_of_matrices(def, tiling, 32, 32 << 10)).collect()
}

/// The same for blocks of `block` samples in `bytes` of workgroup memory. Some of a wide layer's gradients are kept in
/// registers, and some are not.
pub fn examples_of_matrices(
    def: &'static KernelDef,
    tiling: MatmulTiling,
    block: usize,
    bytes: usize,
) -> Vec<Kernel> {
    let one = |(loss, activation, output): (Loss, Activation, Activation)| {
        let blocking = Blocking::filling_with_matrices((activation, tiling), 5, block, bytes)?;
        let kernel = |rows| kernel(def, Some(loss), [activation, output], (&blocking, 1, rows));
        Some(of_both_rows((def, loss), kernel))
    };
    // The errors of f16 make no bound for a steep sine.
    let formulas = [
        (Loss::Mse, Activation::Relu, Activation::Sigmoid),
        (Loss::L1, Activation::Tanh, Activation::Identity),
    ];
    formulas.into_iter().filter_map(one).flatten().collect()
}

/// Examples with rows of both kinds for grids, which are the default; for other encodings with rows of fours under one
/// loss, if they have such rows, and with any under the other.
fn of_both_rows((def, loss): (&KernelDef, Loss), kernel: impl Fn(WeightRows) -> Kernel) -> Vec<Kernel> {
    let all: &[WeightRows] = match loss {
        Loss::Mse if def.name.ends_with("_grid") => &[WeightRows::OfFours, WeightRows::Any],
        Loss::Mse => &[WeightRows::OfFours],
        _ => &[WeightRows::Any],
    };
    let or_any =
        |of_fours: Kernel| if of_fours.cases().is_empty() { kernel(WeightRows::Any) } else { of_fours };
    all.iter().map(|&rows| or_any(kernel(rows))).collect()
}

/// How weights lie in the rows of their matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WeightRows {
    /// Of any length.
    Any,
    /// Four weights of a row are always two whole pairs of the parameters.
    OfFours,
}

impl WeightRows {
    /// Name of the constant that says which.
    const SIZE: &str = "ROWS_OF_FOURS";

    fn of(model: &Model) -> Self {
        let are_of_fours = model.network.layers().all(|layer| layer.input_width.is_multiple_of(4));
        // A grid with one feature a level may have an odd number of entries.
        if are_of_fours && model.encoding.n_params().is_multiple_of(2) { Self::OfFours } else { Self::Any }
    }
}

/// The kernel for these sizes, parts of a picture if it reads one, and rows.
fn kernel(
    def: &'static KernelDef,
    loss: Option<Loss>,
    formulas: [Activation; 2],
    (blocking, parts, rows): (&Blocking, usize, WeightRows),
) -> Kernel {
    let mut sizes = blocking.constants();
    sizes.push((WeightRows::SIZE, (rows == WeightRows::OfFours).into()));
    sizes.extend(def.uses_step.then_some(("PICTURE_PARTS", parts as u32)));
    let kernel = Kernel::with_network(def, loss, formulas, sizes).stored_as(blocking.storage);
    match blocking.tiling() {
        Some(tiling) => kernel.with_matrices(tiling, blocking.bytes() as u32),
        None => kernel,
    }
}
