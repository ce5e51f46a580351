//! Runs that end when the time is over, or when the picture is good enough.

use crate::program::{program, resume};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

/// A small run of the portrait.
fn train(out: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.args(["--backend", "cpu", "--size", "40x30", "--hidden", "24"]).args(settings);
    command.arg("--out").arg(out);
    command
}

fn read(out: &Path, file: &str) -> Vec<u8> {
    std::fs::read(out.join(file)).expect(file)
}

fn epochs_of(out: &Path) -> u64 {
    let run: serde_json::Value = serde_json::from_slice(&read(out, "run.json")).expect("JSON");
    run["epochs"].as_u64().expect("a number")
}

#[test]
fn a_run_of_some_time_is_the_run_of_the_epochs_that_it_took() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    // Muon's usual rate follows from the number of steps, which the device was opened without.
    let muon = ["--encoding", "gaussian", "--optimizer", "muon", "--batch", "200"];
    let (timed, again) = (dir.path().join("timed"), dir.path().join("again"));
    let mut run = train(&timed, &muon);
    run.args(["--time", "1500ms"]).assert().success().stderr(contains(" epochs in the time given"));
    let n = epochs_of(&timed);
    assert!(n > 1, "{n} epochs");
    let config = String::from_utf8(read(&timed, "config.toml")).expect("text");
    let planned = config.lines().find_map(|line| line.strip_prefix("epochs = ")).expect("epochs");
    // Unless another program took the processor, all of them.
    if planned == n.to_string() {
        train(&again, &muon).args(["--epochs", planned]).assert().success();
        assert!(read(&timed, "model.safetensors") == read(&again, "model.safetensors"), "{n} epochs");
    } else {
        eprintln!("{n} epochs of {planned} were done in time");
        resume(&timed).assert().success();
    }
}

#[test]
fn a_run_whose_time_is_over_can_be_resumed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let over = contains("the time was over before the last epoch").and(contains("1 epoch in the time given"));
    train(&out, &[]).args(["--time", "1ms"]).assert().success().stderr(over).stdout(contains("--resume"));
    resume(&out).assert().success();
    assert_eq!(epochs_of(&out), 1);
    for (time, beside) in [("0", None), ("soon", None), ("-1s", None), ("5s", Some("--epochs=3"))] {
        let refused = dir.path().join("refused");
        train(&refused, &[]).arg(format!("--time={time}")).args(beside).assert().code(2);
        assert!(!refused.exists());
    }
}

#[test]
fn a_run_ends_when_the_picture_is_good_enough() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let settings = ["--epochs", "60", "--snapshot-every", "50", "--sampling", "error"];
    train(&out, &settings).args(["--until", "20 dB"]).assert().success().stdout(contains("done: 2"));
    let n = epochs_of(&out);
    assert!((1..60).contains(&n), "{n} epochs");
    let metrics = String::from_utf8(read(&out, "metrics.csv")).expect("text");
    assert_eq!(
        metrics.lines().count() as u64,
        n + 2,
        "a title, and a row an epoch with that before the first"
    );
    // It is complete.
    let model = read(&out, "model.safetensors");
    resume(&out).assert().success();
    assert!(epochs_of(&out) == n && read(&out, "model.safetensors") == model);

    let short = dir.path().join("short");
    let missed = contains("90 dB were not reached");
    train(&short, &["--epochs", "1"]).args(["--until", "90"]).assert().success().stderr(missed);
    let sentence = contains("until is -3.0: give a PSNR in dB above 0");
    train(&dir.path().join("none"), &[]).arg("--until=-3").assert().code(1).stderr(sentence);
    train(&dir.path().join("none"), &[]).arg("--until=good").assert().code(2).stderr(contains("such as 40"));
}
