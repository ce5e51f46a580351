//! Runs that train, or were killed: their checkpoints are models.

use crate::program::{program, train};
use crate::running::{Running, put};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

#[test]
fn a_checkpoint_is_rendered_measured_and_inspected() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("run");
    let mut training = Running::start(&mut train(&run, "1000000"));
    training.wait_for(&run.join("checkpoint.previous.safetensors"));
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let afterimage = |args: &[&str], path: &Path| {
        let mut command = Command::new(program());
        command.current_dir(dir.path()).args(args).arg(path);
        command
    };
    let cpu = ["render", "--backend", "cpu", "--force", "--out", "now.png"];
    // While it trains.
    afterimage(&cpu, &run).assert().success().stderr(contains("at the checkpoint after"));
    training.kill();
    for path in [run.clone(), run.join("checkpoint.safetensors"), run.join("checkpoint.previous.safetensors")]
    {
        let output = afterimage(&cpu, &path).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let after = said.split("checkpoint after ").nth(1).and_then(|text| text.split(' ').next());
        let epoch: u64 = after.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        let pixels = |path: &Path| image::open(path).expect("a picture").to_rgb8();
        let snapshot = run.join(format!("epochs/{epoch:05}.png"));
        assert!(pixels(&dir.path().join("now.png")) == pixels(&snapshot), "{}", path.display());
    }
    afterimage(&["inspect"], &run).assert().success().stdout(contains("weights"));
    afterimage(&["eval", "--backend", "cpu"], &run).arg(&portrait).assert().success();
    afterimage(&["film", "--out", "film.gif"], &run).assert().success();
    let render = |path: &Path| afterimage(&cpu, path);
    put(&run.join("checkpoint.safetensors"), b"damaged");
    render(&run.join("checkpoint.safetensors")).assert().code(1).stderr(contains("damaged"));
    render(&run).assert().success().stderr(contains("resuming from").not());
    // One that was just begun.
    for name in ["checkpoint.safetensors", "checkpoint.previous.safetensors"] {
        std::fs::remove_file(run.join(name)).expect("removed");
    }
    render(&run).assert().code(1).stderr(contains("no checkpoint.safetensors in it yet"));
}
