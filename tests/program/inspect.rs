//! `afterimage inspect`, and the same file in PyTorch.

use crate::models;
use crate::skip::{Missing, skip};
use crate::small;

use afterimage::backend::Predict;
use afterimage::backend::cpu::CpuPredictor;
use afterimage::block_on;
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

/// The README's section on PyTorch: the command that trains, without the program's name, and the Python.
fn readme_on_pytorch() -> (String, String) {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README");
    let (_, section) = readme.split_once("## Into PyTorch\n").expect("a section on PyTorch");
    let (before, rest) = section.split_once("```python\n").expect("a Python block");
    let (code, _) = rest.split_once("```").expect("its end");
    let command = before.lines().find_map(|line| line.strip_prefix("    afterimage ")).expect("a command");
    (command.to_owned(), code.to_owned())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python that tests use, if it has PyTorch.
pub(crate) fn python_with_torch() -> Option<String> {
    let python = std::env::var("AFTERIMAGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = std::process::Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    import.is_ok_and(|output| output.status.success()).then_some(python)
}

/// What stands there, as it stands there; trained for less long, on a smaller picture.
#[test]
fn the_readme_loads_a_model_into_pytorch() {
    let Some(python) = python_with_torch() else {
        skip(Missing::Software("no Python with torch and safetensors (AFTERIMAGE_PYTHON names one)"));
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(dir.path().join("assets")).expect("made");
    std::fs::copy(root().join("assets/astronaut.png"), dir.path().join("assets/astronaut.png"))
        .expect("copied");
    let (command, code) = readme_on_pytorch();
    let mut train = Command::new(program());
    train.current_dir(dir.path()).args(command.split_whitespace());
    train.args(["--size", "64x64", "--epochs", "4", "--backend", "cpu", "-q"]).assert().success();
    let keep = "from safetensors.torch import save_file\n\
                save_file({'picture': picture.contiguous()}, 'picture.safetensors')\n";
    let script = dir.path().join("readme.py");
    std::fs::write(&script, format!("{code}\n{keep}")).expect("written");
    Command::new(&python).arg(&script).current_dir(dir.path()).assert().success();

    let bytes = std::fs::read(dir.path().join("picture.safetensors")).expect("what PyTorch computed");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let picture = tensors.tensor("picture").expect("the picture");
    assert_eq!(picture.shape(), [512, 512, 3]);
    let theirs: Vec<f32> = picture.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let file = ModelFile::load(&dir.path().join("runs/astronaut/model.safetensors")).expect("the model");
    let mut predictor = CpuPredictor::<f32>::new(file.model.clone(), &file.params, 0).expect("a predictor");
    let mut ours = vec![0.0; theirs.len()];
    block_on(predictor.predict(&Raster::new(512, 512, Coords::Center), 0, &mut ours)).expect("predicted");
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest difference {worst:e}");
    // PyTorch takes the sine of phases of up to 60 turns without reducing them first: a rounding of
    // the phase is 60 * 2 pi * 6e-8 = 2e-5 in each of 512 features, and layers add to that.
    assert!(worst < 5e-4, "largest difference {worst:e}");
}
