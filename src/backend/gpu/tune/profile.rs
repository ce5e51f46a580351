//! Profiles a step on a device; only for benchmarks.

use crate::backend::gpu::device::new_buffer;
use crate::backend::gpu::execute::GpuBackend;
use crate::backend::gpu::execute::readback::read_buffers;
use crate::backend::gpu::execute::resources::{Prepared, Resources};
use crate::backend::gpu::execute::trainer::ByDispatch;
use crate::backend::tuned::KernelTime;
use crate::backend::{Backend, Result};
use crate::model::Step;

impl GpuBackend {
    /// Runs `step`, which must be the next, with a timestamp around each dispatch. Returns the longest kernels first,
    /// or `None` if the device has no timestamps or the picture stays on the host.
    pub async fn profile(&mut self, step: &Step) -> Result<Option<Vec<KernelTime>>> {
        let has_timestamps = self.gpu().device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        // A step's samples may not fit into the ring at once.
        if !has_timestamps || self.info().streams_picture {
            return Ok(None);
        }
        let ByDispatch { resources, plan, prepared, .. } = self.step_by_dispatch(step).await?;
        let ms = timestamps(resources, prepared).await?;
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

async fn timestamps(resources: &Resources, plan: &Prepared) -> Result<Vec<f64>> {
    let gpu = &resources.gpu;
    let mut all = Vec::new();
    // A query set holds 4096 timestamps.
    for first in (0..plan.dispatches.len()).step_by(2048) {
        let n = (plan.dispatches.len() - first).min(2048);
        let made = gpu.scoped(|device| {
            let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * n as u32,
            });
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            (queries, new_buffer(device, "timestamps", 16 * n as u64, usage))
        });
        let (queries, resolved) = made.await?;
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
            plan.encode(first + i, 0, resources, &mut pass);
        }
        encoder.resolve_query_set(&queries, 0..2 * n as u32, &resolved, 0);
        gpu.wait(gpu.submit(Some(encoder.finish()), None)).await?;
        let words = read_buffers(gpu, &[(&resolved, 4 * n as u64)]).await?.remove(0);
        let ticks: Vec<u64> =
            words.as_chunks().0.iter().map(|[low, high]| u64::from(*high) << 32 | u64::from(*low)).collect();
        let period = f64::from(gpu.queue.get_timestamp_period());
        all.extend(
            ticks.as_chunks().0.iter().map(|[begin, end]| 1e-6 * period * end.saturating_sub(*begin) as f64),
        );
    }
    Ok(all)
}
