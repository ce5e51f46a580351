//! A picture that stays on the host trains to the bits that it does on the device.

use crate::device;
use crate::job;

use afterimage::backend::gpu::{Budget, Gpu, GpuBackend, KernelConfig};
use afterimage::backend::{Backend, Job, JobOptions};
use afterimage::model::{EncodingSpec, Holdout, Sampling, TrainingState};
use device::open;
use job::{Setup, steps};
use pollster::FutureExt as _;
use std::sync::Arc;

/// Steps of three epochs and a bit: the last of an epoch is shorter.
const STEPS: u64 = 11;

const LR: f64 = 1e-2;

/// Too small for any picture.
fn streaming(budget: Budget) -> Budget {
    Budget { picture_part_bytes: 4, ..budget }
}

fn backend(gpu: &Arc<Gpu>, job: &Job, state: &TrainingState, budget: Budget) -> GpuBackend {
    GpuBackend::with(Arc::clone(gpu), job.clone(), state, (budget, KernelConfig::default()))
        .block_on()
        .expect("fits")
}

/// Steps `range`, their losses and what they lead to.
fn train(backend: &mut GpuBackend, job: &Job, range: std::ops::Range<u64>) -> (Vec<f64>, TrainingState) {
    backend.enqueue(&steps(job, range, LR)).block_on().expect("the device works");
    backend.finish().block_on().expect("the device works");
    (backend.take_losses().expect("the device works"), backend.state().block_on().expect("the device works"))
}

/// A picture of each depth, with all that says which pixels are samples.
fn setups() -> [Setup; 4] {
    let by_error = JobOptions { sampling: Sampling::Error, ..JobOptions::default() };
    let small = Setup { hidden_width: 16, n_layers: 3, ..Setup::small() };
    [
        small.clone(),
        Setup { bits: 16, channels: 4, masked: true, ..small.clone() },
        Setup { bits: 32, options: by_error, ..small.clone() },
        Setup {
            encoding: EncodingSpec::Basic,
            holdout: Holdout::EveryOther,
            batch_size: 1,
            channels: 1,
            ..small
        },
    ]
}

#[test]
fn streamed_and_resident_runs_have_the_same_bits() {
    let Some(gpu) = open(true) else { return };
    let all = gpu.budget();
    let budgets = [
        // Many steps a submission; one step; a step of several parts, and submissions of a few samples.
        all,
        Budget { stream_bytes: 3000, ..all },
        Budget { batch_bytes: 24 * 1024, stream_bytes: 256, ..all },
    ];
    for (n, setup) in setups().iter().enumerate() {
        let job = setup.job();
        let state = setup.state(&job);
        for (m, budget) in budgets.into_iter().enumerate() {
            let mut resident = backend(&gpu, &job, &state, budget);
            let mut streamed = backend(&gpu, &job, &state, streaming(budget));
            assert!(streamed.info().streams_picture && !resident.info().streams_picture);
            assert_eq!(streamed.info().chunk_size, resident.info().chunk_size);
            let (on_device, from_host) =
                (train(&mut resident, &job, 0..STEPS), train(&mut streamed, &job, 0..STEPS));
            assert_eq!(on_device.0, from_host.0, "losses of setup {n}, budget {m}");
            assert!(on_device.1 == from_host.1, "weights of setup {n}, budget {m}");
            // On another device, from the middle of an epoch.
            let (_, middle) = train(&mut backend(&gpu, &job, &state, streaming(budget)), &job, 0..4);
            let mut resumed = backend(&gpu, &job, &middle, streaming(budget));
            assert!(train(&mut resumed, &job, 4..STEPS).1 == on_device.1, "resumed: setup {n}, budget {m}");
        }
    }
}

#[test]
fn lockstep_streamed() {
    let Some(gpu) = open(true) else { return };
    for setup in setups() {
        let job = setup.job();
        let budget = streaming(Budget { stream_bytes: 1024, ..gpu.budget() });
        let mut backend = backend(&gpu, &job, &setup.state(&job), budget);
        let entries = backend.lockstep(&steps(&job, 0..4, LR)).block_on().expect("the device works");
        assert!(entries.iter().any(|entry| entry.kernel == "sample_streamed"));
        for entry in &entries {
            assert!(entry.worst.passes(), "{entry:?}");
        }
        let (losses, state) = train(&mut backend, &job, 4..6);
        let mut resident =
            GpuBackend::new(Arc::clone(&gpu), job.clone(), &setup.state(&job)).block_on().expect("fits");
        let (all, expected) = train(&mut resident, &job, 0..6);
        assert_eq!(losses, all[4..]);
        assert!(state == expected, "weights after a lockstep");
    }
}
