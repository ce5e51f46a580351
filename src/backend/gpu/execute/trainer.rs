//! Trains one job on a GPU.

use super::executor::{Executor, Task};
use super::predictor::write_constants;
use super::readback::{read_buffers, write_words};
use super::resources::{Prepared, Resources};
use super::stream::Stream;
use super::tiles::{Comparison, Tiles};
use crate::backend::gpu::device::{Budget, Gpu};
use crate::backend::gpu::kernel::{Kernel, KernelConfig, StepParams, TunedConfig};
use crate::backend::gpu::ops::fused::Blocking;
use crate::backend::gpu::ops::sample::PictureParams;
use crate::backend::gpu::ops::{Layout, grid, layout, record};
use crate::backend::gpu::plan::picture::{pack, words_per_pixel};
use crate::backend::gpu::plan::{BufferId, PicturePlace, Plan, TrainingBuffers};
use crate::backend::{Backend, BackendError, BackendInfo, ChannelErrors, Job, Predict, Result};
use crate::model::{GridGradients, Importance, Raster, Step, TrainingState};
use async_trait::async_trait;
use std::sync::Arc;

/// Trains one job on a GPU. Its state stays on the device until [`Backend::state`].
#[derive(Debug)]
pub struct GpuBackend {
    job: Job,
    resources: Resources,
    layout: Layout,
    buffers: TrainingBuffers,
    /// Plans by the number of samples: a full step, and the last one of an epoch.
    plans: Vec<(u32, Plan, Prepared)>,
    executor: Executor,
    /// If the picture stays on the host.
    stream: Option<Stream>,
    pub(crate) tiles: Tiles,
    info: BackendInfo,
    steps_done: u64,
    /// The sample distribution of the steps enqueued last.
    importance: Option<Arc<Importance>>,
}

/// A step run one dispatch at a time, for inspection.
pub(crate) struct ByDispatch<'a> {
    pub(crate) resources: &'a Resources,
    pub(crate) plan: &'a Plan,
    pub(crate) prepared: &'a Prepared,
    /// In slot 0.
    pub(crate) params: StepParams,
    /// If the picture stays on the host.
    pub(crate) stream: Option<&'a mut Stream>,
}

impl GpuBackend {
    /// Puts `job` and `state` on the device.
    ///
    /// # Errors
    /// When the job does not fit, the state is of another shape, or the device fails.
    pub async fn new(gpu: Arc<Gpu>, job: Job, state: &TrainingState) -> Result<Self> {
        let budget = gpu.budget();
        Self::with(gpu, job, state, (budget, KernelConfig::default())).await
    }

    /// Like [`GpuBackend::new`], with a budget smaller than the device's limits or other kernels.
    pub async fn with(
        gpu: Arc<Gpu>,
        job: Job,
        state: &TrainingState,
        (budget, config): (Budget, KernelConfig),
    ) -> Result<Self> {
        check_features(&gpu, &job)?;
        let (layout, buffers) = Layout::training(&job, budget, config)?;
        let resources = Resources::new(Arc::clone(&gpu), layout.buffers.clone()).await?;
        let executor = Executor::new(&resources, buffers.ring).await?;
        write_constants(&resources, &job.model, &layout).await?;
        let stream = match &buffers.picture {
            PicturePlace::Host(ring) => Some(Stream::new(&job, ring)),
            PicturePlace::Device { .. } => None,
        };
        let mut backend = Self {
            info: BackendInfo {
                chunk_size: layout.chunk as u32,
                streams_picture: stream.is_some(),
                method: Some(TunedConfig {
                    device: gpu.identity(),
                    config: KernelConfig {
                        fused: Some(layout.fused_step.is_some()),
                        fused_tiling: layout.fused_step.as_ref().and_then(Blocking::tiling),
                        separate_samples: layout.fused_step.is_some() && !layout.fetches_samples,
                        ..layout.config.clone()
                    },
                }),
                bytes: layout.size_bytes(),
                ..gpu.description()
            },
            job,
            resources,
            layout,
            buffers,
            plans: Vec::new(),
            executor,
            stream,
            tiles: Tiles::default(),
            steps_done: 0,
            importance: None,
        };
        backend.upload_picture().await?;
        backend.set_state(state).await?;
        let n_samples = backend.job.samples.len();
        backend.prepare(backend.job.batch_size).await?;
        let rest = n_samples % backend.job.batch_size;
        if rest != 0 {
            backend.prepare(rest).await?;
        }
        backend.info.kernels = backend.resources.kernel_names();
        backend.info.pipeline_seconds = backend.resources.compiling.as_secs_f64();
        Ok(backend)
    }

    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.resources.gpu
    }

    /// The kernels of its steps, and of predictions of its picture.
    pub(crate) fn kernels(&self) -> Vec<Kernel> {
        let n_pixels = self.job.picture.n_pixels() as usize;
        let predictions = record::predictions(&self.job.model, &self.layout, n_pixels);
        let plans = self.plans.iter().map(|(_, plan, _)| plan).chain(&predictions);
        plans.flat_map(|plan| &plan.dispatches).map(|dispatch| dispatch.kernel.clone()).collect()
    }

    /// Prepares `step`, which must be the next, to be run one dispatch at a time without the executor, and counts it
    /// as done.
    pub(crate) async fn step_by_dispatch(&mut self, step: &Step) -> Result<ByDispatch<'_>> {
        self.finish().await?;
        let index = self.prepare(step.n_samples).await?;
        self.set_distribution(step).await?;
        let params = step_params(&self.job, step);
        self.resources.write_steps(&[params]);
        self.executor.skip(1);
        self.steps_done = step.index + 1;
        let (_, plan, prepared) = &self.plans[index];
        Ok(ByDispatch { resources: &self.resources, plan, prepared, params, stream: self.stream.as_mut() })
    }

    async fn upload_picture(&self) -> Result<()> {
        let &PicturePlace::Device { parts, words_per_part: per_part, sample_index, .. } =
            &self.buffers.picture
        else {
            return Ok(());
        };
        if let (Some(mask), Some(id)) = (&self.job.options.mask, sample_index) {
            write_words(&self.resources.gpu, self.resources.buffer(id), 0, mask.pixels()).await?;
        }
        let picture = &self.job.picture;
        let per_pixel = words_per_pixel(picture);
        let n_pixels = picture.n_pixels() as usize;
        // About 16 MiB of pixels at a time, split where a binding ends.
        let per_piece = ((4 << 20) / per_pixel).max(1);
        for first in (0..n_pixels).step_by(per_piece) {
            let words = pack(picture, first..(first + per_piece).min(n_pixels));
            let (mut at, mut rest) = (first * per_pixel, words.as_slice());
            while !rest.is_empty() {
                let (part, within) = (at / per_part, at % per_part);
                let (now, later) = rest.split_at(rest.len().min(per_part - within));
                let buffer = self.resources.buffer(parts[part]);
                write_words(&self.resources.gpu, buffer, within as u64, now).await?;
                at += now.len();
                rest = later;
            }
        }
        Ok(())
    }

    /// Records and prepares the plan of a step of `n_samples` samples if it is new.
    async fn prepare(&mut self, n_samples: u32) -> Result<usize> {
        if let Some(index) = self.plans.iter().position(|(n, ..)| *n == n_samples) {
            return Ok(index);
        }
        let plan = record::training_step(&self.job, &self.layout, &self.buffers, n_samples as usize);
        let prepared = self.resources.prepare(&plan).await?;
        self.plans.push((n_samples, plan, prepared));
        Ok(self.plans.len() - 1)
    }

    /// Sets the sample distribution of `step` for later submissions.
    async fn set_distribution(&mut self, step: &Step) -> Result<()> {
        let PicturePlace::Device { sample_index, .. } = self.buffers.picture else { return Ok(()) };
        if let (Some(new), Some(id), None) = (&step.importance, sample_index, &self.job.options.mask)
            && self.importance != step.importance
        {
            write_words(&self.resources.gpu, self.resources.buffer(id), 0, new.starts()).await?;
            self.importance.clone_from(&step.importance);
        }
        Ok(())
    }

    /// Runs `steps`, which share one sample distribution.
    async fn run(&mut self, steps: &[Step]) -> Result<()> {
        if let Some(first) = steps.first() {
            self.set_distribution(first).await?;
        }
        let plan = |step: &Step| {
            let known = self.plans.iter().find(|(n, ..)| *n == step.n_samples);
            &known.expect("prepared before").2
        };
        let tasks: Vec<_> = steps
            .iter()
            .map(|step| Task { params: step_params(&self.job, step), step, plan: plan(step) })
            .collect();
        self.executor.run(&self.resources, self.stream.as_mut(), &tasks).await
    }

    #[cfg(feature = "faults")]
    fn make_faults(&self, steps: &[Step]) {
        use crate::job::faults::StepFault;
        let gpu = &self.resources.gpu;
        if gpu.options.faults.take(StepFault::LoseDevice, steps) {
            gpu.device.destroy();
        }
        if gpu.options.faults.take(StepFault::DropSubmission, steps) {
            gpu.options.faults.drop_next();
        }
    }

    /// What predictions are compared with, if the device can.
    fn comparison(&self) -> Option<Comparison> {
        let PicturePlace::Device { parts, words_per_part, .. } = self.buffers.picture else { return None };
        let errors = self.buffers.errors?;
        let picture = PictureParams::of(&self.job, 0, words_per_part);
        let buffers = parts.into_iter().chain([self.layout.forward.colours, errors]).collect();
        Some(Comparison { picture, samples: self.job.samples, buffers })
    }

    fn flat_buffers(&self) -> Vec<BufferId> {
        self.buffers.of_state(self.layout.forward.params)
    }
}

/// Refuses a job with kernels that the device cannot run.
pub(super) fn check_features(gpu: &Gpu, job: &Job) -> Result<()> {
    let float = Kernel::plain(&grid::BACKWARD_FLOAT);
    if layout::has_grid(job) && job.options.grid_gradients == GridGradients::Float && !float.runs_on(gpu) {
        return Err(BackendError::Unsupported(format!(
            "{} has no float atomics (it lacks {}), which --grid-gradients float needs; leave it out",
            gpu.info.name,
            float.needs(),
        )));
    }
    Ok(())
}

pub(super) fn step_params(job: &Job, step: &Step) -> StepParams {
    StepParams::new(step, job.optimizer, &job.options.refinements, 0)
}

#[async_trait(?Send)]
impl Predict for GpuBackend {
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<()> {
        let pixels = (raster, first);
        self.tiles.predict(&mut self.resources, &self.job.model, &self.layout, pixels, out).await
    }
}

#[async_trait(?Send)]
impl Backend for GpuBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    async fn enqueue(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            self.prepare(step.n_samples).await?;
        }
        #[cfg(feature = "faults")]
        self.make_faults(steps);
        for alike in steps.chunk_by(|a, b| a.importance == b.importance) {
            self.run(alike).await?;
        }
        self.steps_done = steps.last().map_or(self.steps_done, |step| step.index + 1);
        Ok(())
    }

    fn take_losses(&mut self) -> Result<Vec<f64>> {
        self.executor.take_losses(&self.resources)
    }

    async fn finish(&mut self) -> Result<()> {
        self.executor.finish(&self.resources).await
    }

    fn sums_errors(&self) -> bool {
        self.comparison().is_some()
    }

    async fn errors(&mut self, about: [f32; 4]) -> Result<Vec<ChannelErrors>> {
        let Some(comparison) = self.comparison() else {
            return Err(BackendError::Unsupported(
                "the GPU does not have the picture as integers".to_owned(),
            ));
        };
        let (of, compared) = ((&self.job.model, &self.layout), (&self.job.raster, &comparison));
        let errors = self.tiles.errors(&mut self.resources, of, compared, about).await;
        if let Err(error @ (BackendError::WrongResults { .. } | BackendError::NotCompiled { .. })) = &errors {
            log::warn!("{error}; meanwhile the host compares pictures");
            self.buffers.errors = None;
        }
        errors
    }

    async fn state(&mut self) -> Result<TrainingState> {
        self.finish().await?;
        let n_params = self.job.model.layout().n_params() as u64;
        let ids = self.flat_buffers();
        let buffers: Vec<_> = ids.iter().map(|&id| (self.resources.buffer(id), n_params)).collect();
        let mut flat = read_buffers(&self.resources.gpu, &buffers).await?.into_iter().map(bytemuck::cast_vec);
        let params = flat.next().expect("the parameters come first");
        Ok(TrainingState { step: self.steps_done, params, moments: flat.collect() })
    }

    async fn set_state(&mut self, state: &TrainingState) -> Result<()> {
        self.finish().await?;
        let n_params = self.job.model.layout().n_params();
        let ids = self.flat_buffers();
        if state.moments.len() + 1 != ids.len() {
            let (given, needed) = (state.moments.len(), ids.len() - 1);
            return Err(BackendError::StateMismatch(format!("{given} optimiser moments of {needed}")));
        }
        let flat: Vec<&Vec<f32>> = [&state.params].into_iter().chain(&state.moments).collect();
        if let Some(wrong) = flat.iter().find(|values| values.len() != n_params) {
            return Err(BackendError::StateMismatch(format!("{} parameters of {n_params}", wrong.len())));
        }
        for (id, values) in ids.into_iter().zip(flat) {
            let words = bytemuck::cast_slice(values);
            write_words(&self.resources.gpu, self.resources.buffer(id), 0, words).await?;
        }
        write_words(&self.resources.gpu, self.resources.buffer(self.buffers.progress), 0, &[0, 0]).await?;
        self.executor.reset();
        self.steps_done = state.step;
        Ok(())
    }
}
