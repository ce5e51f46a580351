//! The f64 reference against PyTorch in float64 (`tests/golden/generate.py`): output, loss, the
//! gradient of each tensor, and ten steps of each optimiser.

use afterimage::backend::cpu::CpuTrainer;
use afterimage::backend::cpu::encode::encode;
use afterimage::backend::{Backend, Job, JobOptions, Predict};
use afterimage::block_on;
use afterimage::model::optimizer::MuonLayers;
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, HashGrid, Holdout, Interpolation, Loss, Mlp, Model,
    Optimizer, Refinements, SampleSet, Shuffle, Step,
};
use afterimage::picture::{Picture, Pixels};
use safetensors::{Dtype, SafeTensors};
use std::sync::Arc;

/// Both sides add a few hundred terms of order one in f64, in different orders: about 1e-14
/// apart. Ten steps amplify that a little; Adam's division by sqrt(v) more.
const TOLERANCE: f64 = 1e-11;

/// Those of `refined` in generate.py.
const REFINEMENTS: Refinements = Refinements {
    encoding_rate: 3.0,
    encoding_l2: 0.02,
    l2: 0.05,
    clip_norm: Some(0.05),
    ema: Some(0.8),
    matrix_rate: 1.0,
    muon_layers: MuonLayers::Hidden,
};

struct Golden {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Golden {
    fn read(name: &'static str) -> Self {
        let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Self { name, bytes: std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")) }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("the golden file is whole")
    }

    fn f64s(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensors().tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(tensor.dtype(), Dtype::F64, "{name}");
        tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
    }

    /// The encoding's weights, W and b of all layers under `prefix`, one after the other: the flat buffer.
    fn params(&self, prefix: &str) -> Vec<f64> {
        let layers =
            (0..3).flat_map(|layer| ["weight", "bias"].map(|kind| format!("{prefix}.{layer}.{kind}")));
        let encoding = self.has_weights().then(|| format!("{prefix}.encoding"));
        encoding.into_iter().chain(layers).flat_map(|name| self.f64s(&name)).collect()
    }

    /// Whether the encoding has weights: frequencies (m, 2), or the entries of a grid.
    fn has_weights(&self) -> bool {
        self.tensors().tensor("initial.encoding").is_ok()
    }

    fn encoding(&self) -> Encoding {
        if self.has_weights() {
            return self.trained_encoding();
        }
        match self.tensors().tensor("encoding.frequencies") {
            Err(_) => Encoding::IDENTITY,
            Ok(tensor) => {
                let values: Vec<f32> = tensor
                    .data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")))
                    .collect();
                Encoding::Fourier { frequencies: values.chunks_exact(2).map(|b| [b[0], b[1]]).collect() }
            }
        }
    }

    fn trained_encoding(&self) -> Encoding {
        // LEVELS of generate.py.
        let levels = [(3, 25), (5, 32), (8, 32)];
        let grid = |interpolation| Encoding::Grid(HashGrid::from_levels(2, interpolation, levels));
        match self.name {
            "trained" => {
                let initial: Vec<f32> = self.f64s("initial.encoding").iter().map(|&v| v as f32).collect();
                Encoding::TrainedFourier { initial: initial.as_chunks().0.to_vec() }
            }
            "smoothstep" => grid(Interpolation::Smoothstep),
            "side-by-side" => Encoding::side_by_side(vec![
                Encoding::IDENTITY,
                grid(Interpolation::Linear),
                Encoding::new(EncodingSpec::Octaves { octaves: 3 }, 0),
            ]),
            _ => grid(Interpolation::Linear),
        }
    }

    fn job(&self, optimizer: Optimizer) -> Job {
        let pixels = self.tensors().tensor("pixels").expect("pixels").data().to_vec();
        let (width, height) = (7, 5);
        let picture = Arc::new(Picture { width, height, channels: 3, pixels: Pixels::U8(pixels) });
        let encoding = self.encoding();
        let network = Mlp {
            input_width: encoding.output_width(),
            hidden_width: 11,
            output_width: 3,
            n_layers: 3,
            activation: Activation::Relu,
            output_activation: Activation::Sigmoid,
        };
        Job {
            model: Model { encoding, network },
            raster: picture.raster(Coords::Center),
            samples: SampleSet { width, height, holdout: Holdout::None, masked: None },
            picture,
            loss: Loss::Mse,
            optimizer,
            batch_size: width * height,
            options: JobOptions::default(),
        }
    }
}

fn step(index: u64, lr: f64) -> Step {
    Step { index, shuffle: Shuffle::new(35, 1, index), first_sample: 0, n_samples: 35, lr, importance: None }
}

/// Largest difference over the largest expected value.
fn assert_close(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let share = (a - e).abs() / scale / tolerance;
        assert!(share <= 1.0, "{what}[{i}] is {a}, PyTorch has {e}: {share:.2} of the tolerance");
    }
}

fn check(name: &'static str) {
    let golden = Golden::read(name);
    let plain = Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 };
    let mut trainer =
        CpuTrainer::new(golden.job(plain), &golden.params("initial"), 2).expect("threads start");
    let (loss, gradients) = trainer.loss_and_gradients(&step(0, 0.0));
    assert_close(&format!("{name} loss"), &[loss], &golden.f64s("loss"), TOLERANCE);
    assert_close(&format!("{name} gradient"), &gradients, &golden.params("gradient"), TOLERANCE);
    let mut output = vec![0.0; 35 * 3];
    let raster = golden.job(plain).raster;
    block_on(trainer.predict(&raster, 0, &mut output)).expect("the CPU predicts");
    let output: Vec<f64> = output.into_iter().map(f64::from).collect();
    // Predictions come as f32.
    assert_close(&format!("{name} output"), &output, &golden.f64s("output"), f64::from(f32::EPSILON));

    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let muon = Optimizer::Muon { momentum: 0.9, beta1, beta2, epsilon, weight_decay: 0.1 };
    for (optimizer_name, lr, optimizer) in [
        ("sgd", 0.3, plain),
        ("momentum", 0.1, Optimizer::Sgd { momentum: 0.9, weight_decay: 0.01 }),
        ("nesterov", 0.05, Optimizer::Nesterov { momentum: 0.8, weight_decay: 0.02 }),
        ("adam", 1e-2, Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 }),
        ("adamw", 1e-2, Optimizer::Adam { beta1: 0.85, beta2: 0.99, epsilon, weight_decay: 0.1 }),
        ("lion", 3e-3, Optimizer::Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.1 }),
        (
            "adabelief",
            1e-2,
            Optimizer::AdaBelief { beta1: 0.9, beta2: 0.999, epsilon: 1e-16, weight_decay: 0.0 },
        ),
        ("muon", 1e-2, muon),
        ("muon-but-last", 1e-2, muon),
        ("refined", 1e-2, Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 }),
    ] {
        let mut job = golden.job(optimizer);
        let muon = |muon_layers| Refinements { matrix_rate: 5.0, muon_layers, ..Refinements::default() };
        job.options.refinements = match optimizer_name {
            "refined" => REFINEMENTS,
            "muon" => muon(MuonLayers::Hidden),
            "muon-but-last" => muon(MuonLayers::ButLast),
            _ => Refinements::default(),
        };
        let mut trainer = CpuTrainer::new(job, &golden.params("initial"), 2).expect("threads start");
        let losses: Vec<f64> = (0..10).map(|i| trainer.step(&step(i, lr))).collect();
        let what = format!("{name} {optimizer_name}");
        assert_close(
            &format!("{what} losses"),
            &losses,
            &golden.f64s(&format!("{optimizer_name}.losses")),
            TOLERANCE,
        );
        let expected = golden.params(&format!("{optimizer_name}.final"));
        assert_close(&format!("{what} weights"), trainer.params(), &expected, TOLERANCE);
        if optimizer_name == "refined" {
            let state = block_on(trainer.state()).expect("the CPU has its state");
            let average: Vec<f64> = state.into_predicting(&REFINEMENTS).into_iter().map(f64::from).collect();
            // States are f32.
            let expected = golden.params("refined.average");
            assert_close(&format!("{what} average"), &average, &expected, f64::from(f32::EPSILON));
        }
    }
}

#[test]
fn activations_and_losses() {
    let golden = Golden::read("formulas");
    let (z, p, t) = (golden.f64s("z"), golden.f64s("p"), golden.f64s("t"));
    for activation in Activation::ALL {
        let name = activation.name();
        let (values, derivatives): (Vec<f64>, Vec<f64>) =
            z.iter().map(|&z| activation.value_and_derivative(z)).unzip();
        assert_close(name, &values, &golden.f64s(&format!("{name}.value")), TOLERANCE);
        let what = format!("{name}'s derivative");
        assert_close(&what, &derivatives, &golden.f64s(&format!("{name}.derivative")), TOLERANCE);
    }
    for loss in Loss::ALL {
        let name = loss.name();
        let (values, derivatives): (Vec<f64>, Vec<f64>) =
            p.iter().zip(&t).map(|(&p, &t)| loss.value_and_derivative(p, t)).unzip();
        assert_close(name, &values, &golden.f64s(&format!("loss.{name}.value")), TOLERANCE);
        let what = format!("{name}'s derivative");
        assert_close(&what, &derivatives, &golden.f64s(&format!("loss.{name}.derivative")), TOLERANCE);
    }
}

#[test]
fn encodings_of_each_axis() {
    let golden = Golden::read("formulas");
    let coords = golden.f64s("c");
    for (name, spec) in [
        ("one-blob.16", EncodingSpec::OneBlob { bins: 16 }),
        ("one-blob.2", EncodingSpec::OneBlob { bins: 2 }),
        ("triangle-wave.12", EncodingSpec::TriangleWave { octaves: 12 }),
    ] {
        let encoding = Encoding::new(spec, 0);
        let positions: Vec<f64> = coords.iter().flat_map(|&c| [c, c]).collect();
        let mut features = vec![0.0; coords.len() * encoding.output_width()];
        encode(&encoding, &[], &positions, &mut features);
        let of_axis = golden.f64s(name);
        let rows = of_axis.chunks_exact(encoding.output_width() / 2);
        let expected: Vec<f64> = rows.flat_map(|row| row.repeat(2)).collect();
        assert_close(name, &features, &expected, TOLERANCE);
    }
}

#[test]
fn none() {
    check("none");
}

#[test]
fn basic() {
    check("basic");
}

#[test]
fn positional() {
    check("positional");
}

#[test]
fn gaussian() {
    check("gaussian");
}

#[test]
fn trained_frequencies() {
    check("trained");
}

#[test]
fn grid() {
    check("grid");
}

#[test]
fn smoothstep() {
    check("smoothstep");
}

#[test]
fn side_by_side() {
    check("side-by-side");
}
