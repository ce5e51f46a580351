//! Every encoding, activation, loss, update rule and schedule there is, through the program: a run that is
//! stopped goes on to the same bits, and its model file renders the picture that the run ended with.

use crate::program;

use afterimage::config::{ActivationKind, EncodingKind, LossKind, OptimizerKind};
use afterimage::model::ScheduleKind;
use afterimage::names::Named;
use assert_cmd::Command;
use program::{program, resume};
use std::path::Path;

const SIZE: &str = "13x11";

fn train(out: &Path, epochs: &str, options: &[String]) {
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["-q", "--backend", "cpu", "--threads", "1", "--size", SIZE]);
    command.args(["--batch", "50", "--schedule", "constant", "--epochs", epochs]).args(options);
    command.assert().success();
}

/// `--option NAME` for each name that the option takes.
fn names<K: Named>(option: &str) -> Vec<Vec<String>> {
    K::ALL.iter().map(|kind| vec![format!("--{option}"), kind.name().to_owned()]).collect()
}

fn each_goes_on_and_renders(blocks: Vec<Vec<String>>, also: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for block in blocks {
        let options: Vec<String> =
            block.iter().cloned().chain(also.iter().map(|s| (*s).to_owned())).collect();
        let name = block.join("");
        let (whole, parts) = (dir.path().join(&name), dir.path().join(name.clone() + "-parts"));
        train(&whole, "3", &options);
        train(&parts, "1", &options);
        resume(&parts).args(["--epochs", "3"]).assert().success();
        let bytes = |file: &Path| std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for file in ["model.safetensors", "final.png"] {
            let same = bytes(&whole.join(file)) == bytes(&parts.join(file));
            assert!(same, "{file} of {name} differs after a resume");
        }
        let rendered = dir.path().join(name.clone() + ".png");
        let mut render = Command::new(program());
        render
            .arg("render")
            .arg(&whole)
            .args(["-q", "--backend", "cpu", "--size", SIZE, "--out"])
            .arg(&rendered);
        render.assert().success();
        let pixels = |path: &Path| image::open(path).expect("a picture").to_rgb8();
        assert!(pixels(&rendered) == pixels(&whole.join("final.png")), "{name} renders another picture");
    }
}

#[test]
fn every_encoding() {
    each_goes_on_and_renders(names::<EncodingKind>("encoding"), &["--hidden", "16"]);
}

#[test]
fn every_activation() {
    each_goes_on_and_renders(names::<ActivationKind>("activation"), &["--hidden", "16", "--features", "8"]);
}

#[test]
fn every_loss() {
    each_goes_on_and_renders(names::<LossKind>("loss"), &["--hidden", "16"]);
}

#[test]
fn every_update_rule() {
    each_goes_on_and_renders(names::<OptimizerKind>("optimizer"), &["--hidden", "16"]);
}

#[test]
fn every_schedule_trains() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for options in names::<ScheduleKind>("schedule") {
        let out = dir.path().join(&options[1]);
        let mut command = Command::new(program());
        command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
        command.arg("--out").arg(&out).args(["-q", "--backend", "cpu", "--size", SIZE, "--epochs", "8"]);
        command.args(["--warmup", "1"]).args(&options).assert().success();
        let metrics = std::fs::read_to_string(out.join("metrics.csv")).expect("metrics.csv");
        let (first, last) = (metrics.lines().nth(1), metrics.lines().last());
        let psnr = |line: Option<&str>| line.and_then(|l| l.split(',').nth(5)?.parse::<f64>().ok());
        assert!(psnr(last) > psnr(first), "{} learns nothing: {metrics}", options[1]);
    }
}

#[test]
fn no_activation_has_two_names() {
    assert_eq!(ActivationKind::named("none"), Some(ActivationKind::Identity));
    assert_eq!(ActivationKind::named("identity"), Some(ActivationKind::Identity));
}
