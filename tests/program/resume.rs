//! Nothing is lost: stopped, killed and damaged runs go on to the same bits.

use crate::program;
use crate::running::{Running, put};
use crate::runs;

use assert_cmd::Command;
use predicates::str::contains;
use program::{program, resume, train};
use runs::{EPOCHS, assert_same_run, manifest, undisturbed};
use std::path::Path;
use std::process::Stdio;

/// A run with everything that a checkpoint can hold but a best state.
fn by_error(out: &Path) -> std::process::Command {
    let mut command = train(out, EPOCHS);
    command.args(["--sampling", "error"]);
    command
}

/// Kills are spread over the length of an undisturbed run. Override the number with
/// AFTERIMAGE_KILLS.
#[test]
fn killed_runs_go_on_to_the_same_bits() {
    let kills: u32 = std::env::var("AFTERIMAGE_KILLS").map_or(200, |n| n.parse().expect("a number of kills"));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let start = std::time::Instant::now();
    let undisturbed = dir.path().join("undisturbed");
    assert!(by_error(&undisturbed).status().expect("the program starts").success());
    // How long a whole run takes; the first may have had less of the machine than the others.
    let mut length = start.elapsed();
    let mut done = 0;
    let mut run = 0;
    while done < kills {
        let out = dir.path().join(format!("run{run}"));
        run += 1;
        let mut child = Running::start(&mut by_error(&out));
        let mut is_whole = true;
        loop {
            // A generator of instants, not of numbers: any spread over the run will do.
            let share = f64::from((done * 61 + run * 17) % 100) / 100.0;
            let pause = length.mul_f64(0.02 + 1.2 * share);
            std::thread::sleep(pause);
            let finished = child.ended().is_some();
            if finished && is_whole {
                length = length.min(pause);
            }
            child.kill();
            if finished || done == kills {
                break;
            }
            done += 1;
            let mut next = std::process::Command::new(program());
            next.args(["train", "-q", "--resume"]).arg(&out);
            is_whole = false;
            if !out.join("config.toml").exists() {
                next = by_error(&out);
            }
            child = Running::start(next.stderr(Stdio::null()));
        }
        resume(&out).assert().success();
        assert_same_run(&out, &undisturbed);
    }
    println!("{done} kills over {run} runs");
}

#[test]
fn more_epochs_can_be_asked_for() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let constant = |epochs| {
        let mut command = train(&out, epochs);
        command.args(["--schedule", "constant"]);
        command
    };
    assert!(constant("10").status().expect("starts").success());
    resume(&out).args(["--epochs", "25"]).assert().success();
    let resumed = dir.path().join("resumed");
    std::fs::rename(&out, &resumed).expect("renamed");
    assert!(constant("25").status().expect("starts").success());
    assert_same_run(&resumed, &out);
    resume(&out).args(["--epochs", "5"]).assert().code(1).stderr(contains("already done 25 epochs"));
    let config = || std::fs::read(out.join("config.toml")).expect("read");
    let before = config();
    for setting in [["--lr", "1"], ["--keep", "best"], ["--measure-every", "2"]] {
        resume(&out).args(setting).assert().code(1).stderr(contains("keeps the run's settings"));
    }
    assert_eq!(config(), before);
    resume(&dir.path().join("nowhere")).assert().code(1).stderr(contains("no run in it"));
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_used() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let undisturbed = undisturbed(dir.path());
    let out = dir.path().join("run");
    let mut child = Running::start(&mut train(&out, EPOCHS));
    let (current, previous) =
        (out.join("checkpoint.safetensors"), out.join("checkpoint.previous.safetensors"));
    child.wait_until("two checkpoints", || previous.exists() && current.exists());
    child.kill();
    let mut bytes = std::fs::read(&current).expect("a checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    put(&current, &bytes);
    let mut command = Command::new(program());
    command.args(["train", "--resume"]).arg(&out);
    command
        .assert()
        .success()
        .stderr(contains("checkpoint.safetensors cannot be used: its checksum does not match"));
    assert_same_run(&out, &undisturbed);

    put(&current, &bytes[..middle]);
    put(&previous, b"nothing");
    resume(&out).assert().code(1).stderr(contains("cannot be used").and(contains("--force")));
}

use predicates::prelude::PredicateBooleanExt;

#[test]
fn an_exchanged_picture_is_noticed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let picture = dir.path().join("picture.png");
    image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([x as u8, y as u8, 7])).save(&picture).expect("saved");
    let out = dir.path().join("run");
    let mut command = Command::new(program());
    command.args(["train", "-q"]).arg(&picture).arg("--out").arg(&out);
    command.args(["--epochs", "2", "--backend", "cpu", "--hidden", "8"]).assert().success();
    image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([y as u8, x as u8, 9])).save(&picture).expect("saved");
    resume(&out).args(["--epochs", "4"]).assert().code(1).stderr(contains("the picture has changed"));
}

/// Settings edited between two parts of a run would train, or show, something that is neither.
#[test]
fn a_setting_edited_in_config_toml_is_noticed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    assert!(train(&out, "2").status().expect("starts").success());
    let path = out.join("config.toml");
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{text}");
        put(&path, text.replace(from, to).as_bytes());
    };
    let checkpoint = || std::fs::read(out.join("checkpoint.safetensors")).expect("a checkpoint");
    let before = checkpoint();
    edit("min_lr = 0.0\n", "min_lr = 0.001\n");
    let change = "`min_lr` of [training] must stay 0.0 and is 0.001";
    resume(&out)
        .args(["--epochs", "4"])
        .assert()
        .code(1)
        .stderr(contains(change).and(contains("set it back")));
    let mut render = Command::new(program());
    render.arg("render").arg(out.join("checkpoint.safetensors")).arg("--out").arg(dir.path().join("x.png"));
    render.assert().code(1).stderr(contains(change));
    assert!(checkpoint() == before, "it is as it was");
    edit("min_lr = 0.001\n", "min_lr = 0.0\n");
    // What --resume may change may be edited too.
    edit("epochs = 2\n", "epochs = 5\n");
    edit("snapshot_every = 1\n", "snapshot_every = 2\n");
    resume(&out).assert().success();
    assert_eq!(manifest(&out)["epochs"], 5);
}
