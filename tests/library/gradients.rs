//! The reference's gradients against central differences, in f64.
//!
//! Smooth networks use the five-point rule with h = 5e-4, whose truncation error is O(h^4).
//!
//! A ReLU network is smooth except where a pre-activation is zero, and a step across such a kink
//! spoils the difference. So it uses the three-point rule with h = 1e-6: in the 35 samples of
//! 33 units at most, a weight's move by h moves each pre-activation by about h, and the chance
//! that one of them, of order one, crosses zero is about 1e-3 a weight. With the fixed seeds here
//! none does; one that did would show as an error thousands of times above the bound.

use afterimage::backend::cpu::CpuTrainer;
use afterimage::backend::{Job, JobOptions};
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, Holdout, Importance, Init, Interpolation, Loss, Mlp, Model,
    Optimizer, SampleSet, Sampling, Shuffle, Step,
};
use afterimage::picture::{Picture, Pixels};
use std::sync::Arc;

const BOUND: f64 = 1e-7;

/// Three levels; with a table of 32 entries the first is dense (5 x 5 vertices), the others hashed.
fn grid(features_per_level: usize, log2_table: Option<u32>, interpolation: Interpolation) -> EncodingSpec {
    let (levels, base_resolution, growth) = (3, 3, 1.6);
    match log2_table {
        Some(log2_table) => EncodingSpec::HashGrid {
            levels,
            features_per_level,
            log2_table,
            base_resolution,
            growth,
            interpolation,
        },
        None => {
            EncodingSpec::DenseGrid { levels, features_per_level, base_resolution, growth, interpolation }
        }
    }
}

fn job(spec: EncodingSpec, n_layers: usize, activation: Activation, output_activation: Activation) -> Job {
    job_on((7, 5), spec, n_layers, activation, output_activation)
}

fn job_on(
    (width, height): (u32, u32),
    spec: EncodingSpec,
    n_layers: usize,
    activation: Activation,
    output_activation: Activation,
) -> Job {
    let channels = 3;
    let pixels = (0..width * height * channels).map(|i| (i * 97 % 251) as u8).collect();
    let picture =
        Arc::new(Picture { width, height, channels: channels as usize, pixels: Pixels::U8(pixels) });
    let encoding = Encoding::new(spec, 3);
    let network = Mlp {
        input_width: encoding.output_width(),
        hidden_width: 11,
        output_width: 3,
        n_layers,
        activation,
        output_activation,
    };
    Job {
        model: Model { encoding, network },
        raster: picture.raster(Coords::Center),
        samples: SampleSet { width, height, holdout: Holdout::None, masked: None },
        picture,
        loss: Loss::Mse,
        optimizer: Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 },
        batch_size: width * height,
        options: JobOptions::default(),
    }
}

/// The largest |numeric - analytic| over the largest gradient.
///
/// Not over each gradient itself: differences resolve no more than eps L / h = 1e-11 in absolute
/// terms, which is all that is left of a gradient near zero.
fn worst_relative_error(job: &Job) -> f64 {
    worst_relative_error_from(job, 5)
}

/// From the initial weights of `seed`.
fn worst_relative_error_from(job: &Job, seed: u64) -> f64 {
    let drawn = Init::GlorotNormal.draw(&job.model, seed);
    let mut params: Vec<f64> = drawn.iter().map(|&w| f64::from(w)).collect();
    // A grid's features begin near zero, where the network hardly depends on them.
    if let Some((Encoding::Grid(_), _)) = job.model.encoding.trained_part() {
        params[job.model.layout().encoding].iter_mut().for_each(|w| *w *= 5e3);
    }
    let n = job.batch_size;
    let step = Step {
        index: 0,
        shuffle: Shuffle::new(n, 1, 0),
        first_sample: 0,
        n_samples: n,
        lr: 1.0,
        importance: (job.options.sampling == Sampling::Error).then(|| {
            let errors: Vec<f64> =
                (0..Importance::n_blocks(job.samples)).map(|b| [0.1, 1e-3][b % 2]).collect();
            Arc::new(Importance::new(job.samples, &errors))
        }),
    };
    let mut trainer = CpuTrainer::new(job.clone(), &params, 1).expect("threads start");
    let mut at = |params: &[f64]| {
        trainer.set_params(params);
        trainer.loss_and_gradients(&step)
    };
    let (_, analytic) = at(&params);
    let largest = analytic.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    assert!(largest > 1e-4, "gradients vanish: the check would check nothing");
    let mut worst = 0.0_f64;
    for (i, &g) in analytic.iter().enumerate() {
        let mut moved = |by: f64| {
            let mut params = params.clone();
            params[i] += by;
            at(&params).0
        };
        let numeric = if job.model.network.activation == Activation::Relu {
            let h = 1e-6;
            (moved(h) - moved(-h)) / (2.0 * h)
        } else {
            let h = 5e-4;
            (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h)
        };
        let error = (numeric - g).abs() / largest;
        assert!(!error.is_nan(), "gradient {i} is {g}, numerically {numeric}");
        worst = worst.max(error);
    }
    worst
}

#[test]
fn weighted_samples() {
    // Six blocks, of which three have larger errors.
    let mut job = job_on((17, 13), EncodingSpec::Basic, 3, Activation::Tanh, Activation::Sigmoid);
    job.options.sampling = Sampling::Error;
    job.options.channel_weights = [1.0, 0.5, 2.0, 1.0];
    let worst = worst_relative_error(&job);
    assert!(worst < BOUND, "relative error {worst:e}");
}

#[test]
fn trained_frequencies() {
    let spec = EncodingSpec::Gaussian { features: 5, sigma: 2.0 };
    for activation in [Activation::Tanh, Activation::Sine { w0: 3.0 }] {
        let mut job = job(spec, 3, activation, Activation::Sigmoid);
        job.model.encoding = job.model.encoding.with_trained_frequencies();
        assert_eq!(job.model.encoding.n_params(), 10);
        let worst = worst_relative_error(&job);
        assert!(worst < BOUND, "{activation:?}: relative error {worst:e}");
    }
}

#[test]
fn encodings_side_by_side() {
    let specs = [EncodingSpec::None, EncodingSpec::Basic, grid(2, Some(5), Interpolation::Linear)];
    let parts = || specs.map(|spec| Encoding::new(spec, 3)).to_vec();
    let trained = || Encoding::side_by_side(parts()[..2].to_vec()).with_trained_frequencies();
    for encoding in [Encoding::side_by_side(parts()), trained()] {
        let mut job = job(EncodingSpec::None, 3, Activation::Tanh, Activation::Sigmoid);
        job.model.network.input_width = encoding.output_width();
        job.model.encoding = encoding;
        let worst = worst_relative_error(&job);
        assert!(worst < BOUND, "{:?}: relative error {worst:e}", job.model.encoding);
    }
}

#[test]
fn whole_networks() {
    let encodings = [
        EncodingSpec::None,
        EncodingSpec::Basic,
        EncodingSpec::Positional { features: 6, sigma: 3.0 },
        EncodingSpec::Gaussian { features: 5, sigma: 2.0 },
        EncodingSpec::Octaves { octaves: 3 },
        EncodingSpec::TriangleWave { octaves: 4 },
        EncodingSpec::OneBlob { bins: 4 },
        grid(2, Some(5), Interpolation::Linear),
        grid(1, Some(4), Interpolation::Smoothstep),
        grid(4, None, Interpolation::Linear),
    ];
    for encoding in encodings {
        for n_layers in [2, 3, 4] {
            for activation in [Activation::Relu, Activation::Sine { w0: 3.0 }, Activation::Sigmoid] {
                for output in [Activation::Sigmoid, Activation::Identity] {
                    let worst = worst_relative_error(&job(encoding, n_layers, activation, output));
                    assert!(
                        worst < BOUND,
                        "{encoding:?}, {n_layers} layers, {activation:?}, {output:?}: relative error {worst:e}"
                    );
                }
            }
        }
    }
}

/// With ReLU, these weights leave a unit within a difference's reach of its kink, where there is no
/// derivative to compare with; other initial weights do not.
#[test]
fn smoothstep_grids_of_four_features() {
    let encoding = grid(4, None, Interpolation::Smoothstep);
    for activation in [Activation::Sine { w0: 3.0 }, Activation::Sigmoid, Activation::Relu] {
        let job = job(encoding, 3, activation, Activation::Sigmoid);
        let worst = worst_relative_error_from(&job, 6);
        assert!(worst < BOUND, "{activation:?}: relative error {worst:e}");
    }
}

#[test]
fn losses() {
    for &loss in Loss::ALL {
        // No difference from the target is at a kink: 0, or huber's delta of 0.1.
        for (p, t) in [(0.3, 0.71), (0.9, 0.42), (-0.5, 0.2), (0.61, 0.63), (0.2, 0.15), (3.0, 0.4)] {
            let h = 1e-5;
            let value = |p: f64| loss.value_and_derivative(p, t).0;
            // These two are defined with their denominator held constant.
            let scale: fn(f64, f64) -> f64 = match loss {
                Loss::RelativeL2 => |p, _| p * p + 0.01,
                Loss::Smape => |p, t| 0.5 * (p.abs() + t.abs()) + 0.01,
                _ => |_, _| 1.0,
            };
            let numerator = |p: f64| value(p) * scale(p, t);
            let numeric = (numerator(p + h) - numerator(p - h)) / (2.0 * h) / scale(p, t);
            let exact = loss.value_and_derivative(p, t).1;
            let error = (numeric - exact).abs() / exact.abs().max(1e-2);
            assert!(error < BOUND, "{loss:?} at {p}, {t}: {exact}, numerically {numeric}");
        }
        assert_eq!(loss.value_and_derivative(0.37, 0.37), (0.0, 0.0), "{loss:?}");
    }
}

#[test]
fn whole_networks_with_smooth_losses_and_weighted_channels() {
    for loss in [Loss::HalfMse, Loss::LogCosh] {
        let mut job = job(EncodingSpec::Basic, 3, Activation::Sine { w0: 3.0 }, Activation::Sigmoid);
        job.loss = loss;
        job.options.channel_weights = [0.3, 1.0, 2.5, 0.0];
        let worst = worst_relative_error(&job);
        assert!(worst < BOUND, "{loss:?}: relative error {worst:e}");
    }
}

#[test]
fn activations() {
    // Away from ReLU's kink at 0 by far more than h.
    for &activation in Activation::ALL {
        for z in [-2.3, -0.7, -0.01, 0.013, 0.4, 1.9] {
            // Balances h^2 f'''/6 (w0^3 for sine) against rounding, eps / h.
            let h = 1e-6;
            let numeric = (activation.value(z + h) - activation.value(z - h)) / (2.0 * h);
            let exact: f64 = activation.derivative(z);
            let error = (numeric - exact).abs() / exact.abs().max(1e-2);
            assert!(error < BOUND, "{activation:?} at {z}: {exact}, numerically {numeric}");
            assert_eq!(activation.value_and_derivative(z), (activation.value(z), exact));
        }
    }
}
