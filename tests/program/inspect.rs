//! `afterimage inspect`, and the same file in PyTorch.

use crate::models;
use crate::small;

use afterimage::backend::Predict;
use afterimage::backend::cpu::CpuPredictor;
use afterimage::model::{Coords, Raster};
use afterimage::model_file::ModelFile;
use afterimage::picture::Depth;
use assert_cmd::Command;
use models::model;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use small::{program, train};
use std::path::Path;

fn inspect(model: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("inspect").arg(model);
    command
}

#[test]
fn a_run_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("run");
    assert!(train(&run, "2").status().expect("the program starts").success());
    for text in [
        "astronaut.png, 40x30, RGB, 8 bits",
        "16 frequencies",
        "32 -> 3 x 24 relu -> 3 sigmoid",
        "epochs 2",
        "PSNR",
        "held out",
        "layers.3.bias",
    ] {
        inspect(&run).assert().success().stdout(contains(text));
    }
    let output = inspect(&run).arg("--json").assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).expect("JSON");
    let file = ModelFile::load(&run.join("model.safetensors")).expect("the model");
    let tensors = report["tensors"].as_array().expect("tensors");
    assert_eq!(tensors.len(), 9);
    let last = &tensors[8];
    assert_eq!((last["name"].as_str(), last["bytes"].as_u64()), (Some("layers.3.bias"), Some(12)));
    let bias = &file.params[file.params.len() - 3..];
    let mean = bias.iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0;
    assert!((last["mean"].as_f64().expect("a mean") - mean).abs() < 1e-12);
    assert_eq!(report["n_params"].as_u64(), Some(file.params.len() as u64));
}

#[test]
fn text_from_strangers_does_not_reach_the_terminal_as_it_is() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("m.safetensors");
    let mut file = model(3, Depth::U8);
    let config = "[picture]\nfile = \"\\u001b[2Jcat.png\"\n[training]\nlr = \"\\u0007\"\n";
    file.metadata.insert("config".to_owned(), config.to_owned());
    file.save(&path).expect("written");
    inspect(&path)
        .assert()
        .success()
        .stdout(contains("cat.png").and(contains("\u{1b}").not()).and(contains("\u{7}").not()));
    file.metadata.insert("config".to_owned(), "not TOML [".to_owned());
    file.save(&path).expect("written");
    inspect(&path).assert().success().stdout(contains("an unnamed picture"));
    inspect(&dir.path().join("none")).assert().code(1).stderr(contains("cannot read"));
    inspect(dir.path()).assert().code(1).stderr(contains("there is no model in"));
}

/// The Python in the README, with a last line that keeps what it computed.
fn readme_snippet() -> String {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README");
    let (_, rest) = readme.split_once("```python\n").expect("a Python block");
    let (code, _) = rest.split_once("```").expect("its end");
    assert!(code.contains("load_file") && code.contains("picture ="), "{code}");
    format!(
        "{code}\nfrom safetensors.torch import save_file\nsave_file({{'picture': picture.contiguous()}}, 'picture.safetensors')\n"
    )
}

#[test]
fn the_readme_loads_a_model_into_pytorch() {
    let python = std::env::var("AFTERIMAGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_torch =
        std::process::Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {python} has no torch and safetensors; AFTERIMAGE_PYTHON names one that has");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("runs/astronaut");
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let mut train = Command::new(program());
    train.arg("train").arg(portrait).arg("--out").arg(&run).args([
        "--backend",
        "cpu",
        "-q",
        "--size",
        "64x64",
        "--epochs",
        "4",
    ]);
    train.assert().success();
    let script = dir.path().join("readme.py");
    std::fs::write(&script, readme_snippet()).expect("written");
    Command::new(&python).arg(&script).current_dir(dir.path()).assert().success();

    let bytes = std::fs::read(dir.path().join("picture.safetensors")).expect("what PyTorch computed");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let picture = tensors.tensor("picture").expect("the picture");
    assert_eq!(picture.shape(), [512, 512, 3]);
    let theirs: Vec<f32> = picture.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let file = ModelFile::load(&run.join("model.safetensors")).expect("the model");
    let mut predictor = CpuPredictor::<f32>::new(file.model.clone(), &file.params, 0).expect("a predictor");
    let mut ours = vec![0.0; theirs.len()];
    predictor.predict(&Raster::new(512, 512, Coords::Center), 0, &mut ours).expect("predicted");
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest difference {worst:e}");
    // PyTorch takes the sine of phases of up to 60 turns without reducing them first: a rounding of
    // the phase is 60 * 2 pi * 6e-8 = 2e-5 in each of 512 features, and layers add to that.
    assert!(worst < 5e-4, "largest difference {worst:e}");
}
