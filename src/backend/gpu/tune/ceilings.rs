//! The peak throughput of a device; only for benchmarks.

use super::stopwatch::fastest;
use super::tiles::Timing;
use crate::backend::Result;
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::execute::resources::Resources;
use crate::backend::gpu::kernel::possible;
use crate::backend::gpu::kernel::{MatmulTiling, Operation, Storage};
use crate::backend::gpu::ops::columns;
use crate::backend::gpu::plan::{BufferDecl, BufferId, Plan};
use crate::model::{Activation, LayerShape};
use std::sync::Arc;
use std::time::Duration;

/// Rows of the product that measures the ceiling.
const ROWS: usize = 16_384;
const SHAPE: LayerShape = LayerShape { input_width: 512, output_width: 256 };
/// Bytes copied at a time, if a buffer may be that large.
const COPIED: u64 = 1 << 28;
/// Numbers in a row of what is copied.
const COLUMNS: usize = 64;
/// A submission repeats the work for at least this long, so that its overhead does not count.
const MIN_SAMPLE_TIME: Duration = Duration::from_millis(30);

/// GFLOP/s of our fastest product of (16384, 512) by (512, 256), for each of these storages with sums in f32, and
/// GB/s of a copy, counting reads and writes: the best seen in `seconds` each.
pub async fn ceilings(gpu: &Arc<Gpu>, storages: &[Storage], seconds: f64) -> Result<(Vec<f64>, f64)> {
    let budget = gpu.budget();
    let rows = ROWS.min((budget.max_binding_bytes / 4) as usize / SHAPE.input_width);
    let copied = (COPIED.min(budget.max_binding_bytes) / 4) as usize;
    let flop = (2 * rows * SHAPE.input_width * SHAPE.output_width) as f64;
    let mut products = Vec::new();
    // Tiles of a few rows or columns are for narrow layers.
    let is_for_wide = |kind: &MatmulTiling| kind.tile_shape().iter().all(|&side| side >= 32);
    for &storage in storages {
        let timing = Timing { gpu, storage, activation: Activation::Identity, n_samples: rows };
        let mut product: f64 = 0.0;
        for kind in possible(gpu, storage).filter(is_for_wide) {
            let dispatch = timing.dispatch(Operation::Forward, SHAPE, kind);
            let took = timing.seconds(dispatch, SHAPE, (MIN_SAMPLE_TIME, seconds / 4.0)).await?;
            product = product.max(1e-9 * flop / took);
        }
        products.push(product);
    }
    // By a kernel: what APIs copy buffers with may be many times slower.
    let rows = copied / COLUMNS;
    let decls = ["from", "to"].map(|name| BufferDecl::new(name, &[rows, COLUMNS]));
    let mut resources = Resources::new(Arc::clone(gpu), decls.into()).await?;
    let copy = columns::Copy::out_of_part(rows, &(0..COLUMNS), COLUMNS);
    let dispatch = columns::copy(copy, [0, 1].map(BufferId), budget.max_groups);
    let plan = resources.prepare(&Plan { dispatches: vec![dispatch] }).await?;
    let copy = fastest(gpu, (MIN_SAMPLE_TIME, seconds), |encoder, n| {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        (0..n).for_each(|_| plan.encode(0, 0, &resources, &mut pass));
    });
    let copy = copy.await?;
    Ok((products, 1e-9 * (8 * rows * COLUMNS) as f64 / copy))
}
