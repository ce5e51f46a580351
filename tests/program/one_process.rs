//! Processes that want the same folder at the same time: one gets it, the others say who has it.

use crate::program::program;
use crate::running::Running;
use afterimage::config::Config;
use afterimage::model_file::ModelFile;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const RACERS: usize = 20;

fn picture(dir: &Path, name: &str, hue: u8) -> PathBuf {
    let path = dir.join(name);
    let pixel = |x: u32, y: u32| image::Rgb([(x * 12) as u8, (y * 15) as u8, hue]);
    image::RgbImage::from_fn(20, 16, pixel).save(&path).expect("a picture");
    path
}

fn train(picture: &Path, out: &Path, seed: usize, epochs: &str) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(picture).arg("--out").arg(out).args(["--epochs", epochs, "--hidden", "8"]);
    command.args(["--features", "4", "--backend", "cpu", "--threads", "1", "--seed", &seed.to_string()]);
    command
        .args(["--checkpoint-every", "1", "--snapshot-every", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The winner's index. All others refused with one sentence that names the folder and the process.
fn only_winner(outputs: &[Output], folder: &Path, pids: &[u32]) -> usize {
    let winners: Vec<usize> = (0..outputs.len()).filter(|&i| outputs[i].status.code() == Some(130)).collect();
    let said = |i: usize| String::from_utf8_lossy(&outputs[i].stderr).into_owned();
    assert_eq!(
        winners.len(),
        1,
        "winners {winners:?}: {:?}",
        (0..outputs.len()).map(said).collect::<Vec<_>>()
    );
    for loser in (0..outputs.len()).filter(|i| *i != winners[0]) {
        let said = said(loser);
        assert_eq!(outputs[loser].status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let refusal = format!("cannot use {}: process {} has been", folder.display(), pids[winners[0]]);
        assert!(said.contains(&refusal), "{said}");
    }
    winners[0]
}

/// Starts all of them together. The one that is left when the others have ended is asked to stop.
fn race(commands: impl Iterator<Item = Command>) -> (Vec<u32>, Vec<Output>) {
    let mut racers: Vec<Running> = commands.map(|mut command| Running::start(&mut command)).collect();
    let pids: Vec<u32> = racers.iter().map(Running::id).collect();
    let start = Instant::now();
    let mut running = racers.len();
    while running > 1 {
        assert!(start.elapsed() < Duration::from_secs(120), "{running} of them still run");
        std::thread::sleep(Duration::from_millis(10));
        running = racers.iter_mut().map(|racer| racer.ended()).filter(Option::is_none).count();
    }
    for racer in &mut racers {
        if racer.ended().is_none() {
            racer.send("-INT");
        }
    }
    (pids, racers.into_iter().map(Running::output).collect())
}

/// `folder` holds the run of `seed`, stopped, and nothing of another.
fn assert_is_run_of(folder: &Path, seed: usize) {
    let seed = Some(seed as u64);
    assert_eq!(Config::read(&folder.join("config.toml")).expect("config.toml").training.seed, seed);
    let model = ModelFile::load(&folder.join("model.safetensors")).expect("a model");
    assert_eq!(Config::parse(&model.metadata["config"]).expect("a configuration").training.seed, seed);
    let files = std::fs::read_dir(folder).expect("the folder").flatten().map(|e| e.file_name());
    let hidden: Vec<_> = files.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    let rows = std::fs::read_to_string(folder.join("metrics.csv")).expect("metrics.csv");
    for (epoch, row) in rows.lines().skip(1).enumerate() {
        assert!(row.starts_with(&format!("{epoch},")), "row {epoch} is {row}");
    }
}

#[test]
fn of_twenty_processes_one_trains() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let image = picture(dir.path(), "p.png", 0);
    // New folders first, then folders that hold a run.
    for round in 0..20 {
        let out = dir.path().join(format!("runs/{}", round % 10));
        let (pids, outputs) = race((0..RACERS).map(|seed| {
            let mut command = train(&image, &out, seed, "1000000");
            if round >= 10 {
                command.arg("--force");
            }
            command
        }));
        let winner = only_winner(&outputs, &out, &pids);
        assert_is_run_of(&out, winner);
    }
}

#[test]
fn a_folder_in_use_is_refused_and_free_after_a_kill() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (image, out) = (picture(dir.path(), "p.png", 0), dir.path().join("run"));
    let mut holder = Running::start(&mut train(&image, &out, 1, "1000000"));
    holder.wait_for(&out.join("checkpoint.previous.safetensors"));
    let config = std::fs::read(out.join("config.toml")).expect("config.toml");
    let resume = || {
        let mut command = Command::new(program());
        command.args(["train", "--resume"]).arg(&out);
        command
    };
    let force = || {
        let mut command = train(&image, &out, 2, "2");
        command.arg("--force");
        command
    };
    for mut command in [resume(), force()] {
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("process {} has been writing to it", holder.id())), "{said}");
    }
    assert_eq!(std::fs::read(out.join("config.toml")).expect("config.toml"), config);
    assert!(holder.ended().is_none(), "the holder goes on");
    holder.kill();
    let output = force().output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!out.join(".lock").exists() && !out.join(".lock-holder").exists());
}

#[test]
fn of_twenty_comparisons_one_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let image = picture(dir.path(), "p.png", 0);
    let out = dir.path().join("out");
    let compare = |_| {
        let mut command = Command::new(program());
        command.arg("compare").arg(&image).arg("--out").arg(&out).args(["--backend", "cpu", "--sizes", "16"]);
        command.args(["--encodings", "none,basic", "--epochs", "1000000", "--jobs", "1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let (pids, outputs) = race((0..RACERS).map(compare));
    only_winner(&outputs, &out, &pids);
    let begun = std::fs::read_dir(out.join("p/16")).expect("cells").flatten().filter(|e| e.path().is_dir());
    assert_eq!(begun.count(), 1, "one cell at a time");
    assert!(!out.join(".lock").exists());
}

#[test]
fn a_cell_in_use_fails_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (image, out) = (picture(dir.path(), "p.png", 0), dir.path().join("out"));
    let compare = |epochs: &str| {
        let mut command = Command::new(program());
        command.arg("compare").arg(&image).arg("--out").arg(&out).args(["--backend", "cpu", "--sizes", "16"]);
        command.args(["--encodings", "none,basic", "--force", "--epochs", epochs]);
        command.output().expect("it starts")
    };
    assert!(compare("2").status.success());
    let cell = out.join("p/16/basic-adam");
    let mut resumed = Command::new(program());
    resumed.args(["train", "--epochs", "1000000", "--checkpoint-every", "1", "--resume"]).arg(&cell);
    let mut resumed = Running::start(resumed.stdout(Stdio::null()).stderr(Stdio::null()));
    resumed.wait_for(&cell.join(".lock-holder"));
    let output = compare("3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("process {} has been writing", resumed.id())), "{said}");
    assert!(out.join("p/16/none-adam/model.safetensors").exists());
    assert!(resumed.ended().is_none(), "the cell's holder goes on");
    resumed.kill();
}
