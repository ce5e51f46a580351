//! Where a step's time goes on a device, and what the device can do at all. For measuring only.

use super::budget::Budget;
use super::device::Gpu;
use super::plan::{BufferDecl, BufferId, Role};
use super::readback::read_buffers;
use super::session::{Prepared, Session};
use super::tuning::Timing;
use super::variants::{Operation, Product, Storage, possible};
use super::{GpuBackend, step_params};
use crate::backend::BackendError;
use crate::model::{Activation, LayerShape, Step};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time of all dispatches of a kernel within a step.
#[derive(Clone, Debug, serde::Serialize)]
pub struct KernelTime {
    /// The kernel with its formulas.
    pub kernel: String,
    /// Dispatches a step.
    pub dispatches: usize,
    /// Milliseconds a step, from the device's own clock.
    pub ms: f64,
}

impl GpuBackend {
    /// Runs `step`, which must be the next, with a timestamp around each dispatch; the longest kernels
    /// first. None where the device has no timestamps or the picture stays on the host.
    ///
    /// # Errors
    /// When the device fails.
    pub fn profile(&mut self, step: &Step) -> Result<Option<Vec<KernelTime>>, BackendError> {
        use crate::backend::Backend;
        self.finish()?;
        let gpu = Arc::clone(&self.session.gpu);
        let has_timestamps = gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        // A step's samples may not fit the ring at once.
        if !has_timestamps || self.stream.is_some() {
            return Ok(None);
        }
        let index = self.prepare(step.n_samples)?;
        self.spread(step)?;
        self.session.write_steps(&[step_params(&self.job, step)]);
        let (_, plan, prepared) = &self.plans[index];
        let ms = timestamps(&self.session, prepared)?;
        self.steps_done = step.index + 1;
        self.executor.skip(1);
        let mut times: Vec<KernelTime> = Vec::new();
        for (dispatch, ms) in plan.dispatches.iter().zip(ms) {
            let kernel = dispatch.kernel.name();
            match times.iter_mut().find(|time| time.kernel == kernel) {
                Some(time) => (time.dispatches, time.ms) = (time.dispatches + 1, time.ms + ms),
                None => times.push(KernelTime { kernel, dispatches: 1, ms }),
            }
        }
        times.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        Ok(Some(times))
    }
}

/// Milliseconds of each dispatch of a plan.
fn timestamps(session: &Session, plan: &Prepared) -> Result<Vec<f64>, BackendError> {
    let gpu = &session.gpu;
    let mut all = Vec::new();
    // A query set holds 4096 timestamps.
    for first in (0..plan.len()).step_by(2048) {
        let n = (plan.len() - first).min(2048);
        let (queries, resolved) = gpu.scoped(|device| {
            let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * n as u32,
            });
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 16 * n as u64,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            (queries, buffer)
        })?;
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for i in 0..n {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(2 * i as u32),
                    end_of_pass_write_index: Some(2 * i as u32 + 1),
                }),
            });
            plan.encode(first + i, 0, &session.step_group(), &mut pass);
        }
        encoder.resolve_query_set(&queries, 0..2 * n as u32, &resolved, 0);
        let submission = gpu.queue.submit([encoder.finish()]);
        gpu.wait(Some(submission))?;
        let words = read_buffers(gpu, &[(&resolved, 4 * n as u64)])?.remove(0);
        let ticks: Vec<u64> =
            words.as_chunks().0.iter().map(|[low, high]| u64::from(*high) << 32 | u64::from(*low)).collect();
        let period = f64::from(gpu.queue.get_timestamp_period());
        all.extend(
            ticks.as_chunks().0.iter().map(|[begin, end]| 1e-6 * period * end.saturating_sub(*begin) as f64),
        );
    }
    Ok(all)
}

/// Rows of the product that is the ceiling.
const ROWS: usize = 16_384;
const SHAPE: LayerShape = LayerShape { input_width: 512, output_width: 256 };
/// Bytes copied at a time, if a buffer may have as many.
const COPIED: u64 = 1 << 28;
/// A submission repeats the work until it takes this long, so that submitting does not count.
const LONG_ENOUGH: Duration = Duration::from_millis(30);
const MAX_REPEATS: usize = 512;

/// GFLOP/s of the fastest of our products of (16384, 512) by (512, 256), for values stored in each of these ways with
/// sums in f32, and GB/s of a copy, read and written: the best of what is seen in `seconds` each.
///
/// # Errors
/// When the device fails.
pub fn ceilings(gpu: &Arc<Gpu>, storages: &[Storage], seconds: f64) -> Result<(Vec<f64>, f64), BackendError> {
    let budget = Budget::of(&gpu.limits);
    let rows = ROWS.min((budget.max_binding_bytes / 4) as usize / SHAPE.input_width);
    let copied = (COPIED.min(budget.max_binding_bytes) / 4) as usize;
    let flop = (2 * rows * SHAPE.input_width * SHAPE.output_width) as f64;
    let mut products = Vec::new();
    // Tiles of a few rows or columns are for narrow layers.
    let is_square = |kind: &Product| kind.tile()[0] == kind.tile()[1];
    for &storage in storages {
        let timing = Timing { gpu, budget, storage, activation: Activation::Identity, n_samples: rows };
        let mut product: f64 = 0.0;
        for kind in possible(gpu, storage).filter(is_square) {
            let dispatch = timing.dispatch(Operation::Forward, SHAPE, kind);
            let took = timing.seconds(dispatch, SHAPE, (LONG_ENOUGH, seconds / 4.0))?;
            product = product.max(1e-9 * flop / took);
        }
        products.push(product);
    }
    let decls = ["from", "to"].map(|name| BufferDecl {
        name: name.to_owned(),
        shape: vec![copied],
        role: Role::Scratch,
    });
    let session = Session::new(Arc::clone(gpu), decls.into())?;
    let [from, to] = [0, 1].map(BufferId);
    let bytes = (8 * copied) as f64;
    let copy = fastest(gpu, (LONG_ENOUGH, seconds), |encoder, n| {
        for _ in 0..n {
            encoder.copy_buffer_to_buffer(session.buffer(from), 0, session.buffer(to), 0, None);
        }
    })?;
    Ok((products, 1e-9 * bytes / copy))
}

/// Seconds of what `record` records once: of the fastest of the submissions that begin within `seconds`, at
/// least three, each with as many repeats as take `long_enough`.
pub(super) fn fastest(
    gpu: &Gpu,
    (long_enough, seconds): (Duration, f64),
    record: impl Fn(&mut wgpu::CommandEncoder, usize),
) -> Result<f64, BackendError> {
    let run = |n: usize| -> Result<Duration, BackendError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder, n);
        let call = Instant::now();
        let submission = gpu.queue.submit([encoder.finish()]);
        gpu.wait(Some(submission))?;
        Ok(call.elapsed())
    };
    let mut repeats = 1;
    while run(repeats)? < long_enough && repeats < MAX_REPEATS {
        repeats *= 2;
    }
    let (start, mut best, mut n) = (Instant::now(), f64::INFINITY, 0);
    while n < 3 || start.elapsed().as_secs_f64() < seconds {
        best = best.min(run(repeats)?.as_secs_f64() / repeats as f64);
        n += 1;
    }
    Ok(best)
}
