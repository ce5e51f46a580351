//! Whole steps on the device: lockstep with f64, splitting, order, determinism, state.

use crate::device;
use crate::job;
use crate::lockstep;
use crate::skip::{Missing, skip};

use afterimage::backend::gpu::kernel::{MatmulTiling, Storage};
use afterimage::backend::gpu::{Budget, GpuBackend, GpuPredictor, KernelConfig, Override};
use afterimage::backend::{Backend, BackendError, Job, JobOptions, Predict, cpu};
use afterimage::model::{
    Activation, EncodingSpec, Holdout, Init, Interpolation, Loss, Optimizer, Real, Sampling, Step,
    TrainingState,
};
use device::open;
use job::{ADAM, MUON, Setup, refined, steps};
use lockstep::{grid, is_fused, lockstep, lockstep_with, tight, train};
use pollster::FutureExt as _;
use std::sync::Arc;

#[test]
fn lockstep_relu_adam() {
    let Some(gpu) = open(false) else { return };
    lockstep(&gpu, &Setup::small(), gpu.budget(), 50);
}

#[test]
fn lockstep_of_every_loss() {
    let Some(gpu) = open(false) else { return };
    for &loss in Loss::ALL {
        let options = JobOptions { channel_weights: [1.0, 0.5, 2.0, 1.0], ..JobOptions::default() };
        lockstep(&gpu, &Setup { loss, options, ..Setup::small() }, gpu.budget(), 3);
    }
}

#[test]
fn lockstep_in_parts_with_folded_grids() {
    let Some(gpu) = open(true) else { return };
    lockstep(&gpu, &Setup { bits: 32, ..Setup::small() }, tight(), 4);
}

#[test]
fn lockstep_sine_momentum_held_out() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup {
        activation: Activation::Sine { w0: 30.0 },
        output_activation: Activation::Identity,
        optimizer: Optimizer::Sgd { momentum: 0.9, weight_decay: 1e-3 },
        holdout: Holdout::EveryOther,
        bits: 16,
        channels: 4,
        init: Init::Siren,
        encoding: EncodingSpec::None,
        batch_size: 50,
        ..Setup::small()
    };
    lockstep(&gpu, &setup, gpu.budget(), 6);
}

#[test]
fn lockstep_plain_sgd_of_single_samples() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup {
        optimizer: Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 },
        channels: 1,
        batch_size: 1,
        n_layers: 2,
        encoding: EncodingSpec::Basic,
        ..Setup::small()
    };
    lockstep(&gpu, &setup, gpu.budget(), 5);
}

#[test]
fn lockstep_trained_frequencies() {
    let Some(gpu) = open(true) else { return };
    let setup = Setup { trained_frequencies: true, ..Setup::small() };
    lockstep(&gpu, &setup, gpu.budget(), 5);
    lockstep(&gpu, &setup, tight(), 3);
}

#[test]
fn lockstep_encodings_side_by_side() {
    let Some(gpu) = open(true) else { return };
    let blob = EncodingSpec::OneBlob { bins: 5 };
    // The trained one in the middle, and last.
    let grids = Setup { beside: vec![blob], ..grid(Interpolation::Linear) };
    let grids = Setup { encoding: EncodingSpec::Basic, beside: vec![grids.encoding, blob], ..grids };
    let trained = Setup {
        encoding: EncodingSpec::None,
        beside: vec![EncodingSpec::Gaussian { features: 9, sigma: 4.0 }],
        trained_frequencies: true,
        ..Setup::small()
    };
    for setup in [grids, trained] {
        lockstep(&gpu, &setup, gpu.budget(), 4);
        lockstep(&gpu, &setup, tight(), 3);
    }
}

/// Every way of computing that the device has beside f32, on encodings with and without weights.
#[test]
fn lockstep_of_every_variant() {
    let Some(gpu) = open(true) else { return };
    if !gpu.device.features().contains(wgpu::Features::SHADER_F16) {
        skip(Missing::Other(&format!("{} has no 16-bit floats in shaders", gpu.info.name)));
        return;
    }
    let trained = Setup { trained_frequencies: true, ..Setup::small() };
    let beside = Setup { beside: vec![EncodingSpec::None], ..grid(Interpolation::Linear) };
    for tiling in MatmulTiling::ALL {
        if !tiling.fits(&gpu, Storage::F16) {
            skip(Missing::Other(&format!("{} has no matrices for {tiling:?}", gpu.info.name)));
            continue;
        }
        for setup in [Setup::small(), trained.clone(), beside.clone(), grid(Interpolation::Smoothstep)] {
            let shapes = setup.job().model.network.layers().collect::<Vec<_>>();
            let config = KernelConfig::only(Storage::F16, tiling, shapes.into_iter());
            lockstep_with(&gpu, &setup, (gpu.budget(), config.clone()), 2);
            lockstep_with(&gpu, &setup, (tight(), config), 2);
        }
    }
}

#[test]
fn lockstep_masked() {
    let Some(gpu) = open(true) else { return };
    let setup = Setup { masked: true, holdout: Holdout::EveryOther, batch_size: 20, ..Setup::small() };
    lockstep(&gpu, &setup, gpu.budget(), 4);
    lockstep(&gpu, &Setup { masked: true, ..Setup::small() }, tight(), 3);
}

#[test]
fn lockstep_by_error() {
    let Some(gpu) = open(true) else { return };
    let options = JobOptions { sampling: Sampling::Error, ..JobOptions::default() };
    let setup = Setup { holdout: Holdout::EveryOther, options, ..Setup::small() };
    lockstep(&gpu, &setup, gpu.budget(), 4);
    lockstep(&gpu, &Setup { holdout: Holdout::None, ..setup }, tight(), 3);
}

#[test]
fn lockstep_refined() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup { options: refined(), ..grid(Interpolation::Linear) };
    lockstep(&gpu, &setup, gpu.budget(), 4);
}

#[test]
fn averages_predict_as_on_the_cpu() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup { options: refined(), ..grid(Interpolation::Linear) };
    let (job, steps) = (setup.job(), steps(&setup.job(), 0..20, 1e-2));
    let state = setup.state(&job);
    let mut on_gpu = GpuBackend::new(Arc::clone(&gpu), job.clone(), &state).block_on().expect("fits");
    let mut on_cpu = cpu::CpuTrainer::<f32>::new(job.clone(), &state.params, 1).expect("threads start");
    let n_values = job.picture.n_pixels() as usize * job.picture.channels;
    let predict = |backend: &mut dyn Backend| {
        backend.enqueue(&steps).block_on().expect("the device works");
        let mut colours = vec![0.0; n_values];
        backend.predict(&job.raster, 0, &mut colours).block_on().expect("the device works");
        let state = backend.state().block_on().expect("the device works");
        (colours, state)
    };
    let ((gpu_colours, gpu_state), (cpu_colours, _)) = (predict(&mut on_gpu), predict(&mut on_cpu));
    let difference = gpu_colours.iter().zip(&cpu_colours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-3, "the pictures differ by {difference}");
    let average = gpu_state.clone().into_predicting(&job.options.refinements);
    assert_ne!(average, gpu_state.params, "the average lags behind the weights");
    // The state with its average goes back to the bit.
    on_gpu.set_state(&gpu_state).block_on().expect("its own state");
    assert_eq!(on_gpu.state().block_on().expect("the device works"), gpu_state);
}

#[test]
fn lockstep_encodings_of_each_axis() {
    let Some(gpu) = open(false) else { return };
    for encoding in [EncodingSpec::OneBlob { bins: 17 }, EncodingSpec::TriangleWave { octaves: 6 }] {
        let setup = Setup { encoding, ..Setup::small() };
        lockstep(&gpu, &setup, gpu.budget(), 4);
    }
}

/// The same steps in f64 with the functions of the CPU path.
fn train_f64(job: &Job, state: &TrainingState, steps: &[Step]) -> (Vec<f64>, Vec<f64>) {
    let (layout, network) = (job.model.layout(), &job.model.network);
    let widen = |v: &[f32]| -> Vec<f64> { v.iter().map(|&v| v.into()).collect() };
    let mut params = widen(&state.params);
    let mut moments: Vec<_> = state.moments.iter().map(|m| widen(m)).collect();
    let mut losses = Vec::new();
    for step in steps {
        let (n, channels) = (step.n_samples as usize, network.output_width);
        let (mut coords, mut targets, mut weights) =
            (vec![0.0; 2 * n], vec![0.0; n * channels], vec![0.0; n]);
        cpu::sample::sample(job, step, 0, &mut coords, &mut targets, &mut weights);
        let mut inputs = vec![vec![0.0; n * job.model.encoding.output_width()]];
        cpu::encode::encode(
            &job.model.encoding,
            &params[job.model.layout().encoding],
            &coords,
            &mut inputs[0],
        );
        let mut zs: Vec<Vec<f64>> = Vec::new();
        for (l, layer) in layout.layers.iter().enumerate() {
            let mut z = vec![0.0; n * layer.shape.output_width];
            let (w, b) = (&params[layer.weight.clone()], &params[layer.bias.clone()]);
            cpu::dense::forward(layer.shape, &inputs[l], w, b, &mut z);
            inputs.push(z.iter().map(|&z| network.activation_after(l).value(z)).collect());
            zs.push(z);
        }
        let z = zs.last().expect("layers");
        let mut dl_dz = vec![0.0; z.len()];
        losses.push(cpu::loss::loss_and_gradient(job, n, z, &targets, Some(&weights), &mut dl_dz));
        let mut grads = vec![0.0; params.len()];
        for (l, layer) in layout.layers.iter().enumerate().rev() {
            let (dw, db) = grads[layer.whole()].split_at_mut(layer.weight.len());
            cpu::dense::backward_weights(layer.shape, &dl_dz, &inputs[l], dw, db);
            if l > 0 {
                let mut dl_dx = vec![0.0; inputs[l].len()];
                cpu::dense::backward_input(layer.shape, &dl_dz, &params[layer.weight.clone()], &mut dl_dx);
                let derivative = |z: &f64| network.activation.derivative(*z);
                dl_dz = dl_dx.iter().zip(&zs[l - 1]).map(|(g, z)| g * derivative(z)).collect();
            }
        }
        let mut slices: Vec<&mut [f64]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
        cpu::optimizer::update(job.optimizer, step.index, step.lr, &grads, &mut params, &mut slices);
    }
    (losses, params)
}

#[test]
fn free_running_training_follows_f64() {
    let Some(gpu) = open(false) else { return };
    // A smooth network: a ReLU near zero may fall on either side and then the paths part.
    let setup = Setup {
        activation: Activation::Sigmoid,
        optimizer: Optimizer::Sgd { momentum: 0.9, weight_decay: 0.0 },
        ..Setup::small()
    };
    let job = setup.job();
    let state = setup.state(&job);
    let steps = steps(&job, 0..40, 0.5);
    let mut backend = GpuBackend::new(gpu, job.clone(), &state).block_on().expect("fits");
    let (losses, after) = train(&mut backend, &steps);
    let (want_losses, want_params) = train_f64(&job, &state, &steps);
    let loss_error = losses.iter().zip(&want_losses).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
    let param_error =
        after.params.iter().zip(&want_params).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    println!("40 steps: loss off by {loss_error:.2e} (relative), parameters by {param_error:.2e}");
    assert_eq!(losses.len(), 40);
    assert!(losses[39] < losses[0]);
    // 40 steps of errors of about 1e-6 each, not amplified by a smooth network.
    assert!(loss_error < 1e-4 && param_error < 1e-4);
}

#[test]
fn parts_of_a_step_add_up() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup { activation: Activation::Sigmoid, ..Setup::small() };
    let job = setup.job();
    let state = setup.state(&job);
    let steps = steps(&job, 0..6, 1e-3);
    let mut whole = GpuBackend::new(Arc::clone(&gpu), job.clone(), &state).block_on().expect("fits");
    let whole = train(&mut whole, &steps).0;
    let fused = Budget { batch_bytes: 2048, fused: Override::Always, ..gpu.budget() };
    for (budget, fused) in [(Budget { fused: Override::Never, ..tight() }, false), (fused, true)] {
        let mut parts =
            GpuBackend::with(Arc::clone(&gpu), job.clone(), &state, (budget, KernelConfig::default()))
                .block_on()
                .expect("fits in parts");
        assert!(parts.info().chunk_size < 130, "the budget forces parts");
        assert_eq!(is_fused(&parts), fused);
        for (a, b) in whole.iter().zip(&train(&mut parts, &steps).0) {
            assert!((a - b).abs() <= 1e-5 * a, "{a} and {b}");
        }
    }
}

#[test]
fn runs_are_bit_identical_and_resume_exactly() {
    let Some(gpu) = open(false) else { return };
    for setup in [Setup::small(), Setup { optimizer: MUON, options: refined(), ..Setup::small() }] {
        let job = setup.job();
        let state = setup.state(&job);
        let all = steps(&job, 0..30, 1e-3);
        let backend = |state| GpuBackend::new(Arc::clone(&gpu), job.clone(), state).block_on().expect("fits");
        let first = train(&mut backend(&state), &all);
        assert_eq!(first, train(&mut backend(&state), &all), "a second run");
        let half = train(&mut backend(&state), &all[..14]);
        assert_eq!(half.1.step, 14);
        let rest = train(&mut backend(&half.1), &all[14..]);
        assert_eq!(first.1, rest.1, "a resumed run");
        assert_eq!(first.0, [half.0, rest.0].concat());
    }
}

#[test]
fn more_steps_than_the_ring_has_slots() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup { hidden_width: 4, n_layers: 2, batch_size: 8, ..Setup::small() };
    let job = setup.job();
    let mut backend = GpuBackend::new(gpu, job.clone(), &setup.state(&job)).block_on().expect("fits");
    let steps = steps(&job, 0..2500, 1e-3);
    let mut losses = Vec::new();
    for part in steps.chunks(1100) {
        backend.enqueue(part).block_on().expect("device works");
        losses.extend(backend.take_losses().expect("device works"));
    }
    backend.finish().block_on().expect("device works");
    losses.extend(backend.take_losses().expect("device works"));
    assert_eq!(losses.len(), 2500);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&losses[2400..]) < mean(&losses[..100]));
}

#[test]
fn predictions_are_the_networks_colours() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup { optimizer: ADAM, ..Setup::small() };
    let job = setup.job();
    let parts = Budget { batch_bytes: 2048, ..gpu.budget() };
    let how = (parts, KernelConfig::default());
    let mut backend = GpuBackend::with(Arc::clone(&gpu), job.clone(), &setup.state(&job), how)
        .block_on()
        .expect("fits in parts");
    let (_, state) = train(&mut backend, &steps(&job, 0..5, 1e-3));
    let (first, n) = (20, 300);
    let mut colours = vec![f32::NAN; n * 3];
    backend.predict(&job.raster, first, &mut colours).block_on().expect("device works");
    let mut predictor = GpuPredictor::new(gpu, job.model.clone(), &state.params).block_on().expect("fits");
    let mut again = vec![f32::NAN; n * 3];
    predictor.predict(&job.raster, first, &mut again).block_on().expect("device works");
    assert_eq!(colours, again, "with and without a picture");
    let want = predict_f64(&job, &state, first, n);
    let worst = colours.iter().zip(&want).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-5, "off by {worst:.1e}");
}

fn predict_f64(job: &Job, state: &TrainingState, first: u64, n: usize) -> Vec<f64> {
    let network = &job.model.network;
    let position = |i: u64| job.raster.position((i % 21) as u32, (i / 21) as u32);
    let coords: Vec<f64> = (first..first + n as u64).flat_map(position).map(f64::from).collect();
    let params: Vec<f64> = state.params.iter().map(|&v| v.into()).collect();
    let mut x = vec![0.0; n * network.input_width];
    cpu::encode::encode(&job.model.encoding, &params[job.model.layout().encoding], &coords, &mut x);
    for (l, layer) in job.model.layout().layers.iter().enumerate() {
        let mut z = vec![0.0; n * layer.shape.output_width];
        cpu::dense::forward(
            layer.shape,
            &x,
            &params[layer.weight.clone()],
            &params[layer.bias.clone()],
            &mut z,
        );
        x = z.into_iter().map(|z| network.activation_after(l).value(z)).collect();
    }
    x.into_iter().map(Real::as_f64).collect()
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_made() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup::small();
    let job = setup.job();
    let message = |budget: Budget| match GpuBackend::with(
        Arc::clone(&gpu),
        job.clone(),
        &setup.state(&job),
        (budget, KernelConfig::default()),
    )
    .block_on()
    {
        Err(BackendError::DoesNotFit(message)) => message,
        other => panic!("{:?}", other.map(|_| "fits")),
    };
    let all = gpu.budget();
    assert!(message(Budget { max_binding_bytes: 1024, ..all }).contains("parameters"));
    assert!(message(Budget { batch_bytes: 16, ..all }).contains("one sample"));
    let state = TrainingState { moments: Vec::new(), ..setup.state(&job) };
    let wrong = GpuBackend::new(Arc::clone(&gpu), job.clone(), &state).block_on();
    assert!(matches!(wrong, Err(BackendError::StateMismatch(_))));
}
