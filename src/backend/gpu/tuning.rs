//! Which tiles multiply a layer fastest on a device: measured at first use, and kept for later runs.
//!
//! The choice changes no more than the last bits of a result. It is measured once a device, driver, precision,
//! layer and size of batch, and written to `tiles.json` in the folder of [`pipeline_cache::folder`], so that a run
//! that is repeated or resumed chooses the same; `run.json` has the kernels in use. Software drivers are not
//! tuned. The environment variable `AFTERIMAGE_TUNE` changes that: `never`, or `always`, software too.

use super::budget::Budget;
use super::device::{Gpu, is_software};
use super::kernel::Kernel;
use super::memory;
use super::ops::dense::{self, Layer};
use super::pipeline_cache;
use super::plan::{BufferDecl, BufferId, Dispatch, Plan, Role};
use super::profile::fastest;
use super::session::Session;
use super::variants::{Choice, Operation, Precision, Product, Storage, Variants};
use super::verify;
use crate::atomic_write::{Durability, atomic_write};
use crate::backend::{BackendError, Job};
use crate::model::network::LayerRange;
use crate::model::{Activation, LayerShape};
use crate::read_file::{open_regular, read_at_most};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Most samples that products are timed with.
const MAX_SAMPLES: usize = 1 << 15;

/// How long a submission of repeats runs at least, so that submitting does not count.
const LONG_ENOUGH: Duration = Duration::from_millis(4);

/// Candidates that compute more than this many times what is wanted are not worth a try.
const MAX_WASTE: f64 = 8.0;

/// A larger file is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// When tiles are timed.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Auto,
    Always,
    Never,
}

/// The environment variable that says so.
const VARIABLE: &str = "AFTERIMAGE_TUNE";

static MODE: LazyLock<Result<Mode, String>> =
    LazyLock::new(|| match std::env::var(VARIABLE).as_deref().unwrap_or("auto") {
        "auto" | "" => Ok(Mode::Auto),
        "always" => Ok(Mode::Always),
        "never" => Ok(Mode::Never),
        text => Err(format!("{VARIABLE} is '{text}'; give auto, always or never")),
    });

/// Whether the variable can be understood.
///
/// # Errors
/// When it cannot.
pub(super) fn check() -> Result<(), BackendError> {
    MODE.as_ref().map(|_| ()).map_err(|reason| BackendError::Environment(reason.clone()))
}

/// What was measured under which circumstances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Measured {
    /// Adapter, API and driver.
    device: String,
    storage: Storage,
    /// Samples of a step, as a power of two.
    n_samples: usize,
    choices: Vec<Choice>,
}

/// The file: of this program's version, since kernels change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    version: String,
    measured: Vec<Measured>,
}

/// How `gpu` computes `job` when asked for `precision`: with the fastest product for each layer, of those
/// that are sound.
///
/// # Errors
/// When the device cannot do what is asked, or fails.
pub fn variants(
    gpu: &Arc<Gpu>,
    job: &Job,
    budget: Budget,
    precision: Precision,
) -> Result<Variants, BackendError> {
    let variants = Variants::choose(gpu, precision)?;
    // A fused network moves nothing between its layers that 16 bits would make smaller, and has no tiles to time.
    if precision == Precision::Auto && memory::fused_step(job, budget, Storage::F32).is_some() {
        return Ok(Variants::default());
    }
    if memory::fused_step(job, budget, variants.storage).is_some() {
        return Ok(variants);
    }
    let variants = sound(gpu, job.model.network.activation, variants)?;
    let wanted = match *MODE {
        Ok(Mode::Never) => false,
        Ok(Mode::Always) => true,
        _ => !is_software(&gpu.info),
    };
    if !wanted {
        return Ok(variants);
    }
    let file = pipeline_cache::folder().map(|folder| folder.join("tiles.json"));
    let mut kept = file.as_deref().and_then(read).unwrap_or_default();
    let network = &job.model.network;
    let widest = network.layers().map(|l| l.input_width.max(l.output_width)).max().unwrap_or(1);
    let fitting = (budget.max_binding_bytes / (4 * widest as u64)).max(1) as usize;
    let n_samples = (job.batch_size as usize).next_power_of_two().min(MAX_SAMPLES).min(fitting);
    let tuned = match kept.complete(gpu, job, (budget, n_samples), &variants) {
        // Not worth a run that would do without.
        Err(error @ (BackendError::DoesNotFit(_) | BackendError::Device(_))) => {
            log::warn!("tiles are not timed: {error}");
            return Ok(variants);
        }
        tuned => tuned?,
    };
    if let (true, Some(file)) = (tuned.is_new, file) {
        // A run goes on without, so a failure is only logged.
        let _ = write(&file, &kept).inspect_err(|e| log::debug!("{}: {e}", file.display()));
    }
    Ok(Variants { tuned: tuned.choices.into(), ..variants })
}

/// `variants` without cooperative matrices where they compute wrong results on `gpu`.
fn sound(gpu: &Arc<Gpu>, activation: Activation, variants: Variants) -> Result<Variants, BackendError> {
    if variants.product.matrix_size().is_some() {
        let kernels = [&dense::FORWARD, &dense::BACKWARD_INPUT, &dense::BACKWARD_WEIGHTS].map(|def| {
            Kernel::with_activation(def, activation).stored_as(variants.storage).tiled(variants.product)
        });
        if !is_sound(gpu, &kernels)? {
            return Ok(Variants { product: Product::default(), ..variants });
        }
    }
    Ok(variants)
}

fn is_sound(gpu: &Arc<Gpu>, kernels: &[Kernel]) -> Result<bool, BackendError> {
    match verify::self_test(gpu, &kernels.iter().collect::<Vec<_>>()) {
        Err(error @ (BackendError::WrongResults { .. } | BackendError::Device(_))) => {
            log::warn!("not used: {error}");
            Ok(false)
        }
        tested => tested.map(|()| true),
    }
}

/// The products that `gpu` has for values stored in this way. Matrices multiply what is stored as f16.
pub(super) fn possible(gpu: &Gpu, storage: Storage) -> impl Iterator<Item = Product> + '_ {
    let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
    let is_possible = move |product: &Product| match (storage, product.matrix_size()) {
        (Storage::F32, matrices) => matrices.is_none(),
        (Storage::F16, None) => has_f16,
        (Storage::F16, Some(size)) => gpu.has_matrices(size),
    };
    Product::ALL.into_iter().filter(is_possible)
}

/// The choices for a job.
struct Tuned {
    choices: Vec<Choice>,
    /// Whether any was measured just now.
    is_new: bool,
}

impl Kept {
    /// The choices for every layer of `job`; measures those that are missing.
    fn complete(
        &mut self,
        gpu: &Arc<Gpu>,
        job: &Job,
        (budget, n_samples): (Budget, usize),
        variants: &Variants,
    ) -> Result<Tuned, BackendError> {
        let version = env!("CARGO_PKG_VERSION");
        if self.version != version {
            *self = Self { version: version.to_owned(), measured: Vec::new() };
        }
        let device = format!("{}, {}, {}", gpu.info.name, gpu.info.backend, gpu.driver());
        let is_same = |m: &Measured| {
            (m.device.as_str(), m.storage, m.n_samples) == (&device, variants.storage, n_samples)
        };
        let index = self.measured.iter().position(is_same).unwrap_or_else(|| {
            let storage = variants.storage;
            self.measured.push(Measured { device: device.clone(), storage, n_samples, choices: Vec::new() });
            self.measured.len() - 1
        });
        let known = &mut self.measured[index].choices;
        let (mut choices, mut is_new) = (Vec::new(), false);
        for (layer, shape) in job.model.network.layers().enumerate() {
            for operation in Operation::ALL {
                let of_layer = |c: &&Choice| {
                    (c.operation, c.input_width, c.output_width)
                        == (operation, shape.input_width, shape.output_width)
                };
                let is_usable =
                    |c: &&Choice| of_layer(c) && possible(gpu, variants.storage).any(|p| p == c.product);
                let choice = match known.iter().find(is_usable) {
                    Some(choice) => *choice,
                    None => {
                        let activation = job.model.network.activation_before(layer);
                        let timing = Timing { gpu, budget, variants, activation, n_samples };
                        let choice = timing.choose(operation, shape)?;
                        known.retain(|c| !of_layer(&c));
                        known.push(choice);
                        is_new = true;
                        choice
                    }
                };
                choices.push(choice);
            }
        }
        Ok(Tuned { choices, is_new })
    }
}

/// What products are timed with.
struct Timing<'a> {
    gpu: &'a Arc<Gpu>,
    budget: Budget,
    variants: &'a Variants,
    activation: Activation,
    n_samples: usize,
}

impl Timing<'_> {
    fn choose(&self, operation: Operation, shape: LayerShape) -> Result<Choice, BackendError> {
        let results = operation.results(shape, self.n_samples);
        let mut best = (f64::INFINITY, self.variants.product(operation, shape, self.n_samples));
        for product in possible(self.gpu, self.variants.storage) {
            if product.waste(results) > MAX_WASTE {
                continue;
            }
            let dispatch = self.dispatch(operation, shape, product);
            if !is_sound(self.gpu, std::slice::from_ref(&dispatch.kernel))? {
                continue;
            }
            let seconds = self.seconds(dispatch, shape)?;
            log::debug!("{operation:?} of {shape:?} by {product:?}: {:.1} us", 1e6 * seconds);
            if seconds < best.0 {
                best = (seconds, product);
            }
        }
        let LayerShape { input_width, output_width } = shape;
        Ok(Choice { operation, input_width, output_width, product: best.1 })
    }

    fn dispatch(&self, operation: Operation, shape: LayerShape, product: Product) -> Dispatch {
        let range = LayerRange::alone(shape);
        let variants = Variants::only(self.variants.storage, product, std::iter::once(shape));
        let layer = Layer {
            range: &range,
            activation_before: self.activation,
            n_samples: self.n_samples,
            variants: &variants,
            max_groups: self.budget.max_groups,
        };
        let [params, inputs, outputs, partials] = [0, 1, 2, 3].map(BufferId);
        let mut dispatch = match operation {
            Operation::Forward => layer.forward(params, inputs, outputs),
            Operation::BackwardInput => layer.backward_input(params, outputs, inputs),
            Operation::BackwardWeights => {
                let slices = dense::slices(shape, self.n_samples, self.budget.partials_bytes());
                layer.backward_weights(slices, [outputs, inputs, partials])
            }
        };
        dispatch.kernel = dispatch.kernel.stored_as(self.variants.storage);
        dispatch
    }

    /// Seconds of one dispatch. Its buffers hold zeros, for all candidates alike.
    fn seconds(&self, dispatch: Dispatch, shape: LayerShape) -> Result<f64, BackendError> {
        let n_partials = dense::max_slices(shape, self.n_samples, self.budget.partials_bytes());
        let decl = |name: &str, shape: [usize; 2]| BufferDecl {
            name: name.to_owned(),
            shape: shape.into(),
            role: Role::Scratch,
        };
        let decls = vec![
            decl("params", [1, shape.n_params()]),
            decl("inputs", [self.n_samples, shape.input_width]),
            decl("outputs", [self.n_samples, shape.output_width]),
            decl("partials", [n_partials, shape.n_params()]),
        ];
        let mut session = Session::new(Arc::clone(self.gpu), decls)?;
        let plan = session.prepare(&Plan { dispatches: vec![dispatch] })?;
        fastest(self.gpu, (LONG_ENOUGH, 0.0), |encoder, n| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            (0..n).for_each(|_| plan.encode(0, 0, &session.step_group(), &mut pass));
        })
    }
}

fn read(path: &Path) -> Option<Kept> {
    let bytes = open_regular(path).and_then(|(file, _)| read_at_most(file, MAX_BYTES)).ok().flatten()?;
    serde_json::from_slice(&bytes).inspect_err(|e| log::debug!("{}: {e}", path.display())).ok()
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_write(path, Durability::Cached, |out| {
        serde_json::to_writer_pretty(out, kept).map_err(io::Error::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_read_again_and_a_damaged_file_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/tiles.json");
        let choice = Choice {
            operation: Operation::BackwardWeights,
            input_width: 256,
            output_width: 3,
            product: Product::TileWide,
        };
        let measured = Measured {
            device: "a GPU".into(),
            storage: Storage::F16,
            n_samples: 1024,
            choices: vec![choice],
        };
        let kept = Kept { version: "1".into(), measured: vec![measured] };
        write(&path, &kept).unwrap();
        assert_eq!(read(&path), Some(kept));
        std::fs::write(&path, "{\"version\": 3").unwrap();
        assert_eq!(read(&path), None);
        assert_eq!(read(folder.path()), None, "a folder");
    }
}
