//! Steps on the device, dispatch by dispatch against f64, and as they are trained.

use crate::job::{Setup, steps};
use crate::skip::{Missing, skip};
use afterimage::backend::Backend;
use afterimage::backend::gpu::kernel::{MatmulTiling, Storage};
use afterimage::backend::gpu::{Budget, Gpu, GpuBackend, KernelConfig, Override};
use afterimage::model::{EncodingSpec, Interpolation, Step, TrainingState};
use pollster::FutureExt as _;
use std::sync::Arc;

/// So small that a step of `Setup::small` takes several parts, grids fold and pictures split.
pub(crate) fn tight() -> Budget {
    Budget {
        max_binding_bytes: 60 * 1024,
        picture_part_bytes: 1500,
        max_groups: 5,
        batch_bytes: 64 * 1024,
        stream_bytes: 2048,
        ..Budget::of(&wgpu::Limits::default())
    }
}

/// In one kernel, where the budget allows it, and in a kernel for each layer.
pub(crate) fn lockstep(gpu: &Arc<Gpu>, setup: &Setup, budget: Budget, n_steps: u64) {
    for fused in [Override::Always, Override::Never] {
        lockstep_with(gpu, setup, (Budget { fused, ..budget }, KernelConfig::default()), n_steps);
    }
}

/// Fused with the cooperative matrices of `gpu`; says that the test is skipped if it has none.
pub(crate) fn with_matrices(gpu: &Gpu) -> Option<KernelConfig> {
    let tiling = MatmulTiling::with_matrices(gpu, Storage::F16);
    if tiling.is_none() {
        skip(Missing::Other(&format!("{} has no cooperative matrices that fit", gpu.info.name)));
    }
    let config = |tiling| KernelConfig {
        storage: Storage::F16,
        fused: Some(true),
        fused_tiling: Some(tiling),
        ..KernelConfig::default()
    };
    tiling.map(config)
}

/// Whether the network is computed in one kernel.
pub(crate) fn is_fused(backend: &GpuBackend) -> bool {
    backend.info().kernels.iter().any(|name| name.starts_with("fused_step"))
}

pub(crate) fn lockstep_with(gpu: &Arc<Gpu>, setup: &Setup, how: (Budget, KernelConfig), n_steps: u64) {
    let job = setup.job();
    let first = steps(&job, 0..n_steps, 1e-3);
    let mut backend =
        GpuBackend::with(Arc::clone(gpu), job.clone(), &setup.state(&job), how).block_on().expect("fits");
    let entries = backend.lockstep(&first).block_on().expect("device works");
    let worst = entries.iter().max_by(|a, b| a.worst.share.total_cmp(&b.worst.share)).expect("dispatches");
    println!(
        "{n_steps} steps, fused: {}, {} dispatches, chunk {}: worst {:.3} in {} ({})",
        is_fused(&backend),
        entries.len(),
        backend.info().chunk_size,
        worst.worst.share,
        worst.kernel,
        worst.worst.place
    );
    assert!(worst.worst.passes(), "{worst:?}");
    // The executor goes on where the lockstep stopped: the device's counter is still right.
    backend.enqueue(&steps(&job, n_steps..n_steps + 3, 1e-3)).block_on().expect("device works");
    backend.finish().block_on().expect("the counter is right");
}

/// Trains on the device and returns losses and state.
pub(crate) fn train(backend: &mut GpuBackend, steps: &[Step]) -> (Vec<f64>, TrainingState) {
    backend.enqueue(steps).block_on().expect("device works");
    backend.finish().block_on().expect("device works");
    (backend.take_losses().expect("device works"), backend.state().block_on().expect("device works"))
}

/// Levels of 8, 14 and 26 cells, the first with a vertex each, the others hashed.
pub(crate) fn grid(interpolation: Interpolation) -> Setup {
    let encoding = EncodingSpec::HashGrid {
        levels: 3,
        features_per_level: 2,
        log2_table: 7,
        base_resolution: 8,
        growth: 1.8,
        interpolation,
    };
    Setup { encoding, hidden_width: 32, n_layers: 3, ..Setup::small() }
}
