//! The network in one kernel: a workgroup takes a block of samples through encoding, layers, loss and back, and
//! keeps what lies between in workgroup memory.

use crate::backend::Job;
use crate::backend::gpu::kernel::{
    Binding, Composes, Kernel, KernelDef, Source, params_block, read, wgsl, write,
};
use crate::backend::gpu::memory::Budget;
use crate::backend::gpu::plan::{BufferId, Dispatch, Grid};
use crate::model::encoding::Interpolation;
use crate::model::{Activation, Encoding, Loss, Model, PerAxis};

mod blocking;
mod bounds;
mod cases;
mod reference;

pub use blocking::{Blocking, Mode, check, of_prediction, of_step};
use reference::Kind;

params_block! {
    /// Parameters of both kernels; those of the loss are 0 in a prediction.
    FusedParams {
        /// Workgroups in x.
        grid_width: u32,
        /// Workgroups with work.
        n_groups: u32,
        /// n
        n_samples: u32,
        /// Blocks of samples that a workgroup takes.
        blocks_per_group: u32,
        /// Features.
        input_width: u32,
        /// Units of a hidden layer.
        hidden_width: u32,
        /// Channels.
        output_width: u32,
        /// Linear layers.
        n_layers: u32,
        /// First parameter of the network.
        first_weight: u32,
        /// Parameters of the network.
        n_params: u32,
        /// Rows of a hidden layer in workgroup memory.
        hidden_rows: u32,
        /// First row of the features.
        feature_row: u32,
        /// Features at a time.
        feature_rows: u32,
        /// First row of f(z).
        value_row: u32,
        /// Whether features outlast the forward pass.
        features_kept: u32,
        /// Of the encoding: frequencies, levels, or features of an axis.
        n_units: u32,
        /// F
        n_features: u32,
        /// Whether to interpolate smoothly.
        smoothstep: u32,
        /// One over the values of the whole step.
        scale: f32,
        /// 0
        reserved: u32,
        /// Of the loss.
        channel_weights: [f32; 4],
    }
}

const STORED: Source = wgsl!("fused/stored.wgsl");
const CELLS: Source = wgsl!("fused/cells.wgsl");
const POINTWISE: Source = wgsl!("fused/pointwise.wgsl");
const PER_AXIS: Source = wgsl!("fused/per_axis.wgsl");
const PRODUCT: Source = wgsl!("fused/product.wgsl");
const BACKWARD: Source = wgsl!("fused/backward.wgsl");
const LAYERS: Source = wgsl!("fused/backward_layers.wgsl");
const NO_GRADIENTS: Source = wgsl!("fused/no_encoding_gradients.wgsl");
const STEP: Source = wgsl!("fused/step.wgsl");
const PREDICT: Source = wgsl!("fused/predict.wgsl");

const STEP_BINDINGS: &[Binding] = &[
    read("weights"),
    read("constants"),
    read("coords"),
    read("targets"),
    read("sample_weights"),
    write("partials"),
    write("loss_partials"),
];
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
const PREDICT_BINDINGS: &[Binding] = &[read("weights"), read("constants"), read("coords"), write("colours")];

/// The definitions of both kernels for an encoding: `$encoding` are its parts, `$gradients` those of its gradients.
macro_rules! fused {
    ($step:ident $predict:ident $kind:ident $name:literal
        [$($encoding:expr),+] [$($gradients:expr),+] $bindings:ident) => {
        /// Loss and gradients.
        pub static $step: KernelDef = KernelDef {
            name: concat!("fused_step_", $name),
            parts: &[STORED, CELLS, $($encoding,)+ PRODUCT, BACKWARD, LAYERS, $($gradients,)+ STEP],
            composes: Composes::Network { loss: true },
            uses_step: false,
            bindings: $bindings,
            params: FusedParams::BLOCK,
            needs: wgpu::Features::empty(),
            reference: |call| reference::step(call, Kind::$kind),
            cases: |kernel| cases::step(kernel, Kind::$kind),
        };
        /// Colours.
        pub static $predict: KernelDef = KernelDef {
            name: concat!("fused_predict_", $name),
            parts: &[STORED, CELLS, $($encoding,)+ PRODUCT, PREDICT],
            composes: Composes::Network { loss: false },
            uses_step: false,
            bindings: PREDICT_BINDINGS,
            params: FusedParams::BLOCK,
            needs: wgpu::Features::empty(),
            reference: |call| reference::predict(call, Kind::$kind),
            cases: |kernel| cases::predict(kernel, Kind::$kind),
        };
    };
}

fused!(STEP_IDENTITY PREDICT_IDENTITY Identity "identity"
    [wgsl!("fused/identity.wgsl"), POINTWISE] [NO_GRADIENTS] STEP_BINDINGS);
fused!(STEP_FOURIER PREDICT_FOURIER Fourier "fourier"
    [wgsl!("fused/fourier.wgsl"), POINTWISE] [NO_GRADIENTS] STEP_BINDINGS);
fused!(STEP_ONE_BLOB PREDICT_ONE_BLOB OneBlob "one_blob"
    [wgsl!("per_axis/one_blob.wgsl"), PER_AXIS, POINTWISE] [NO_GRADIENTS] STEP_BINDINGS);
fused!(STEP_TRIANGLE_WAVE PREDICT_TRIANGLE_WAVE TriangleWave "triangle_wave"
    [wgsl!("per_axis/triangle_wave.wgsl"), PER_AXIS, POINTWISE] [NO_GRADIENTS] STEP_BINDINGS);
fused!(STEP_GRID PREDICT_GRID Grid "grid"
    [wgsl!("grid.wgsl"), wgsl!("fused/grid.wgsl")]
    [wgsl!("fused/grid_sums.wgsl"), wgsl!("fixed_point.wgsl"), wgsl!("fused/grid_gradients.wgsl")] GRID_BINDINGS);

/// The step's definition and the prediction's, for encodings that there is one for.
fn definitions(encoding: &Encoding) -> Option<[&'static KernelDef; 2]> {
    match encoding {
        Encoding::Identity => Some([&STEP_IDENTITY, &PREDICT_IDENTITY]),
        Encoding::Fourier { .. } => Some([&STEP_FOURIER, &PREDICT_FOURIER]),
        Encoding::PerAxis(PerAxis::OneBlob { .. }) => Some([&STEP_ONE_BLOB, &PREDICT_ONE_BLOB]),
        Encoding::PerAxis(PerAxis::TriangleWave { .. }) => {
            Some([&STEP_TRIANGLE_WAVE, &PREDICT_TRIANGLE_WAVE])
        }
        Encoding::Grid(_) => Some([&STEP_GRID, &PREDICT_GRID]),
        Encoding::TrainedFourier { .. } | Encoding::Composite(_) => None,
    }
}

/// A few of the many kernels that `def` makes: those the tests and `afterimage verify` compare. A run's own are
/// compared when it starts.
pub fn examples(def: &'static KernelDef) -> Vec<Kernel> {
    // Any device has as much.
    let bytes = wgpu::Limits::default().max_compute_workgroup_storage_size as usize;
    examples_of(def, 64, 16, bytes)
}

/// The same for hidden layers of up to `width` units and blocks of `block` samples in `bytes` of workgroup memory; none
/// where they are not enough.
pub fn examples_of(def: &'static KernelDef, width: usize, block: usize, bytes: usize) -> Vec<Kernel> {
    let is_step = matches!(def.composes, Composes::Network { loss: true });
    let one = |(loss, activation, output): (Loss, Activation, Activation)| {
        let blocking = Blocking::roomy(activation, width, block, bytes)?;
        Some(Kernel::with_network(def, is_step.then_some(loss), [activation, output], blocking.constants()))
    };
    let formulas = [
        (Loss::Mse, Activation::Relu, Activation::Sigmoid),
        (Loss::L1, Activation::Sine { w0: 30.0 }, Activation::Identity),
    ];
    formulas.into_iter().filter_map(one).collect()
}

/// Workgroups wanted, to fill a GPU several times over.
const WANTED_GROUPS: usize = 512;

/// How `n_samples` are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Workgroups.
    pub count: usize,
    /// Blocks of samples of each; the last may have fewer.
    pub blocks: usize,
}

impl Groups {
    /// For blocks of `block` samples and at most `most` workgroups.
    fn new(n_samples: usize, block: usize, most: usize) -> Self {
        let n_blocks = n_samples.div_ceil(block);
        let blocks = n_blocks.div_ceil(most.clamp(1, n_blocks));
        Self { count: n_blocks.div_ceil(blocks), blocks }
    }

    /// Of a step.
    pub fn of_step(model: &Model, blocking: &Blocking, n_samples: usize, budget: &Budget) -> Self {
        Self::new(n_samples, blocking.block, Self::most(model, blocking, n_samples, budget))
    }

    /// Most workgroups of a step of up to `n_samples` samples: each has gradients of its own.
    pub fn most(model: &Model, blocking: &Blocking, n_samples: usize, budget: &Budget) -> usize {
        let fitting = budget.partials_bytes() / (4 * model.network.n_params() as u64);
        WANTED_GROUPS.min(fitting as usize).min(n_samples.div_ceil(blocking.block))
    }
}

/// Of `n_samples` samples in `groups`; what follows from the loss is 0.
fn params(model: &Model, blocking: &Blocking, n_samples: usize, groups: Groups, grid: Grid) -> FusedParams {
    let (network, encoding) = (&model.network, &model.encoding);
    let rows = &blocking.rows;
    let (n_units, n_features, smoothstep) = match encoding {
        Encoding::Fourier { frequencies } => (frequencies.len(), 0, false),
        Encoding::PerAxis(per_axis) => (per_axis.n_features(), 0, false),
        Encoding::Grid(grid) => {
            (grid.levels.len(), grid.features_per_level, grid.interpolation == Interpolation::Smoothstep)
        }
        Encoding::Identity | Encoding::TrainedFourier { .. } | Encoding::Composite(_) => (0, 0, false),
    };
    FusedParams {
        grid_width: grid.width,
        n_groups: groups.count as u32,
        n_samples: n_samples as u32,
        blocks_per_group: groups.blocks as u32,
        input_width: network.input_width as u32,
        hidden_width: network.hidden_width as u32,
        output_width: network.output_width as u32,
        n_layers: network.n_layers as u32,
        first_weight: encoding.n_params() as u32,
        n_params: network.n_params() as u32,
        hidden_rows: rows.hidden as u32,
        feature_row: rows.feature_row as u32,
        feature_rows: rows.features as u32,
        value_row: rows.value_row as u32,
        features_kept: rows.features_kept.into(),
        n_units: n_units as u32,
        n_features: n_features as u32,
        smoothstep: smoothstep.into(),
        ..FusedParams::default()
    }
}

/// Buffers of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepBuffers {
    /// Flat parameters.
    pub params: BufferId,
    /// Of the encoding, if it has any.
    pub constants: Option<BufferId>,
    /// (n, 2)
    pub coords: BufferId,
    /// (n, channels)
    pub targets: BufferId,
    /// (n)
    pub sample_weights: BufferId,
    /// (groups, parameters of the network)
    pub partials: BufferId,
    /// (groups)
    pub loss_partials: BufferId,
    /// Of a grid.
    pub sums: Option<BufferId>,
}

/// The loss and the gradients of `n_samples` of the `n_step` samples of a step.
pub fn step(
    job: &Job,
    blocking: &Blocking,
    (n_samples, n_step): (usize, usize),
    b: StepBuffers,
    budget: &Budget,
) -> Dispatch {
    let (model, network) = (&job.model, &job.model.network);
    let [def, _] = definitions(&model.encoding).expect("chosen for an encoding that has one");
    let groups = Groups::of_step(model, blocking, n_samples, budget);
    let grid = Grid::fold(groups.count, budget.max_groups);
    let params = FusedParams {
        scale: (1.0 / (n_step * network.output_width) as f64) as f32,
        channel_weights: job.options.channel_weights,
        ..params(model, blocking, n_samples, groups, grid)
    };
    let formulas = [network.activation, network.output_activation];
    let kernel = Kernel::with_network(def, Some(job.loss), formulas, blocking.constants());
    // A kernel without constants does not read them.
    let constants = b.constants.unwrap_or(b.params);
    let mut buffers =
        vec![b.params, constants, b.coords, b.targets, b.sample_weights, b.partials, b.loss_partials];
    buffers.extend(b.sums);
    let flop = network.training_flop(n_samples) + 50.0 * (n_samples * network.input_width) as f64;
    Dispatch::new(kernel, &params, buffers, grid, flop)
}

/// Colours of `n_pixels` positions. Buffers: flat parameters, coords, colours.
pub fn predict(
    model: &Model,
    blocking: &Blocking,
    n_pixels: usize,
    constants: Option<BufferId>,
    [weights, coords, colours]: [BufferId; 3],
    max_groups: u32,
) -> Dispatch {
    let network = &model.network;
    let [_, def] = definitions(&model.encoding).expect("chosen for an encoding that has one");
    let groups = Groups::new(n_pixels, blocking.block, usize::MAX);
    let grid = Grid::fold(groups.count, max_groups);
    let params = params(model, blocking, n_pixels, groups, grid);
    let formulas = [network.activation, network.output_activation];
    let kernel = Kernel::with_network(def, None, formulas, blocking.constants());
    let buffers = vec![weights, constants.unwrap_or(weights), coords, colours];
    Dispatch::new(kernel, &params, buffers, grid, network.training_flop(n_pixels) / 3.0)
}
