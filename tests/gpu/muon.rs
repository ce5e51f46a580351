//! Muon's steps on the device: in lockstep with f64, and along the CPU's way.

use crate::device::open;
use crate::job::{MUON, Setup, refined, steps};
use crate::lockstep::{grid, lockstep, tight};

use afterimage::backend::gpu::GpuBackend;
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
