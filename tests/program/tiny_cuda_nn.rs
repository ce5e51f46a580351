//! tiny-cuda-nn's JSON through the program: both of its sample configurations train.

use crate::program;
use crate::runs;

use assert_cmd::Command;
use predicates::str::contains;
use program::program;
use runs::manifest;
use std::path::Path;

/// What its config_hash.json and config_oneblob.json ask for.
const HASH: &str = r#"{
    "loss": {"otype": "RelativeL2"},
    "optimizer": {"otype": "Adam", "learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-15,
        "l2_reg": 1e-6},
    "encoding": {"otype": "HashGrid", "n_levels": 16, "n_features_per_level": 2, "log2_hashmap_size": 15,
        "base_resolution": 16, "per_level_scale": 1.5, "fixed_point_pos": false},
    "network": {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None", "n_neurons": 64,
        "n_hidden_layers": 2}
}"#;
const ONE_BLOB: &str = r#"{
    "loss": {"otype": "RelativeL2"},
    "optimizer": {"otype": "Adam", "learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8,
        "l2_reg": 1e-8},
    "encoding": {"otype": "OneBlob", "n_bins": 64},
    "network": {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None", "n_neurons": 128,
        "n_hidden_layers": 5}
}"#;

fn train(picture: &Path, config: &Path, out: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(picture).arg("--config").arg(config).arg("--out").arg(out);
    command.args(["--backend", "cpu", "--checkpoint-every", "never"]);
    command
}

fn psnr(run: &Path) -> f64 {
    manifest(run)["psnr_train"].as_f64().expect("a number")
}

#[test]
fn its_samples_train() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    // A straight line through the picture's colours reaches 11 dB.
    for (name, text, least) in [("hash", HASH, 26.0), ("oneblob", ONE_BLOB, 18.0)] {
        let (config, out) = (dir.path().join(name).with_extension("json"), dir.path().join(name));
        std::fs::write(&config, text).expect("written");
        let mut command = train(&picture, &config, &out);
        command.args(["--size", "64x64", "--epochs", "60", "--batch", "512"]).assert().success();
        assert!(psnr(&out) > least, "{name} reached {} dB", psnr(&out));
        // The settings are written down as any others, and repeat the run.
        let again = dir.path().join(name).join("again");
        train(&picture, &out.join("config.toml"), &again).assert().success();
        let weights = |run: &Path| std::fs::read(run.join("model.safetensors")).expect("a model");
        assert!(weights(&again) == weights(&out), "config.toml of {name} trains another model");
    }
}

#[test]
fn its_picture_trains() {
    // At a tenth of its size. It is in the public domain.
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/albert.jpg");
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text, least) in [("hash", HASH, 28.0), ("oneblob", ONE_BLOB, 20.0)] {
        let (config, out) = (dir.path().join(name).with_extension("json"), dir.path().join(name));
        std::fs::write(&config, text).expect("written");
        let mut command = train(&picture, &config, &out);
        command.args(["--epochs", "3", "--batch", "4096"]).assert().success();
        assert!(psnr(&out) > least, "{name} reached {} dB", psnr(&out));
    }
}

#[test]
fn what_is_not_here_is_said_before_anything_is_made() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (config, out) = (dir.path().join("c.json"), dir.path().join("run"));
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    std::fs::write(&config, r#"{"loss": {"otype": "Variance"}}"#).expect("written");
    train(&picture, &config, &out).assert().code(1).stderr(contains("tiny-cuda-nn's loss `Variance`"));
    std::fs::write(&config, r#"{"network": {"n_neurons": 64, "biases": true}, "seed": 1}"#).expect("written");
    let mut command = train(&picture, &config, &out);
    let warned = command.args(["--size", "16x16", "--epochs", "1"]).assert().success();
    warned.stderr(contains("network.biases is ignored")).stderr(contains("the section `seed` is ignored"));
}
