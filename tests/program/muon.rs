//! Muon through the program: the same bits after a kill and from a run's own configuration, and its settings.

use crate::program::{program, resume, train};
use crate::running::Running;
use crate::runs::assert_same_run;
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

const MUON: [&str; 6] = ["--optimizer", "muon", "--muon-lr", "3e-2", "--ema", "0.9"];

fn with_muon(out: &Path, epochs: &str) -> std::process::Command {
    let mut command = train(out, epochs);
    command.args(MUON);
    command
}

fn read(out: &Path, file: &str) -> Vec<u8> {
    std::fs::read(out.join(file)).expect(file)
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, killed) = (dir.path().join("whole"), dir.path().join("killed"));
    assert!(with_muon(&whole, "40").status().expect("it starts").success());
    let mut child = Running::start(&mut with_muon(&killed, "40"));
    child.wait_for(&killed.join("checkpoint.previous.safetensors"));
    child.kill();
    resume(&killed).assert().success();
    assert_same_run(&killed, &whole);
}

#[test]
fn its_settings_are_kept_and_pointed_out_without_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    assert!(with_muon(&first, "3").status().expect("it starts").success());
    let config = String::from_utf8(read(&first, "config.toml")).expect("text");
    assert!(config.contains("muon_lr = 0.03\nmuon_layers = \"but-last\"\n"), "{config}");
    let mut again = Command::new(program());
    again.args(["train", "-q", "--config"]).arg(first.join("config.toml")).arg("--out").arg(&second);
    again.assert().success();
    for file in ["model.safetensors", "config.toml"] {
        assert!(read(&first, file) == read(&second, file), "{file} differs");
    }
    let grid = dir.path().join("grid");
    let mut grid = train(&grid, "1");
    grid.args(["--encoding", "hash-grid", "--optimizer", "muon"]);
    assert!(grid.status().expect("it starts").success());
    assert!(String::from_utf8_lossy(&read(&dir.path().join("grid"), "config.toml")).contains("\"hidden\""));

    let adam = dir.path().join("adam");
    let mut adam = Command::from_std(train(&adam, "1"));
    let said = contains("muon-lr has no effect without --optimizer muon");
    adam.args(["--muon-lr", "1e-2"]).assert().success().stderr(said.and(contains("muon-layers").not()));
    let mut refused = Command::from_std(train(&dir.path().join("refused"), "1"));
    refused.args(["--optimizer", "muon"]);
    let sentence = contains("muon-lr is -1.0: give a number above 0");
    refused.arg("--muon-lr=-1").assert().code(1).stderr(sentence);
}
