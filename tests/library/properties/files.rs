//! Files that are written are read as what they were.

use super::cases;
use afterimage::backend::tuned::{FusedBlock, KernelConfig, MatmulTiling, Storage, TunedConfig};
use afterimage::config::{ActivationKind, Config, Sigma};
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, Holdout, Importance, Init, LayerShape, Mlp, Model, SampleSet,
    ScheduleKind, TrainingState,
};
use afterimage::model_file::ModelFile;
use afterimage::picture::{Curve, Depth, Picture, Pixels, Transfer, load, save_png};
use afterimage::run::checkpoint::{self, Fingerprint};
use afterimage::run::{MetricsWriter, RunFolder, read_metrics};
use afterimage::trainer::{Best, Checkpoint, EpochSummary, Position};
use proptest::collection::{btree_map, vec};
use proptest::num::f64::{INFINITE, NORMAL, SUBNORMAL, ZERO};
use proptest::option::of;
use proptest::prelude::*;
use std::sync::Arc;

fn finite() -> proptest::num::f64::Any {
    NORMAL | SUBNORMAL | ZERO
}

fn weights(n: usize) -> impl Strategy<Value = Vec<f32>> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    vec(NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE, n)
}

fn activation() -> impl Strategy<Value = Activation> {
    (0..Activation::ALL.len(), -1e30f32..1e30)
        .prop_map(|(n, parameter)| Activation::ALL[n].kind().with(|_| Some(parameter)))
}

prop_compose! {
    fn model()(
        n_frequencies in of(1usize..20),
        hidden_width in 1usize..20,
        output_width in 1usize..=4,
        n_layers in 2usize..6,
        activation in activation(),
        output_activation in activation(),
        seed in any::<u64>(),
    ) -> Model {
        let spec = n_frequencies.map_or(EncodingSpec::None, |features| EncodingSpec::Gaussian { features, sigma: 9.0 });
        let encoding = Encoding::new(spec, seed);
        let input_width = encoding.output_width();
        let network = Mlp { input_width, hidden_width, output_width, n_layers, activation, output_activation };
        Model { encoding, network }
    }
}

prop_compose! {
    fn model_file()(model in model())(
        params in weights(model.layout().n_params()),
        model in Just(model),
        coords in prop_oneof![Just(Coords::Center), Just(Coords::Corner)],
        width in 1u32..30_000,
        height in 1u32..30_000,
        depth in prop_oneof![Just(Depth::U8), Just(Depth::U16), Just(Depth::F32)],
        transfer in of((1e-30f32..1e30, prop_oneof![Just(Curve::Linear), Just(Curve::Log)])),
        metadata in btree_map("x.*", ".*", 0..4),
    ) -> ModelFile {
        let transfer = transfer.map_or(Transfer::IDENTITY, |(scale, curve)| Transfer { scale, curve });
        ModelFile { model, params, coords, width, height, depth, transfer, metadata }
    }
}

prop_compose! {
    fn checkpoint()(n_params in 1usize..200, n_moments in 0usize..3)(
        params in weights(n_params),
        moments in vec(weights(n_params), n_moments),
        best in of((weights(n_params), vec(weights(n_params), n_moments), any::<(u64, u64)>(), finite() | INFINITE)),
        (epochs_done, step) in any::<(u64, u64)>(),
        steps_into_epoch in any::<u32>(),
        loss_sum in finite(),
        seconds in 0.0f64..1e12,
        halved in 0..=4,
        fresh_starts in 0u32..=3,
        flat_error in of(0.0f64..1e12),
        importance in of(importance()),
        method in any::<bool>(),
    ) -> Checkpoint {
        let lr_scale = 0.5f64.powi(halved);
        Checkpoint {
            position: Position {
                epochs_done,
                steps_into_epoch,
                loss_sum,
                seconds,
                lr_scale,
                fresh_starts,
                flat_error,
                reached: false,
            },
            state: TrainingState { step, params, moments },
            best: best.map(|(params, moments, (epoch, step), psnr_test)| Best {
                epoch: epoch.min(epochs_done),
                psnr_test,
                state: TrainingState { step, params, moments },
            }),
            importance: importance.map(Arc::new),
            method: method.then(method_of_all),
        }
    }
}

/// A method with something in each field.
fn method_of_all() -> TunedConfig {
    let shape = LayerShape { input_width: 32, output_width: 3 };
    let tiles = KernelConfig::only(Storage::F16, MatmulTiling::Matrix16, std::iter::once(shape));
    TunedConfig {
        device: "a \"GPU\", Vulkan".to_owned(),
        config: KernelConfig {
            fused: Some(true),
            fused_tiling: Some(MatmulTiling::Matrix8),
            fused_block: Some(FusedBlock { samples: 64, threads: 256 }),
            ..tiles
        },
    }
}

/// The picture whose samples are spread.
fn spread_over() -> SampleSet {
    SampleSet { width: 50, height: 27, holdout: Holdout::None, masked: None }
}

fn importance() -> impl Strategy<Value = Importance> {
    vec(0.0..1.0, Importance::n_blocks(spread_over()))
        .prop_map(|errors| Importance::new(spread_over(), &errors))
}

/// Equal to the bit: -0 is not 0.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn run_folder() -> (tempfile::TempDir, RunFolder) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(&dir.path().join("run"), false).expect("created");
    (dir, folder)
}

prop_compose! {
    fn row(epoch: u64)(
        step in any::<u64>(),
        milliseconds in 0u64..1 << 40,
        lr in finite(),
        loss in of(finite()),
        psnr_train in of(finite() | INFINITE),
        psnr_test in of(finite() | INFINITE),
    ) -> EpochSummary {
        // Times are written in whole milliseconds.
        let seconds = milliseconds as f64 / 1000.0;
        EpochSummary { epoch, step, seconds, lr, loss, psnr_train, psnr_test }
    }
}

fn picture() -> impl Strategy<Value = Picture> {
    (1u32..40, 1u32..40, 1usize..=4).prop_flat_map(|(width, height, channels)| {
        let n = width as usize * height as usize * channels;
        let u8s = vec(any::<u8>(), n).prop_map(Pixels::U8);
        let u16s = vec(any::<u16>(), n).prop_map(Pixels::U16);
        let pixels = prop_oneof![u8s, u16s];
        pixels.prop_map(move |pixels| Picture { width, height, channels, pixels })
    })
}

prop_compose! {
    fn config()(
        file in of(".{0,40}"),
        (features, sigma) in (of(any::<u32>()), of(any::<f32>().prop_filter("TOML keeps no NaN bits", |v| !v.is_nan()))),
        (hidden, layers, w0) in (of(any::<u32>()), of(any::<u32>()), of(-1e38f32..1e38)),
        activation in of(prop_oneof![Just(ActivationKind::Relu), Just(ActivationKind::Sine)]),
        (epochs, seed, snapshot_every) in (of(any::<u64>()), of(any::<u64>()), of(any::<u64>())),
        (lr, momentum, beta2) in (of(finite()), of(finite()), of(finite())),
        batch in of(prop_oneof![Just("full".to_owned()), (1..=u32::MAX).prop_map(|n| n.to_string())]),
        size in of(prop_oneof![Just("native".to_owned()), (1u32.., 1u32..).prop_map(|(w, h)| format!("{w}x{h}"))]),
        checkpoint_every in of(prop_oneof![Just("never".to_owned()), (1u64..).prop_map(|n| n.to_string()), (1u64..).prop_map(|n| format!("{n}s"))]),
        schedule in of(prop_oneof![Just(ScheduleKind::Cosine), Just(ScheduleKind::Step)]),
        init in of(prop_oneof![Just(Init::Siren), Just(Init::Torch)]),
    ) -> Config {
        let mut config = Config::default();
        config.picture.file = file.map(Into::into);
        config.picture.size = size.map(|text| text.parse().expect("a size"));
        config.encoding.features = features.map(|n| n as usize);
        config.encoding.sigma = sigma.map(Sigma::Fixed);
        config.network.hidden = hidden.map(|n| n as usize);
        config.network.layers = layers.map(|n| n as usize);
        config.network.w0 = w0;
        config.network.activation = activation;
        config.network.init = init;
        config.training.epochs = epochs;
        config.training.seed = seed;
        config.training.lr = lr;
        config.training.momentum = momentum;
        config.training.beta2 = beta2;
        config.training.schedule = schedule;
        config.training.batch = batch.map(|text| text.parse().expect("a batch"));
        config.output.snapshot_every = snapshot_every;
        config.output.checkpoint_every = checkpoint_every.map(|text| text.parse().expect("an interval"));
        config
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_model_comes_back(file in model_file()) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("model.safetensors");
        file.save(&path).expect("written");
        let read = ModelFile::load(&path).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(bits(&read.params), bits(&file.params));
        prop_assert_eq!(read, file);
    }

    #[test]
    fn a_checkpoint_comes_back(checkpoint in checkpoint(), picture in any::<u32>()) {
        let (_dir, folder) = run_folder();
        let (n_params, n_moments) = (checkpoint.state.params.len(), checkpoint.state.moments.len());
        let by_error = checkpoint.importance.as_ref().map(|_| spread_over());
        let mut settings = Config::default();
        (settings.training.lr, settings.training.seed) = (Some(0.1), Some(u64::from(picture)));
        let fingerprint = Fingerprint { picture, n_params, n_moments, by_error, settings };
        checkpoint::save(&folder, &checkpoint, &fingerprint).expect("written");
        let read = checkpoint::load(&folder, &fingerprint).expect("whole").expect("there");
        prop_assert_eq!(bits(&read.state.params), bits(&checkpoint.state.params));
        prop_assert_eq!(read.position.loss_sum.to_bits(), checkpoint.position.loss_sum.to_bits());
        prop_assert_eq!(read, checkpoint);
    }

    #[test]
    fn metrics_come_back(rows in (0..20usize).prop_flat_map(|n| (0..n as u64).map(row).collect::<Vec<_>>()), begun in 0usize..20) {
        let (_dir, folder) = run_folder();
        let path = folder.file("metrics.csv");
        let begun = begun.min(rows.len());
        let mut writer = MetricsWriter::create(&path, &rows[..begun]).expect("created");
        for row in &rows[begun..] {
            writer.write(row).expect("written");
        }
        prop_assert_eq!(read_metrics(&path, u64::MAX), rows.as_slice());
    }

    #[test]
    fn a_png_comes_back(picture in picture()) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.png");
        save_png(&picture, &path).expect("written");
        prop_assert_eq!(load(&path).expect("read"), picture);
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_configuration_comes_back(config in config()) {
        prop_assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }
}
