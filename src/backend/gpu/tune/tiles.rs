//! Finds the fastest tiling for each layer: the three products of each, one after the other.

use super::is_sound;
use super::noise;
use super::stopwatch::fastest;
use crate::backend::gpu::device::{Budget, Gpu};
use crate::backend::gpu::execute::resources::Resources;
use crate::backend::gpu::kernel::possible;
use crate::backend::gpu::kernel::{KernelConfig, MatmulTiling, Operation, Storage, TunedTile};
use crate::backend::gpu::ops::dense::{self, Layer};
use crate::backend::gpu::plan::{BufferDecl, BufferId, Dispatch, Plan};
use crate::backend::{BackendError, Job, Result};
use crate::model::network::LayerRange;
use crate::model::{Activation, LayerShape};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of samples for timing products.
const MAX_SAMPLES: usize = 1 << 15;

/// Minimum duration of a submission of repeats, so that its overhead does not count.
const MIN_SAMPLE_TIME: Duration = Duration::from_millis(4);

/// Candidates with more padding than this ratio are not timed.
const MAX_WASTE: f64 = 8.0;

/// Number of samples for timing the products of `job`: a power of two.
pub(super) fn n_samples(job: &Job, budget: Budget) -> usize {
    let widest = job.model.network.layers().map(|l| l.input_width.max(l.output_width)).max().unwrap_or(1);
    let fitting = (budget.max_binding_bytes / (4 * widest as u64)).max(1) as usize;
    (job.batch_size as usize).next_power_of_two().min(MAX_SAMPLES).min(fitting)
}

/// The fastest tiles for every layer of `job`: those in `known`, and the rest measured and added to it.
pub(super) async fn complete(
    gpu: &Arc<Gpu>,
    job: &Job,
    config: &KernelConfig,
    known: &mut Vec<TunedTile>,
) -> Result<Vec<TunedTile>> {
    let n_samples = n_samples(job, gpu.budget());
    let storage = config.storage;
    let is_usable = |c: &TunedTile, operation, shape| {
        c.is_of(operation, shape) && possible(gpu, storage).any(|p| p == c.tiling)
    };
    let layers = job.model.network.layers().enumerate();
    let all: Vec<_> =
        layers.flat_map(|(layer, shape)| Operation::ALL.map(|operation| (layer, operation, shape))).collect();
    let timing =
        |layer| Timing { gpu, storage, activation: job.model.network.activation_before(layer), n_samples };
    // All at once: one after the other, they would take seconds.
    let unknown = all
        .iter()
        .copied()
        .filter(|&(_, operation, shape)| !known.iter().any(|c| is_usable(c, operation, shape)));
    compile(gpu, unknown.flat_map(|(layer, operation, shape)| timing(layer).candidates(operation, shape)))
        .await?;
    let mut choices = Vec::new();
    for (layer, operation, shape) in all {
        let choice = match known.iter().find(|c| is_usable(c, operation, shape)) {
            Some(choice) => *choice,
            None => {
                let choice = timing(layer).choose((operation, shape), config).await?;
                known.retain(|c| !c.is_of(operation, shape));
                known.push(choice);
                choice
            }
        };
        choices.push(choice);
    }
    Ok(choices)
}

/// Compiles the kernels of `candidates`. What the driver does not compile is left for later, when it is told.
async fn compile(gpu: &Arc<Gpu>, candidates: impl Iterator<Item = Dispatch>) -> Result<()> {
    let plan = Plan { dispatches: candidates.collect() };
    match Resources::new(Arc::clone(gpu), Vec::new()).await?.compile_kernels(&plan).await {
        Err(BackendError::NotCompiled { .. }) => Ok(()),
        compiled => compiled,
    }
}

pub(super) struct Timing<'a> {
    pub(super) gpu: &'a Arc<Gpu>,
    pub(super) storage: Storage,
    /// The activation of the layer's input.
    pub(super) activation: Activation,
    pub(super) n_samples: usize,
}

impl Timing<'_> {
    /// The fastest that passes its self-test; that of `config` if none does.
    async fn choose(
        &self,
        (operation, shape): (Operation, LayerShape),
        config: &KernelConfig,
    ) -> Result<TunedTile> {
        let mut best = (f64::INFINITY, config.tiling(operation, shape, self.n_samples));
        for dispatch in self.candidates(operation, shape) {
            let tiling = dispatch.kernel.tiling;
            if !is_sound(self.gpu, std::slice::from_ref(&dispatch.kernel)).await? {
                continue;
            }
            let seconds = self.seconds(dispatch, shape, (MIN_SAMPLE_TIME, 0.0)).await?;
            log::debug!("{operation:?} of {shape:?} by {tiling:?}: {:.1} us", 1e6 * seconds);
            if seconds < best.0 {
                best = (seconds, tiling);
            }
        }
        let LayerShape { input_width, output_width } = shape;
        Ok(TunedTile { operation, input_width, output_width, tiling: best.1 })
    }

    /// The product in every tiling that wastes little.
    fn candidates(&self, operation: Operation, shape: LayerShape) -> Vec<Dispatch> {
        let results = operation.results(shape, self.n_samples);
        let fitting = possible(self.gpu, self.storage).filter(|t| t.padding_ratio(results) <= MAX_WASTE);
        fitting.map(|tiling| self.dispatch(operation, shape, tiling)).collect()
    }

    /// A plan of one of a layer's products, over the buffers of [`Timing::seconds`].
    pub(super) fn dispatch(&self, operation: Operation, shape: LayerShape, tiling: MatmulTiling) -> Dispatch {
        let n_weights = shape.input_width * shape.output_width;
        let range = LayerRange { shape, weight: 0..n_weights, bias: n_weights..shape.n_params() };
        let config = KernelConfig::only(self.storage, tiling, std::iter::once(shape));
        let layer = Layer {
            range: &range,
            activation_before: self.activation,
            n_samples: self.n_samples,
            config: &config,
            max_groups: self.gpu.budget().max_groups,
        };
        let [weights, biases, inputs, outputs, partials] = [0, 1, 2, 3, 4].map(BufferId);
        let mut dispatch = match operation {
            Operation::Forward => layer.forward([weights, biases, inputs, outputs]),
            Operation::BackwardInput => layer.backward_input([weights, outputs, inputs]),
            Operation::BackwardWeights => {
                let slices = layer.slices(self.gpu.budget().partials_bytes());
                layer.backward_weights(slices, [outputs, inputs, partials])
            }
        };
        dispatch.kernel = dispatch.kernel.stored_as(self.storage);
        dispatch
    }

    /// Seconds of one dispatch; see [`fastest`] for `how_long`. Its operands are the same noise for all candidates.
    pub(super) async fn seconds(
        &self,
        dispatch: Dispatch,
        shape: LayerShape,
        how_long: (Duration, f64),
    ) -> Result<f64> {
        let n_partials = dense::max_slices(shape, self.n_samples, self.gpu.budget().partials_bytes());
        let decl = |name, shape: [usize; 2]| BufferDecl::new(name, &shape);
        let decls = vec![
            decl("weights", [1, shape.n_params()]),
            decl("biases", [1, shape.n_params()]),
            decl("inputs", [self.n_samples, shape.input_width]),
            decl("outputs", [self.n_samples, shape.output_width]),
            decl("partials", [n_partials, shape.n_params()]),
        ];
        let mut resources = Resources::new(Arc::clone(self.gpu), decls).await?;
        let operands = [self.storage, Storage::F32, self.storage, self.storage];
        noise::fill(self.gpu, &resources, (0..).map(BufferId).zip(operands)).await?;
        let plan = resources.prepare(&Plan { dispatches: vec![dispatch] }).await?;
        fastest(self.gpu, how_long, |encoder, n| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            (0..n).for_each(|_| plan.encode(0, 0, &resources, &mut pass));
        })
        .await
    }
}
