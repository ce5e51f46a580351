//! Simple pictures are memorised, and a network that learns nothing is noticed.

use crate::program;
use crate::runs;
use crate::simple_pictures;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use program::{program, resume};
use runs::{assert_same_run, manifest, metrics};
use std::path::{Path, PathBuf};

/// Pixels a side: as few as words can be read in.
const SIDE: u32 = 48;

/// Writes the picture of this name.
fn picture(folder: &Path, name: &str) -> PathBuf {
    let all = simple_pictures::all(SIDE, 1);
    let simple = all.into_iter().find(|simple| simple.name == name).expect("a picture of that name");
    let path = folder.join(name).with_extension("png");
    simple.save(&path);
    path
}

fn train(picture: &Path, out: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(picture).arg("--out").arg(out);
    command.args(["--backend", "cpu"]);
    command
}

/// Pictures and measurements at the start and the end alone.
const SELDOM: [&str; 4] = ["--snapshot-every", "1000", "--measure-every", "1000"];

/// PSNR of a run's training pixels, infinite where they are exact. run.json has neither that nor NaN.
fn psnr(run: &Path) -> f64 {
    let rows = metrics(run);
    let psnr_train = rows.last().and_then(|row| row.split(',').nth(4)).expect("epochs");
    psnr_train.parse().unwrap_or_else(|_| panic!("`{psnr_train}` is no PSNR"))
}

/// Trains each picture of `names`, all where there are none, with `options`, and names those that end
/// below `least` dB.
fn assert_memorised(names: &[&str], options: &[&str], least: f64) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (path, mut failures) = (dir.path().join("picture.png"), Vec::new());
    let all = simple_pictures::all(SIDE, 1).into_iter();
    for simple in all.filter(|simple| names.is_empty() || names.contains(&simple.name)) {
        let out = dir.path().join(simple.name);
        simple.save(&path);
        let output = train(&path, &out).args(SELDOM).args(options).output().expect("the program starts");
        if !(output.status.success() && psnr(&out) >= least) {
            let said = String::from_utf8_lossy(&output.stderr);
            failures.push(format!("{}: {:.2} dB\n{said}", simple.name, psnr(&out)));
        }
    }
    assert!(failures.is_empty(), "{options:?} below {least} dB:\n{}", failures.join("\n"));
}

/// One of each kind that died, for what takes longer.
const FEW: [&str; 6] = ["coloured-words", "dark-photo", "icon", "lines", "page", "stars"];

#[test]
fn the_defaults_memorise_every_simple_picture() {
    assert_memorised(&[], &[], 40.0);
}

#[test]
fn the_fast_preset_memorises_every_simple_picture() {
    assert_memorised(&[], &["--preset", "fast"], 36.0);
}

#[test]
fn fourier_features_memorise_every_simple_picture() {
    assert_memorised(&[], &["--encoding", "gaussian", "--effort", "0.25"], 32.0);
}

#[test]
fn other_encodings_memorise_simple_pictures() {
    for encoding in ["positional", "one-blob"] {
        assert_memorised(&FEW, &["--encoding", encoding, "--effort", "0.25"], 26.0);
    }
    assert_memorised(&FEW, &["--preset", "siren"], 20.0);
}

/// Words in colour on white: what a sigmoid after ReLUs on a grid saturates on.
fn collapse(dir: &Path, out: &Path, lr: &str) -> Command {
    let mut command = train(&picture(dir, "coloured-words"), out);
    command.args(["--encoding", "hash-grid", "--activation", "relu", "--output-activation", "sigmoid"]);
    command.args(["--schedule", "constant", "--lr", lr]);
    command
}

#[test]
fn a_collapsed_run_restarts_and_says_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let once = contains("picture is flat after 65 steps").count(1);
    collapse(dir.path(), &out, "3e-2").args(["--epochs", "60"]).assert().success().stderr(once);
    assert_eq!(manifest(&out)["fresh_starts"]["count"], 1);
    assert_eq!(manifest(&out)["fresh_starts"]["lr"], 7.5e-3);
    assert!(manifest(&out)["failure"].is_null());
    assert!(psnr(&out) > 40.0, "{} dB", psnr(&out));
    let epochs: Vec<String> =
        metrics(&out).iter().skip(1).map(|row| row.split(',').next().expect("a field").to_owned()).collect();
    assert_eq!(epochs, (0..=60).map(|epoch| epoch.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_restart_is_the_same_on_one_thread_and_after_a_resume() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [whole, other, stopped] = ["whole", "other", "stopped"].map(|name| dir.path().join(name));
    collapse(dir.path(), &whole, "3e-2").args(["--epochs", "60"]).assert().success();
    collapse(dir.path(), &other, "3e-2").args(["--epochs", "60", "--threads", "1"]).assert().success();
    assert_same_run(&other, &whole);
    // Steps 32 and 64 are in epochs 7 and 13: between the two checks, and after the restart.
    for epochs in ["8", "15"] {
        collapse(dir.path(), &stopped, "3e-2").args(["--force", "--epochs", epochs]).assert().success();
        resume(&stopped).args(["--epochs", "60"]).assert().success();
        assert_same_run(&stopped, &whole);
    }
}

#[test]
fn a_run_that_stays_dead_is_no_success() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let sentence = contains("the network learned nothing").and(contains("after 3 restarts"));
    collapse(dir.path(), &out, "1000").args(["--epochs", "60"]).assert().code(1).stderr(sentence);
    assert_eq!(manifest(&out)["failure"], "flat");
    assert_eq!(manifest(&out)["fresh_starts"]["count"], 3);
    for file in ["final.png", "strip.png", "model.safetensors", "psnr.svg"] {
        assert!(out.join(file).is_file(), "{file} is there all the same");
    }
}

#[test]
fn a_short_run_that_makes_the_picture_worse_says_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    // A network begins near black.
    let dark = dir.path().join("dark.png");
    image::RgbImage::from_fn(SIDE, SIDE, |x, y| image::Rgb([(x + y) as u8 / 4; 3]))
        .save(&dark)
        .expect("saved");
    let worse = contains("worse than before the first step");
    train(&dark, &out).args(["--epochs", "60"]).assert().success().stderr(worse.clone().not());
    train(&dark, &out).args(["--epochs", "5", "--lr", "0.5", "--force"]).assert().success().stderr(worse);
}

#[test]
fn a_run_that_learns_little_is_no_success() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let noise = picture(dir.path(), "noise");
    let slow = ["--encoding", "gaussian", "--sigma", "0.5", "--epochs", "250", "--optimizer", "adam"];
    train(&noise, &out).args(slow).assert().code(1).stderr(contains("the network learned little"));
    assert_eq!(manifest(&out)["failure"], "poor");
    // Whoever asks for bare positions knows that they are slow.
    let bare = ["--encoding", "none", "--epochs", "250", "--force"];
    train(&picture(dir.path(), "page"), &out).args(bare).assert().success();
}

#[test]
fn a_comparison_marks_runs_that_learned_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (out, config) = (dir.path().join("out"), dir.path().join("dead.toml"));
    let dead =
        "[network]\nactivation = \"relu\"\noutput = \"sigmoid\"\n[training]\nlr = 1000.0\nepochs = 60\n";
    std::fs::write(&config, dead).expect("the configuration is written");
    let mut command = Command::new(program());
    command.arg("compare").arg(picture(dir.path(), "coloured-words")).arg("--out").arg(&out);
    command.arg("--config").arg(&config).args(["--sizes", "native", "--holdout", "none", "--backend", "cpu"]);
    command.args(["--encodings", "hash-grid", "-q"]).assert().success();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(read("results.csv").contains(",flat,"), "{}", read("results.csv"));
    for report in ["results.md", "report.html"] {
        assert!(read(report).contains(" †"), "{report} has no mark");
        assert!(
            read(report).contains("† The network learned nothing"),
            "{report} does not say what it means"
        );
    }
}
