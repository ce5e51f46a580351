//! Milliseconds per step.

use super::ceiling::Ceilings;
use super::jobs::{BenchJob, Work};
use super::process::cpu_seconds;
use crate::backend::TunedConfig;
use crate::backend::{self, Backend, BackendError, DeviceRequest};
use crate::block_on;
use crate::model::{Raster, Step, Steps};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The measurements of a job.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The job.
    pub job: String,
    /// Samples of a step, or pixels of a picture.
    pub(crate) samples: u64,
    pub(crate) weights: usize,
    /// The median over several groups of steps, in ms.
    pub ms: f64,
    /// The fastest group.
    pub ms_fastest: f64,
    /// The slowest group: the range is the machine's noise.
    pub ms_slowest: f64,
    /// Processor time of all threads in ms, the mean over all groups, if the system reports it.
    pub cpu_ms: Option<f64>,
    /// Samples per second, from the median.
    pub samples_per_second: f64,
    /// Of matrix products alone, see [`BenchJob::flop_per_sample`].
    pub gflop_per_second: f64,
    /// How a GPU trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<TunedConfig>,
    /// As a share of the ceiling measured in the same run.
    pub share_of_ceiling: f64,
    /// Bytes of weights, moments, gradients, work space and picture.
    pub bytes: u64,
    /// Bytes of the picture alone.
    pub(crate) picture_bytes: u64,
    /// Time to the first step: buffers, pipelines, the self-test on a GPU.
    pub seconds_to_start: f64,
    /// Part of that spent compiling kernels.
    pub seconds_compiling: f64,
}

/// Shorter groups would measure the clock.
const SHORTEST_GROUP: Duration = Duration::from_millis(100);
const FEWEST_GROUPS: usize = 3;

/// Runs `job` on `device` for about `seconds`: at least one group of steps, and three unless they take ten times as long.
///
/// # Errors
/// When the device cannot be opened or fails, or the job does not fit.
pub fn measure(
    job: &BenchJob,
    device: &DeviceRequest,
    seconds: f64,
    ceilings: &Ceilings,
) -> Result<Figures, BackendError> {
    let start = Instant::now();
    let (run, picture) = job.resolve();
    let opened = backend::open(device, run.job(Arc::clone(&picture)), || run.initial_params());
    let mut backend = block_on(opened)?.backend;
    let seconds_to_start = start.elapsed().as_secs_f64();
    let seconds_compiling = backend.info().pipeline_seconds;
    let mut steps = Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr);
    let mut out = Vec::new();
    let mut work = |n: usize| -> Result<(), BackendError> {
        match job.work {
            Work::Train => block_on(train(backend.as_mut(), steps.by_ref().take(n).collect())),
            Work::Render => {
                (0..n).try_for_each(|_| block_on(render(&run.raster, backend.as_mut(), &mut out)))
            }
        }
    };
    let n = warm_up(&mut work)?;
    let (start, cpu_start, mut ms) = (Instant::now(), cpu_seconds(), Vec::new());
    let is_short = |wish: f64| start.elapsed().as_secs_f64() < wish;
    while ms.is_empty() || is_short(seconds) || ms.len() < FEWEST_GROUPS && is_short(10.0 * seconds) {
        let group = Instant::now();
        work(n)?;
        ms.push(1e3 * group.elapsed().as_secs_f64() / n as f64);
    }
    let n_runs = (n * ms.len()) as f64;
    let cpu_ms = cpu_start.zip(cpu_seconds()).map(|(start, end)| 1e3 * (end - start) / n_runs);
    ms.sort_by(f64::total_cmp);
    let samples = match job.work {
        Work::Train => u64::from(run.batch_size),
        Work::Render => run.raster.n_pixels(),
    };
    let median = ms[ms.len() / 2];
    let samples_per_second = 1e3 * samples as f64 / median;
    // Pictures are always in f32.
    let method = backend.info().method.clone().filter(|_| job.work == Work::Train);
    let gflop_per_second = 1e-9 * samples_per_second * job.flop_per_sample(&run.model);
    Ok(Figures {
        job: job.name.clone(),
        samples,
        weights: run.model.layout().n_params(),
        ms: median,
        ms_fastest: ms[0],
        ms_slowest: ms[ms.len() - 1],
        cpu_ms,
        samples_per_second,
        gflop_per_second,
        share_of_ceiling: gflop_per_second / ceilings.of(method.as_ref()),
        method,
        bytes: backend.info().bytes,
        picture_bytes: picture.size_bytes(),
        seconds_to_start,
        seconds_compiling,
    })
}

/// Finds how many steps or pictures make a group long enough to time.
fn warm_up(work: &mut dyn FnMut(usize) -> Result<(), BackendError>) -> Result<usize, BackendError> {
    let mut n = 1;
    loop {
        let start = Instant::now();
        work(n)?;
        let elapsed = start.elapsed();
        if elapsed >= SHORTEST_GROUP {
            return Ok(n);
        }
        let missing = SHORTEST_GROUP.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        n = (n * 2).max((n as f64 * 1.2 * missing) as usize);
    }
}

async fn train(backend: &mut dyn Backend, steps: Vec<Step>) -> Result<(), BackendError> {
    backend.enqueue(&steps).await?;
    backend.finish().await?;
    backend.take_losses().map(drop)
}

async fn render(raster: &Raster, backend: &mut dyn Backend, out: &mut Vec<f32>) -> Result<(), BackendError> {
    out.resize(3 * raster.n_pixels() as usize, 0.0);
    backend.predict(raster, 0, out).await
}
