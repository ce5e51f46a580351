//! Clipping, penalties, a rate for the encoding, averaged weights, trained frequencies and encodings side
//! by side, through the program.

use crate::program;
use crate::runs;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use program::{program, resume};
use runs::{assert_same_run, metrics};
use std::path::Path;

fn train(out: &Path, epochs: &str, options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.args(["--backend", "cpu", "--size", "24x24", "--hidden", "16", "--batch", "100"]);
    command.args(["--schedule", "constant", "--epochs", epochs]);
    if !options.contains(&"--encoding") {
        command.args(["--encoding", "hash-grid"]);
    }
    command.args(options).arg("--out").arg(out);
    command
}

const REFINED: [&str; 10] =
    ["--encoding-lr", "3e-2", "--encoding-l2", "1e-4", "--l2", "1e-4", "--clip-norm", "0.05", "--ema", "0.9"];

#[test]
fn a_stopped_run_goes_on_with_its_average() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    train(&whole, "10", &REFINED).assert().success();
    train(&parts, "6", &REFINED).assert().success();
    resume(&parts).args(["--epochs", "10"]).assert().success();
    assert_same_run(&parts, &whole);
}

const TRAINED: [&str; 8] =
    ["--encoding", "gaussian", "--features", "12", "--sigma", "4", "--frequencies", "trained"];

#[test]
fn trained_frequencies_are_kept_and_written_as_frozen_ones() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let options = [&TRAINED[..], &REFINED[..]].concat();
    train(&whole, "10", &options).assert().success();
    train(&parts, "6", &options).assert().success();
    resume(&parts).args(["--epochs", "10"]).assert().success();
    assert_same_run(&parts, &whole);
    assert_renders_its_picture(&whole);
    let frozen = dir.path().join("frozen");
    train(&frozen, "10", &TRAINED[..6]).assert().success();
    let size = |run: &Path| std::fs::metadata(run.join("model.safetensors")).expect("a model").len();
    assert!(size(&whole).abs_diff(size(&frozen)) < 300, "both have the same tensors, and settings in words");
    let frequencies = |run: &Path| {
        let file = std::fs::read(run.join("model.safetensors")).expect("a model");
        let tensors = safetensors::SafeTensors::deserialize(&file).expect("whole");
        tensors.tensor("encoding.frequencies").expect("frequencies").data().to_vec()
    };
    assert_ne!(frequencies(&whole), frequencies(&frozen), "training moved no frequency");
}

#[test]
fn encodings_stand_side_by_side() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let options = ["--encoding", "hash-grid", "--also", "none,octaves,one-blob", "--bins", "5"];
    train(&whole, "10", &options).assert().success();
    train(&parts, "6", &options).assert().success();
    resume(&parts).args(["--epochs", "10"]).assert().success();
    assert_same_run(&parts, &whole);
    assert_renders_its_picture(&whole);
    let again = dir.path().join("again");
    let mut repeat = Command::new(program());
    repeat.args(["train", "--config"]).arg(whole.join("config.toml")).arg("--out").arg(&again);
    repeat.assert().success();
    assert_same_run(&again, &whole);
    let mut inspect = Command::new(program());
    let words = contains("levels").and(contains("beside the position itself, beside Fourier features"));
    inspect.arg("inspect").arg(&whole).assert().success().stdout(words.and(contains("one-blob, 5 bins")));
    let out = dir.path().join("none");
    for (options, sentence) in [
        (["--also", "dense-grid"], "dense-grid: hash-grid is of the same family"),
        (["--also", "gaussian,basic"], "basic: gaussian is of the same family"),
        (["--also", "sines"], "`sines` is not an encoding"),
    ] {
        train(&out, "1", &options).assert().failure().stderr(contains(sentence));
        assert!(!out.exists(), "{options:?} left something behind");
    }
    let trained = ["--also", "gaussian", "--frequencies", "trained"];
    train(&out, "1", &trained).assert().code(1).stderr(contains("with a grid, frequencies are frozen"));
}

#[test]
fn each_changes_the_run() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let plain = dir.path().join("plain");
    train(&plain, "4", &[]).assert().success();
    for pair in REFINED.chunks(2) {
        let out = dir.path().join(pair[0]);
        train(&out, "4", pair).assert().success();
        assert_ne!(metrics(&out), metrics(&plain), "{pair:?} did nothing");
    }
}

#[test]
fn the_model_holds_the_average() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("run");
    train(&run, "6", &["--ema", "0.95"]).assert().success();
    assert_renders_its_picture(&run);
}

/// The model file holds the weights that made final.png.
fn assert_renders_its_picture(run: &Path) {
    let rendered = run.join("rendered.png");
    let mut render = Command::new(program());
    render.args(["render", "--backend", "cpu"]).arg(run).arg("--out").arg(&rendered);
    render.assert().success();
    let pixels = |path: &Path| image::open(path).expect("a picture").to_rgb8();
    assert!(pixels(&rendered) == pixels(&run.join("final.png")), "the run's picture is another model's");
}

#[test]
fn what_means_nothing_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    for (options, sentence) in [
        (["--ema", "1"], "ema is 1.0: give a decay from 0 to below 1"),
        (["--clip-norm", "0"], "clip-norm is 0.0: give a number above 0"),
        (["--encoding-lr", "-1"], "encoding-lr is -1.0: give a number above 0"),
        (["--l2", "nan"], "l2 is NaN: give a number from 0 on"),
    ] {
        train(&out, "1", &options).assert().code(1).stderr(contains(sentence));
        assert!(!out.exists(), "{options:?} left something behind");
    }
    let mut fourier = Command::new(program());
    fourier.args(["train", "assets/astronaut.png", "--encoding", "basic", "--encoding-lr", "1e-2"]);
    fourier.args(["--size", "8x8", "--epochs", "1", "--backend", "cpu"]).arg("--out").arg(&out);
    fourier.assert().success().stderr(contains("encoding-lr has no effect with this encoding"));
}
