//! Files that someone made to do harm: refused in one sentence, in little time and memory.
#![cfg(unix)]

use crate::program;

use afterimage::config::Config;
use afterimage::model::TrainingState;
use afterimage::model_file::ModelFile;
use afterimage::run::checkpoint::{self, Fingerprint};
use afterimage::run::{RunFolder, read_metrics};
use afterimage::trainer::{Checkpoint, Position};
use predicates::str::contains;
use program::{program, resume, train};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn finished_run(dir: &Path) -> PathBuf {
    let out = dir.join("run");
    assert!(train(&out, "2").status().expect("the program starts").success());
    out
}

/// A pipe that nobody writes to: whoever opens it to read waits for ever.
fn pipe(path: &Path) {
    _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo starts").success());
}

/// A file of `size_bytes` that takes no room on the disk.
fn sparse(path: &Path, size_bytes: u64) {
    std::fs::File::create(path).and_then(|file| file.set_len(size_bytes)).expect("created");
}

fn config_bombs() -> Vec<(&'static str, String)> {
    let n = (1 << 20) - 64;
    vec![
        ("arrays", format!("a = {}", "[".repeat(n))),
        ("tables", format!("a = {}", "{a=".repeat(n / 3))),
        ("keys", format!("{}a = 1", "a.".repeat(n / 2))),
        ("headers", format!("[{}a]", "a.".repeat(n / 2))),
        ("array headers", "[[a]]\n".repeat(n / 6)),
        ("many keys", (0..n / 14).map(|i| format!("k{i:06} = 1\n")).collect()),
        ("a quote", format!("a = \"{}", "\\u0041".repeat(n / 6))),
        ("longer than allowed", "#".repeat(n + 1000)),
    ]
}

#[test]
fn a_configuration_of_one_megabyte_is_refused() {
    for (name, text) in config_bombs() {
        let start = std::time::Instant::now();
        assert!(Config::parse(&text).is_err(), "{name}");
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn a_run_with_such_a_configuration_is_not_resumed() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    for (name, text) in config_bombs() {
        std::fs::write(out.join("config.toml"), text).expect("written");
        let assert = resume(&out).timeout(Duration::from_secs(60)).assert().code(1);
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(stderr.contains("config.toml") && stderr.len() < 1000, "{name}: {stderr}");
    }
}

#[test]
fn a_configuration_without_end_is_refused() {
    let dir = temporary_folder();
    let (waiting, long) = (dir.path().join("pipe.toml"), dir.path().join("long.toml"));
    pipe(&waiting);
    sparse(&long, 1 << 40);
    for (path, sentence) in [
        (Path::new("/dev/zero"), "it is not a file"),
        (&waiting, "it is not a file"),
        (&long, "too long for a configuration"),
    ] {
        let mut command = assert_cmd::Command::new(program());
        command.args(["train", "--config"]).arg(path).timeout(Duration::from_secs(60));
        command.assert().code(1).stderr(contains(sentence));
    }
}

#[test]
fn pipes_in_place_of_files_are_not_waited_for() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    let wait = Duration::from_secs(60);
    pipe(&out.join("metrics.csv"));
    resume(&out).timeout(wait).assert().success();
    pipe(&out.join("checkpoint.previous.safetensors"));
    pipe(&out.join("checkpoint.safetensors"));
    resume(&out).timeout(wait).assert().code(1).stderr(contains("it is not a file"));
    let pictures = [out.join("pipe"), PathBuf::from("/dev/zero")];
    pipe(&pictures[0]);
    for picture in pictures {
        let cause =
            |error: &dyn std::error::Error| error.source().map(ToString::to_string).unwrap_or_default();
        let error = afterimage::picture::load(&picture).expect_err("no picture");
        assert!(cause(&error).contains("it is not a file"), "{error:?}");
        let error = ModelFile::load(&picture).expect_err("no model");
        assert!(cause(&error).contains("it is not a file"), "{error:?}");
    }
}

#[test]
fn lengths_are_looked_at_before_anything_is_read() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    let wait = Duration::from_secs(60);
    sparse(&out.join("metrics.csv"), 1 << 40);
    assert_eq!(read_metrics(&out.join("metrics.csv"), u64::MAX), []);
    std::fs::remove_file(out.join("checkpoint.previous.safetensors")).ok();
    sparse(&out.join("checkpoint.safetensors"), 1 << 40);
    resume(&out).timeout(wait).assert().code(1).stderr(contains("more than this network's state"));
    sparse(&out.join("model.safetensors"), 1 << 40);
    let text = ModelFile::load(&out.join("model.safetensors")).expect_err("too long").to_string();
    assert!(text.contains("at most"), "{text}");
}

/// Checkpoints with a right checksum around numbers that no run can reach.
#[test]
fn implausible_checkpoints_are_refused() {
    let dir = temporary_folder();
    let folder = RunFolder::create(&dir.path().join("run"), false).expect("created");
    let settings = Config::default();
    let fingerprint = Fingerprint { picture: 3, n_params: 2, n_moments: 0, by_error: None, settings };
    let refusal = |position: Position, weight: f32| {
        let state = TrainingState { step: 1, params: vec![0.5, weight], moments: vec![] };
        checkpoint::save(
            &folder,
            &Checkpoint { position, state, best: None, importance: None, method: None },
            &fingerprint,
        )
        .expect("written");
        std::fs::remove_file(folder.file("checkpoint.previous.safetensors")).ok();
        checkpoint::load(&folder, &fingerprint).map(|_| ()).map_err(|e| e.to_string())
    };
    let good = Position { epochs_done: 1, ..Position::default() };
    assert_eq!(refusal(good, 0.5), Ok(()));
    for (position, weight) in [
        (Position { lr_scale: 1e9, ..good }, 0.5),
        (Position { lr_scale: 0.0, ..good }, 0.5),
        (Position { seconds: -1.0, ..good }, 0.5),
        (Position { fresh_starts: 4, ..good }, 0.5),
        (Position { flat_error: Some(-1.0), ..good }, 0.5),
        (good, f32::NAN),
    ] {
        let text = refusal(position, weight).expect_err("implausible");
        assert!(text.contains("no run can reach"), "{text}");
    }
}

/// A checkpoint of another run with the same picture and network.
#[test]
fn a_checkpoint_of_another_batch_is_noticed() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    let config = out.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("read");
    assert!(text.contains("batch = 200"), "{text}");
    std::fs::write(&config, text.replace("batch = 200", "batch = 7")).expect("written");
    resume(&out).assert().code(1).stderr(contains("`batch` of [training] must stay 200 and is 7"));
}

#[test]
fn a_link_for_the_pictures_folder_is_not_followed() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).expect("created");
    std::fs::write(photos.join("00007.png"), "mine").expect("written");
    std::fs::remove_dir_all(out.join("epochs")).expect("removed");
    std::os::unix::fs::symlink(&photos, out.join("epochs")).expect("linked");
    resume(&out).assert().code(1).stderr(contains("epochs in it is a link"));
    let mut again = train(&out, "2");
    assert_eq!(again.arg("--force").status().expect("starts").code(), Some(1));
    assert_eq!(std::fs::read(photos.join("00007.png")).expect("still there"), b"mine");
}

/// The configuration in a model file names a picture; reading the model does not look for it.
#[test]
fn what_a_model_says_of_its_picture_is_only_text() {
    let dir = temporary_folder();
    let out = finished_run(dir.path());
    let bytes = std::fs::read(out.join("model.safetensors")).expect("read");
    let (from, to) = (b"astronaut.png", b"/dev/././zero");
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the picture's name");
    let mut changed = bytes;
    changed[at..at + to.len()].copy_from_slice(to);
    let file = ModelFile::parse(&changed).expect("a model");
    assert!(file.metadata["config"].contains("/dev/././zero"));
}

/// A name that a configuration cannot hold.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let dir = temporary_folder();
    let picture = dir.path().join(std::ffi::OsStr::from_bytes(b"na\xefve.png"));
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"), &picture)
        .expect("copied");
    let mut command = assert_cmd::Command::new(program());
    command.arg("train").arg(&picture).arg("--out").arg(dir.path().join("run")).args(["--size", "4x4"]);
    command.args(["--backend", "cpu", "--epochs", "1"]);
    command.assert().code(1).stderr(contains("is not UTF-8"));
    assert!(!dir.path().join("run").exists());
}
