//! Muon's steps on the device: in lockstep with f64, and along the CPU's way.

use crate::device::open;
use crate::job::{MUON, Setup, refined, steps};
use crate::lockstep::{grid, lockstep, tight};

use afterimage::backend::gpu::GpuBackend;
use afterimage::backend::gpu::device::Budget;
use afterimage::backend::gpu::kernel::KernelConfig;
use afterimage::backend::{Backend, cpu};
use afterimage::model::Interpolation;
use pollster::FutureExt as _;
use std::sync::Arc;

/// Matrices that are wide, tall and square; all, some and none of them whole.
fn with_muon() -> impl Iterator<Item = Setup> {
    let small = Setup { optimizer: MUON, ..Setup::small() };
    [
        Setup { options: refined(), ..small.clone() },
        Setup { options: refined(), hidden_width: 20, ..small.clone() },
        Setup { options: refined(), n_layers: 2, hidden_width: 20, ..small.clone() },
        Setup { n_layers: 2, ..small.clone() },
        Setup { n_layers: 6, hidden_width: 9, ..small.clone() },
        Setup { optimizer: MUON, ..grid(Interpolation::Linear) },
    ]
    .into_iter()
}

#[test]
fn lockstep_muon() {
    let Some(gpu) = open(false) else { return };
    for setup in with_muon() {
        lockstep(&gpu, &setup, gpu.budget(), 3);
    }
    let setup = Setup { options: refined(), optimizer: MUON, ..Setup::small() };
    lockstep(&gpu, &setup, tight(), 3);
}

/// Equal matrices are orthogonalised side by side, with the bits that each has alone.
#[test]
fn matrices_side_by_side_have_the_bits_of_each_alone() {
    let Some(gpu) = open(false) else { return };
    let all = Setup { options: refined(), optimizer: MUON, n_layers: 6, hidden_width: 20, ..Setup::small() };
    for setup in [all, Setup { optimizer: MUON, n_layers: 5, hidden_width: 9, ..Setup::small() }] {
        let job = setup.job();
        let (state, steps) = (setup.state(&job), steps(&job, 0..5, 1e-3));
        let train = |budget: Budget| {
            let how = (budget, KernelConfig::default());
            let mut backend =
                GpuBackend::with(Arc::clone(&gpu), job.clone(), &state, how).block_on().expect("fits");
            backend.enqueue(&steps).block_on().expect("the device works");
            let state = backend.state().block_on().expect("the device works");
            (backend.info().kernels.iter().any(|name| name.contains(".networks")), state)
        };
        let alone = train(Budget { matrices_at_once: 1, ..gpu.budget() });
        for matrices_at_once in [2, usize::MAX] {
            let (side_by_side, found) = train(Budget { matrices_at_once, ..gpu.budget() });
            assert!(side_by_side && !alone.0, "{setup:?}");
            assert_eq!(found, alone.1, "{matrices_at_once} at once, {setup:?}");
        }
    }
}

/// Both end where the other does, but for what twelve steps make of roundings.
#[test]
fn muon_goes_where_it_goes_on_the_cpu() {
    let Some(gpu) = open(false) else { return };
    for setup in with_muon() {
        let job = setup.job();
        let (state, steps) = (setup.state(&job), steps(&job, 0..12, 1e-3));
        let mut on_gpu = GpuBackend::new(Arc::clone(&gpu), job.clone(), &state).block_on().expect("fits");
        let mut on_cpu = cpu::CpuTrainer::<f32>::new(job.clone(), &state.params, 2).expect("threads start");
        let params = |backend: &mut dyn Backend| {
            backend.enqueue(&steps).block_on().expect("the device works");
            backend.state().block_on().expect("the device works").params
        };
        let (found, expected) = (params(&mut on_gpu), params(&mut on_cpu));
        let distance =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let (apart, moved) = (distance(&found, &expected), distance(&expected, &state.params));
        println!("{apart:e} apart after {moved:e}");
        assert!(moved > 0.05 && apart < 1e-3 * moved, "{apart:e} apart after {moved:e}");
    }
}
