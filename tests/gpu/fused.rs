//! Networks in one kernel: every size of block, whole steps, and as good as layer by layer.

use crate::device;
use crate::job;
use crate::lockstep::{grid, lockstep_with, tight, with_matrices};
use crate::skip::{Missing, skip};

use afterimage::backend::Backend;
use afterimage::backend::gpu::kernel::{FusedBlock, Kernel, MatmulTiling, Specialization};
use afterimage::backend::gpu::ops::fused::{examples_of, examples_of_matrices};
use afterimage::backend::gpu::ops::{Layout, definitions};
use afterimage::backend::gpu::prove::run_case;
use afterimage::backend::gpu::{Budget, Gpu, GpuBackend, KernelConfig, Override};
use afterimage::model::{Activation, EncodingSpec, Init, Interpolation};
use device::open;
use job::{Setup, steps};
use pollster::FutureExt as _;
use std::sync::Arc;

/// The kernels of these encodings with all of the device's workgroup memory.
fn blocks_of(samples: usize, encodings: &[&str]) {
    let Some(gpu) = open(true) else { return };
    let bytes = gpu.limits.max_compute_workgroup_storage_size as usize;
    let fused = definitions().filter(|def| matches!(def.specialization, Specialization::Network { .. }));
    let fused = fused.filter(|def| encodings.iter().any(|encoding| def.name.ends_with(encoding)));
    // The largest blocks with the most threads.
    let threads = if samples == 128 { 512 } else { 256 };
    let threads = threads.min(gpu.limits.max_compute_invocations_per_workgroup as usize);
    let block = FusedBlock { samples, threads };
    let kernels: Vec<_> = fused.flat_map(|def| examples_of(def, 128, block, bytes)).collect();
    compare(&gpu, &kernels, 4 * encodings.len());
}

/// All cases of `kernels`, of which there must be `fewest`.
fn compare(gpu: &Arc<Gpu>, kernels: &[Kernel], fewest: usize) {
    let (mut n_cases, mut failures) = (0, Vec::new());
    for kernel in kernels {
        for case in kernel.cases() {
            let worst = run_case(gpu, kernel, &case).block_on().expect("the device works");
            let line = format!("{} {}: {:.3} {}", kernel.name(), case.label, worst.share, worst.place);
            println!("{line}");
            n_cases += 1;
            if !worst.passes() {
                failures.push(line);
            }
        }
    }
    assert!(n_cases >= fewest, "only {n_cases} cases");
    assert!(failures.is_empty(), "error as a share of tolerance:\n{}", failures.join("\n"));
}

/// The same with cooperative matrices, as far as the device has them.
fn matrices_of(block: usize, encodings: &[&str]) {
    let Some(gpu) = open(true) else { return };
    let bytes = gpu.limits.max_compute_workgroup_storage_size as usize;
    let steps =
        definitions().filter(|def| matches!(def.specialization, Specialization::Network { loss: true }));
    let steps: Vec<_> =
        steps.filter(|def| encodings.iter().any(|encoding| def.name.ends_with(encoding))).collect();
    let of = |tiling| steps.iter().flat_map(move |def| examples_of_matrices(def, tiling, block, bytes));
    let all = [MatmulTiling::Matrix8, MatmulTiling::Matrix16].into_iter().flat_map(of);
    let there: Vec<_> = all.filter(|kernel| kernel.runs_on(&gpu)).collect();
    if there.is_empty() {
        return skip(Missing::Other(&format!("{} has no cooperative matrices", gpu.info.name)));
    }
    compare(&gpu, &there, 4 * encodings.len());
}

#[test]
fn matrices_of_blocks_of_16_agree_with_f64() {
    matrices_of(16, &["grid", "fourier"]);
}

#[test]
fn matrices_of_blocks_of_64_agree_with_f64() {
    matrices_of(64, &["grid", "one_blob"]);
}

#[test]
fn blocks_of_16_agree_with_f64() {
    blocks_of(16, &["grid", "fourier", "identity"]);
}

#[test]
fn blocks_of_32_agree_with_f64() {
    blocks_of(32, &["grid", "fourier"]);
}

#[test]
fn blocks_of_64_agree_with_f64() {
    blocks_of(64, &["grid", "one_blob"]);
}

#[test]
fn blocks_of_128_agree_with_f64() {
    blocks_of(128, &["grid", "triangle_wave"]);
}

fn grid_setup() -> Setup {
    let encoding = EncodingSpec::HashGrid {
        levels: 4,
        features_per_level: 2,
        log2_table: 7,
        base_resolution: 8,
        growth: 1.6,
        interpolation: Interpolation::Linear,
    };
    Setup { encoding, hidden_width: 64, n_layers: 3, ..Setup::small() }
}

/// Jobs on both sides of each choice: f(z) kept or not, features in slices or at once.
fn setups() -> [Setup; 4] {
    let sine = Activation::Sine { w0: 30.0 };
    let wide = EncodingSpec::Gaussian { features: 71, sigma: 5.0 };
    let deep =
        Setup { activation: sine, init: Init::Siren, encoding: wide, hidden_width: 33, ..Setup::small() };
    [grid_setup(), Setup { activation: sine, init: Init::Siren, ..grid_setup() }, deep, Setup::small()]
}

fn train(gpu: &Arc<Gpu>, setup: &Setup, how: (Budget, KernelConfig)) -> (GpuBackend, Vec<f64>) {
    let job = setup.job();
    let backend = GpuBackend::with(Arc::clone(gpu), job.clone(), &setup.state(&job), how).block_on();
    let mut backend = backend.expect("fits");
    backend.enqueue(&steps(&job, 0..30, 1e-3)).block_on().expect("the device works");
    backend.finish().block_on().expect("the device works");
    let losses = backend.take_losses().expect("the device works");
    (backend, losses)
}

/// Trains `setup` twice so, to the same bits, and layer by layer in f32: the losses of 30 steps are at most `most` apart.
/// Returns the kernels used.
fn learns_as_by_layers(
    gpu: &Arc<Gpu>,
    setup: &Setup,
    how: &(Budget, KernelConfig),
    most: f64,
) -> Vec<String> {
    let (mut fused, losses) = train(gpu, setup, how.clone());
    let (mut again, losses_again) = train(gpu, setup, how.clone());
    assert_eq!(losses, losses_again);
    let state = |backend: &mut GpuBackend| backend.state().block_on().expect("the device works");
    assert_eq!(state(&mut fused), state(&mut again));
    let by_layers = (Budget { fused: Override::Never, ..gpu.budget() }, KernelConfig::default());
    let (apart, losses_apart) = train(gpu, setup, by_layers);
    assert!(apart.info().kernels.iter().all(|name| !name.starts_with("fused")), "{setup:?}");
    let off = losses.iter().zip(&losses_apart).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
    println!("30 steps: losses from {} to {}, up to {off:.1e} apart", losses[0], losses[29]);
    assert!(losses[29] < 0.9 * losses[0]);
    assert!(off < most, "the losses part by {off:.1e}");
    fused.info().kernels.clone()
}

#[test]
fn a_fused_network_learns_as_one_of_many_kernels_and_repeats_to_the_bit() {
    let Some(gpu) = open(false) else { return };
    let how = (Budget { fused: Override::Always, ..gpu.budget() }, KernelConfig::default());
    for setup in setups() {
        let kernels = learns_as_by_layers(&gpu, &setup, &how, 1e-2);
        let of_step = ["fused_step_of_picture", "finish_step"];
        assert!(of_step.iter().all(|of| kernels.iter().any(|name| name.starts_with(of))), "{kernels:?}");
        let others = ["sample", "reduce"];
        assert!(!others.iter().any(|of| kernels.iter().any(|name| name.starts_with(of))), "{kernels:?}");
    }
}

#[test]
fn a_network_fused_with_matrices_learns_as_one_by_layers_and_repeats_to_the_bit() {
    let Some(gpu) = open(false) else { return };
    let Some(config) = with_matrices(&gpu) else { return };
    let how = (gpu.budget(), config);
    // Also with more gradients than a subgroup keeps in registers.
    let deep = Setup { hidden_width: 48, n_layers: 5, ..grid_setup() };
    for setup in setups().into_iter().chain([deep]) {
        // Three digits in f16, which 30 steps may spread.
        let kernels = learns_as_by_layers(&gpu, &setup, &how, 5e-2);
        let is_ours = |name: &String| name.starts_with("fused_step") && name.contains(".matrix");
        assert!(kernels.iter().any(is_ours), "{setup:?}: {kernels:?}");
    }
}

#[test]
fn lockstep_fused_with_matrices() {
    let Some(gpu) = open(true) else { return };
    let Some(config) = with_matrices(&gpu) else { return };
    // In parts, and with folded grids.
    let Budget { workgroup_bytes, max_threads, subgroup_size, .. } = gpu.budget();
    let small = Budget { workgroup_bytes, max_threads, subgroup_size, ..tight() };
    // A gentle sine, and no sigmoid: else the errors of f16 make no bound.
    let sine = Setup {
        activation: Activation::Sine { w0: 1.0 },
        output_activation: Activation::Identity,
        hidden_width: 33,
        ..Setup::small()
    };
    for setup in [grid(Interpolation::Linear), grid(Interpolation::Smoothstep), sine] {
        lockstep_with(&gpu, &setup, (gpu.budget(), config.clone()), 2);
        lockstep_with(&gpu, &setup, (small, config.clone()), 2);
    }
}

#[test]
fn the_choice_follows_from_job_and_device() {
    let limits = wgpu::Limits { max_compute_workgroup_storage_size: 48 << 10, ..wgpu::Limits::default() };
    let budget = Budget { fused: Override::Auto, ..Budget::of(&limits) };
    let block = |setup: &Setup, budget: Budget| {
        let (layout, _) = Layout::training(&setup.job(), budget, KernelConfig::default()).expect("fits");
        layout.fused_step.map(|blocking| (blocking.block, blocking.group, blocking.bytes()))
    };
    let large = Setup { width: 512, height: 512, batch_size: 1 << 16, ..grid_setup() };
    let wide = Setup { hidden_width: 128, n_layers: 5, ..large.clone() };
    let always = Budget { fused: Override::Always, ..budget };
    let (narrow, wide_block) = (block(&large, budget), block(&wide, always));
    assert_eq!(narrow.map(|(block, group, _)| (block, group)), Some((64, 256)));
    assert_eq!(wide_block.map(|(block, ..)| block), Some(16));
    assert!([narrow, wide_block].iter().flatten().all(|(.., bytes)| *bytes <= 48 << 10));
    // Few samples are spread over more workgroups.
    assert_eq!(block(&grid_setup(), budget).map(|(block, ..)| block), Some(16));
    // What does not pay, does not fit, or is not wanted.
    assert_eq!(block(&wide, budget), None);
    assert_eq!(block(&wide, Budget { workgroup_bytes: 16 << 10, ..always }), None);
    assert_eq!(block(&large, Budget { fused: Override::Never, ..budget }), None);
    assert_eq!(block(&Setup { trained_frequencies: true, ..Setup::small() }, always), None);
    assert_eq!(block(&Setup { beside: vec![EncodingSpec::None], ..Setup::small() }, always), None);
}
