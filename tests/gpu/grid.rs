//! Grids on the device: lockstep with f64, and both ways of adding up their gradients.

use crate::device;
use crate::job;
use crate::lockstep;
use crate::skip::{Missing, skip};

use afterimage::backend::gpu::kernel::Kernel;
use afterimage::backend::gpu::{Budget, Gpu, GpuBackend, KernelConfig, Override, ops};
use afterimage::backend::{Backend, BackendError, JobOptions, cpu};
use afterimage::model::{Activation, GridGradients, Interpolation, Optimizer};
use device::open;
use job::{Setup, steps};
use lockstep::{grid, lockstep, tight, train};
use pollster::FutureExt as _;
use std::sync::Arc;

#[test]
fn lockstep_hash_grid() {
    let Some(gpu) = open(false) else { return };
    lockstep(&gpu, &grid(Interpolation::Linear), gpu.budget(), 20);
}

#[test]
fn lockstep_hash_grid_in_parts_with_folded_grids() {
    let Some(gpu) = open(true) else { return };
    lockstep(&gpu, &grid(Interpolation::Smoothstep), tight(), 4);
}

#[test]
fn hash_grids_follow_the_cpu_and_repeat_to_the_bit() {
    let Some(gpu) = open(false) else { return };
    // Smooth, so that the paths do not part at a kink.
    let setup = Setup {
        activation: Activation::Sigmoid,
        optimizer: Optimizer::Sgd { momentum: 0.9, weight_decay: 0.0 },
        ..grid(Interpolation::Linear)
    };
    let job = setup.job();
    let mut state = setup.state(&job);
    let encoding = job.model.layout().encoding;
    // Far enough from zero to matter from the first step.
    state.params[encoding.clone()].iter_mut().for_each(|w| *w *= 1e4);
    let steps = steps(&job, 0..40, 0.5);
    let run = |budget| {
        let gpu = Arc::clone(&gpu);
        let mut backend = GpuBackend::with(gpu, job.clone(), &state, (budget, KernelConfig::default()))
            .block_on()
            .expect("fits");
        train(&mut backend, &steps)
    };
    let first = run(gpu.budget());
    assert_eq!(first, run(gpu.budget()), "a second run");
    let mut on_cpu = cpu::CpuTrainer::new(job.clone(), &state.params, 2).expect("threads start");
    let losses: Vec<f64> = steps.iter().map(|step| on_cpu.step(step)).collect();
    let error = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let learned = error(&first.1.params[encoding.clone()], &state.params[encoding]);
    let apart = error(&first.1.params, on_cpu.params());
    println!("40 steps: the grid's weights moved by up to {learned:.2e} and all are {apart:.2e} apart");
    assert!(losses[39] < 0.9 * losses[0]);
    // 40 steps of errors of about 1e-6 each, not amplified by a smooth network.
    assert!(learned > 1e-3 && apart < 1e-5);
}

fn with_floats(interpolation: Interpolation) -> Setup {
    let options = JobOptions { grid_gradients: GridGradients::Float, ..JobOptions::default() };
    Setup { options, ..grid(interpolation) }
}

/// A device with float atomics, or `None`, and the test is skipped.
fn open_with_float_atomics(checked_shaders: bool) -> Option<Arc<Gpu>> {
    let gpu = open(checked_shaders)?;
    let float = Kernel::plain(&ops::grid::BACKWARD_FLOAT);
    if float.runs_on(&gpu) {
        return Some(gpu);
    }
    skip(Missing::Other(&format!("{} lacks {}", gpu.info.name, float.needs())));
    None
}

#[test]
fn lockstep_with_float_atomics() {
    let Some(gpu) = open_with_float_atomics(false) else { return };
    lockstep(&gpu, &with_floats(Interpolation::Linear), gpu.budget(), 20);
}

#[test]
fn lockstep_with_float_atomics_in_parts_with_folded_grids() {
    let Some(gpu) = open_with_float_atomics(true) else { return };
    lockstep(&gpu, &with_floats(Interpolation::Smoothstep), tight(), 4);
}

#[test]
fn floats_take_no_fixed_point_sums_and_end_where_exact_sums_do() {
    let Some(gpu) = open_with_float_atomics(false) else { return };
    let smooth = |setup| Setup {
        activation: Activation::Sigmoid,
        optimizer: Optimizer::Sgd { momentum: 0.9, weight_decay: 0.0 },
        ..setup
    };
    let run = |setup: Setup| {
        let job = setup.job();
        let mut state = setup.state(&job);
        state.params[job.model.layout().encoding].iter_mut().for_each(|w| *w *= 1e4);
        // Floats are added layer by layer, so both are.
        let budget = Budget { fused: Override::Never, ..gpu.budget() };
        let mut backend =
            GpuBackend::with(Arc::clone(&gpu), job.clone(), &state, (budget, KernelConfig::default()))
                .block_on()
                .expect("fits");
        let bytes = backend.info().bytes;
        (bytes, job.model.encoding.n_params(), train(&mut backend, &steps(&job, 0..40, 0.5)).1.params)
    };
    let (exact_bytes, n_encoding, exact) = run(smooth(grid(Interpolation::Linear)));
    let (float_bytes, _, float) = run(smooth(with_floats(Interpolation::Linear)));
    assert_eq!(exact_bytes - float_bytes, 8 * n_encoding as u64);
    let apart = exact.iter().zip(&float).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("40 steps: {apart:.2e} apart");
    // As far as exact sums and the CPU's may be apart.
    assert!(apart < 1e-5);
}

#[test]
fn a_device_without_float_atomics_is_refused() {
    use afterimage::backend::gpu::DeviceOptions;
    let options = DeviceOptions { default_limits: true, ..DeviceOptions::default() };
    let Some(gpu) = device::open_with(options) else { return };
    let job = with_floats(Interpolation::Linear).job();
    let state = with_floats(Interpolation::Linear).state(&job);
    match GpuBackend::new(gpu, job, &state).block_on() {
        Err(BackendError::Unsupported(reason)) => assert!(reason.contains("--grid-gradients"), "{reason}"),
        other => panic!("{:?}", other.map(|backend| backend.info().clone())),
    }
}
