//! The GPU backend: WGSL kernels through wgpu.
//!
//! [`device`] opens an adapter, [`memory`] sizes every buffer, [`plan`] records a step as data over
//! them, [`session`] makes the buffers and pipelines, [`executor`] submits steps. A [`kernel`] is
//! where WGSL meets Rust; [`verify`] compares kernels and whole plans with the CPU's f64.

pub mod budget;
pub mod device;
pub mod executor;
pub mod fault;
pub mod halves;
pub mod kernel;
pub mod memory;
pub mod mode;
pub mod ops;
pub mod params;
pub mod pipeline_cache;
pub mod plan;
pub mod predictor;
pub mod profile;
pub mod readback;
pub mod session;
pub mod stream;
pub mod tolerance;
pub mod tuning;
pub mod variants;
pub mod verify;

pub use budget::Budget;
pub use device::{AdapterChoice, DeviceOptions, Gpu};
pub use mode::Mode;
pub use predictor::GpuPredictor;
pub use variants::{Method, Precision, Variants};

use super::{Backend, BackendError, BackendInfo, Job, Predict};
use crate::model::{Encoding, GridGradients, Importance, Raster, Step, TrainingState};
use executor::{Executor, Task};
use fault::StepFault;
use kernel::{Kernel, StepParams};
use memory::{Layout, PicturePlace, TrainingBuffers};
use ops::{grid, sample};
use plan::{BufferId, Plan};
use predictor::Tiles;
use readback::{read_buffers, write_words};
use session::{Prepared, Session};
use std::sync::Arc;
use stream::Stream;

/// Trains one job on a GPU. Everything it changes stays on the device until [`Backend::state`].
#[derive(Debug)]
pub struct GpuBackend {
    job: Job,
    session: Session,
    layout: Layout,
    buffers: TrainingBuffers,
    /// Plans by the number of samples: a full step, and the last one of an epoch.
    plans: Vec<(u32, Plan, Prepared)>,
    executor: Executor,
    /// Where the picture stays on the host.
    stream: Option<Stream>,
    tiles: Tiles,
    info: BackendInfo,
    steps_done: u64,
    /// How samples are spread in the steps enqueued last.
    importance: Option<Arc<Importance>>,
}

impl GpuBackend {
    /// Puts `job` and `state` on the device.
    ///
    /// # Errors
    /// When the job does not fit, the state is of another shape, or the device fails.
    pub fn new(gpu: Arc<Gpu>, job: Job, state: &TrainingState) -> Result<Self, BackendError> {
        let budget = Budget::of(&gpu.limits);
        Self::with(gpu, job, state, (budget, Variants::default()))
    }

    /// As [`GpuBackend::new`], within a budget smaller than the device's limits or computing in another way.
    ///
    /// # Errors
    /// As [`GpuBackend::new`].
    pub fn with(
        gpu: Arc<Gpu>,
        job: Job,
        state: &TrainingState,
        (budget, variants): (Budget, Variants),
    ) -> Result<Self, BackendError> {
        check_features(&gpu, &job)?;
        let (layout, buffers) = Layout::training(&job, budget, variants)?;
        let session = Session::new(Arc::clone(&gpu), layout.buffers.clone())?;
        let executor = Executor::new(&session, buffers.ring)?;
        predictor::write_constants(&session, &job.model, &layout)?;
        let stream = match &buffers.picture {
            PicturePlace::Host(ring) => Some(Stream::new(&job, ring)),
            PicturePlace::Device { .. } => None,
        };
        let mut backend = Self {
            info: BackendInfo {
                backend: "gpu".to_owned(),
                device: gpu.info.name.clone(),
                api: gpu.info.backend.to_string(),
                driver: gpu.driver(),
                chunk_size: layout.chunk as u32,
                streams_picture: stream.is_some(),
                method: Some(Method {
                    device: gpu.identity(),
                    variants: Variants {
                        fused: Some(layout.fused_step.is_some()),
                        ..layout.variants.clone()
                    },
                }),
                bytes: layout.buffers.iter().map(plan::BufferDecl::size_bytes).sum(),
                ..BackendInfo::default()
            },
            job,
            session,
            layout,
            buffers,
            plans: Vec::new(),
            executor,
            stream,
            tiles: Tiles::default(),
            steps_done: 0,
            importance: None,
        };
        backend.upload_picture()?;
        backend.set_state(state)?;
        let n_samples = backend.job.samples.len();
        backend.prepare(backend.job.batch_size)?;
        let rest = n_samples % backend.job.batch_size;
        if rest != 0 {
            backend.prepare(rest)?;
        }
        backend.info.kernels = backend.session.kernel_names();
        backend.info.pipeline_seconds = backend.session.compiling().as_secs_f64();
        Ok(backend)
    }

    /// Compares one quick case of every kernel that this job uses with the CPU's f64, and from now on of
    /// those that rasters of other sizes need.
    ///
    /// # Errors
    /// [`BackendError::WrongResults`] names a kernel that fails.
    pub fn self_test(&mut self) -> Result<(), BackendError> {
        // The sizes that the picture is computed in: they decide which kernels are used.
        let (n_pixels, tile) = (self.job.picture.n_pixels() as usize, self.layout.tile);
        let sizes = [tile.min(n_pixels), n_pixels % tile].into_iter().filter(|&n| n > 0);
        let predictions: Vec<_> = sizes.map(|n| plan::prediction(&self.job.model, &self.layout, n)).collect();
        let plans = self.plans.iter().map(|(_, plan, _)| plan).chain(&predictions);
        let used = plans.flat_map(|plan| &plan.dispatches).map(|dispatch| &dispatch.kernel);
        self.tiles.tests_first = true;
        verify::self_test(&self.session.gpu, used)
    }

    fn upload_picture(&self) -> Result<(), BackendError> {
        let &PicturePlace::Device { parts, words_per_part: per_part, choice } = &self.buffers.picture else {
            return Ok(());
        };
        if let (Some(mask), Some(id)) = (&self.job.options.mask, choice) {
            write_words(&self.session.gpu, self.session.buffer(id), 0, mask.pixels())?;
        }
        let picture = &self.job.picture;
        let per_pixel = sample::words_per_pixel(picture);
        let n_pixels = picture.n_pixels() as usize;
        // Pixels of about 16 MiB at a time, each piece cut where a binding ends.
        let per_piece = ((4 << 20) / per_pixel).max(1);
        for first in (0..n_pixels).step_by(per_piece) {
            let words = sample::pack(picture, first..(first + per_piece).min(n_pixels));
            let (mut at, mut rest) = (first * per_pixel, words.as_slice());
            while !rest.is_empty() {
                let (part, within) = (at / per_part, at % per_part);
                let (now, later) = rest.split_at(rest.len().min(per_part - within));
                let buffer = self.session.buffer(parts[part]);
                write_words(&self.session.gpu, buffer, within as u64, now)?;
                at += now.len();
                rest = later;
            }
        }
        Ok(())
    }

    /// Records and prepares the plan of a step of `n_samples` samples unless it is there.
    fn prepare(&mut self, n_samples: u32) -> Result<usize, BackendError> {
        if let Some(index) = self.plans.iter().position(|(n, ..)| *n == n_samples) {
            return Ok(index);
        }
        let plan = plan::training_step(&self.job, &self.layout, &self.buffers, n_samples as usize);
        let prepared = self.session.prepare(&plan)?;
        self.plans.push((n_samples, plan, prepared));
        Ok(self.plans.len() - 1)
    }

    /// Spreads samples as `step` says from what is submitted next on.
    fn spread(&mut self, step: &Step) -> Result<(), BackendError> {
        let PicturePlace::Device { choice, .. } = self.buffers.picture else { return Ok(()) };
        if let (Some(new), Some(id), None) = (&step.importance, choice, &self.job.options.mask)
            && self.importance != step.importance
        {
            write_words(&self.session.gpu, self.session.buffer(id), 0, new.starts())?;
            self.importance.clone_from(&step.importance);
        }
        Ok(())
    }

    /// Runs `steps`, whose samples are spread alike.
    fn run(&mut self, steps: &[Step]) -> Result<(), BackendError> {
        if let Some(first) = steps.first() {
            self.spread(first)?;
        }
        let plan = |step: &Step| {
            let known = self.plans.iter().find(|(n, ..)| *n == step.n_samples);
            &known.expect("prepared before").2
        };
        let tasks: Vec<_> = steps
            .iter()
            .map(|step| Task { params: step_params(&self.job, step), step, plan: plan(step) })
            .collect();
        self.executor.run(&self.session, self.stream.as_mut(), &tasks)
    }

    fn flat_buffers(&self) -> Vec<BufferId> {
        let b = &self.buffers;
        let kept = b.moments.iter().chain(&b.average).copied();
        [self.layout.forward.params].into_iter().chain(kept).collect()
    }
}

/// Refuses a job with kernels that the device cannot run.
fn check_features(gpu: &Gpu, job: &Job) -> Result<(), BackendError> {
    let has_grid = matches!(job.model.encoding.trained_part(), Some((Encoding::Grid(_), _)));
    let float = Kernel::plain(&grid::BACKWARD_FLOAT);
    if has_grid && job.options.grid_gradients == GridGradients::Float && !gpu.supports(&float) {
        return Err(BackendError::Unsupported(format!(
            "{} has no atomic additions of floats (it lacks {}), which --grid-gradients float needs; leave it out",
            gpu.info.name,
            float.needs(),
        )));
    }
    Ok(())
}

fn step_params(job: &Job, step: &Step) -> StepParams {
    StepParams::new(step, job.optimizer, &job.options.refinements, 0)
}

impl Predict for GpuBackend {
    fn predict(&mut self, raster: &Raster, first_pixel: u64, out: &mut [f32]) -> Result<(), BackendError> {
        let tile = (raster, first_pixel);
        self.tiles.predict(&mut self.session, &self.job.model, &self.layout, tile, out)
    }
}

impl Backend for GpuBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn enqueue(&mut self, steps: &[Step]) -> Result<(), BackendError> {
        for step in steps {
            self.prepare(step.n_samples)?;
        }
        if fault::take(StepFault::LoseDevice, steps) {
            self.session.gpu.device.destroy();
        }
        if fault::take(StepFault::DropSubmission, steps) {
            self.executor.drop_next();
        }
        for alike in steps.chunk_by(|a, b| a.importance == b.importance) {
            self.run(alike)?;
        }
        self.steps_done = steps.last().map_or(self.steps_done, |step| step.index + 1);
        Ok(())
    }

    fn take_losses(&mut self) -> Result<Vec<f64>, BackendError> {
        self.executor.take_losses(&self.session)
    }

    fn finish(&mut self) -> Result<(), BackendError> {
        self.executor.finish(&self.session)
    }

    fn state(&mut self) -> Result<TrainingState, BackendError> {
        self.finish()?;
        let n_params = self.job.model.layout().n_params() as u64;
        let ids = self.flat_buffers();
        let buffers: Vec<_> = ids.iter().map(|&id| (self.session.buffer(id), n_params)).collect();
        let mut flat = read_buffers(&self.session.gpu, &buffers)?.into_iter().map(bytemuck::cast_vec);
        let params = flat.next().expect("the parameters come first");
        Ok(TrainingState { step: self.steps_done, params, moments: flat.collect() })
    }

    fn set_state(&mut self, state: &TrainingState) -> Result<(), BackendError> {
        self.finish()?;
        let n_params = self.job.model.layout().n_params();
        let ids = self.flat_buffers();
        if state.moments.len() + 1 != ids.len() {
            return Err(BackendError::StateMismatch(format!(
                "{} optimiser moments of {}",
                state.moments.len(),
                ids.len() - 1
            )));
        }
        let flat: Vec<&Vec<f32>> = [&state.params].into_iter().chain(&state.moments).collect();
        if let Some(wrong) = flat.iter().find(|values| values.len() != n_params) {
            return Err(BackendError::StateMismatch(format!("{} parameters of {n_params}", wrong.len())));
        }
        for (id, values) in ids.into_iter().zip(flat) {
            write_words(&self.session.gpu, self.session.buffer(id), 0, bytemuck::cast_slice(values))?;
        }
        write_words(&self.session.gpu, self.session.buffer(self.buffers.progress), 0, &[0, 0])?;
        self.executor.reset();
        self.steps_done = state.step;
        Ok(())
    }
}
