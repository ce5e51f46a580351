//! A disk that fills up and a folder that becomes read-only in the middle of a run: one clear
//! sentence, nothing torn, and the run goes on to the same bits once there is room again.
#![cfg(target_os = "linux")]

use crate::program;
use crate::running::Running;
use crate::runs;
use crate::skip::{Missing, skip};

use afterimage::config::Config;
use afterimage::model::TrainingState;
use afterimage::picture::{Picture, Pixels};
use afterimage::run::checkpoint::Fingerprint;
use afterimage::run::{Display, Recorder, RunFolder};
use afterimage::trainer::{Checkpoint, EpochSummary, Observer, Position, Progress};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use program::{program, resume, train};
use runs::{EPOCHS, assert_same_run, metrics, undisturbed};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Set in the process that has mounts of its own.
const INSIDE: &str = "AFTERIMAGE_TEST_MOUNTS";

fn is_root() -> bool {
    tempfile::tempfile().and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.uid() == 0)
}

/// True in a process that may mount what it likes, seen by nobody else and gone when it ends.
/// Elsewhere it runs `test` in such a process, or says why it cannot, and returns false.
fn may_mount(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg(if is_root() { "-m" } else { "-rm" });
        command
    };
    let probe = unshare().args(["mount", "-t", "tmpfs", "none", "/tmp"]).output();
    let refused = match &probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(e) => Some(format!("unshare: {e}")),
    };
    if let Some(reason) = refused {
        skip(Missing::Software(&format!("no small disk can be mounted here ({reason})")));
        return false;
    }
    let this = std::env::current_exe().expect("a test has a path");
    let inside = unshare().arg(this).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").status();
    assert!(inside.expect("unshare starts").success(), "{test} failed in its own namespace");
    false
}

fn mount(disk: &Path, options: &str) {
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(disk).status();
    assert!(status.expect("mount starts").success(), "mount -o {options}");
}

fn free_space(disk: &Path) {
    mount(disk, "remount,size=64m");
}

/// Exit code 1 and one sentence with the file and the reason; returns the file's name.
fn file_named(output: &Output, out: &Path, reason: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("error: cannot ") && text.contains(reason), "{text}");
    assert!(!text.contains(".afterimage-"), "a temporary file is named: {text}");
    let path = text.split_once(&format!("{}", out.display()));
    let name = path.unwrap_or_else(|| panic!("no file is named: {text}")).1;
    name.split([':', ' ']).next().unwrap_or_default().trim_start_matches('/').to_owned()
}

/// Every file in a run's folder, whatever it is called.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn assert_nothing_torn(out: &Path) {
    for path in files(out) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(!name.starts_with('.'), "{} was left behind", path.display());
        if name.ends_with(".png") || name.ends_with(".gif") {
            let picture = afterimage::picture::load(&path);
            assert!(picture.is_ok(), "{}: {:?}", path.display(), picture.err());
        }
        let size_bytes = path.metadata().expect("it exists").len();
        assert!(size_bytes > 0, "{} is empty", path.display());
    }
    if out.join("metrics.csv").exists() {
        assert!(!metrics(out).is_empty());
    }
}

fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Disks of many sizes, so that the last byte is taken at many points of a run.
#[test]
fn a_full_disk_costs_nothing_but_the_wait() {
    if !may_mount("a_full_disk_costs_nothing_but_the_wait") {
        return;
    }
    let dir = temporary_folder();
    let undisturbed = undisturbed(dir.path());
    let used: u64 = files(&undisturbed).iter().map(|f| f.metadata().expect("a file").blocks() / 2).sum();
    let mut named = Vec::new();
    for share in [1, 3, 5, 7, 8, 9] {
        let size_kib = used * share / 10;
        let disk = dir.path().join(format!("disk{share}"));
        std::fs::create_dir(&disk).expect("created");
        mount(&disk, &format!("size={size_kib}k"));
        let out = disk.join("run");
        let output = train(&out, EPOCHS).arg("-q").stderr(Stdio::piped()).output().expect("starts");
        named.push(file_named(&output, &out, "No space left on device"));
        assert_nothing_torn(&out);
        free_space(&disk);
        if out.join("config.toml").exists() {
            resume(&out).assert().success();
        } else {
            assert!(train(&out, EPOCHS).status().expect("starts").success());
        }
        assert_same_run(&out, &undisturbed);
        assert_nothing_torn(&out);
    }
    named.sort();
    named.dedup();
    println!("full while writing {}", named.join(", "));
    assert!(named.len() >= 2, "all disks were full at the same point: {named:?}");
}

/// Fills `disk` to its last byte.
fn fill(disk: &Path) {
    let mut filler = std::fs::File::create(disk.join("filler")).expect("created");
    while filler.write_all(&[1; 512]).is_ok() {}
}

/// Nothing but metrics is written here, line by line, until a line takes the last byte.
#[test]
fn a_full_disk_leaves_no_torn_line() {
    if !may_mount("a_full_disk_leaves_no_torn_line") {
        return;
    }
    let dir = temporary_folder();
    mount(dir.path(), "size=2m");
    let out = dir.path().join("run");
    let rare = ["--schedule", "constant", "--snapshot-every", "1000000"];
    assert!(train(&out, "6").args(rare).status().expect("starts").success());
    let checkpoint = std::fs::read(out.join("checkpoint.safetensors")).expect("a checkpoint");
    let mut longer = Command::new(program());
    longer.args(["train", "-q", "--resume"]).arg(&out).args(["--epochs", "1000000"]);
    longer.args(["--checkpoint-every", "never"]).stderr(Stdio::piped());
    let mut child = Running::start(&mut longer);
    child.wait_until("twelve epochs", || metrics(&out).len() >= 12);
    fill(dir.path());
    let output = child.output();
    assert_eq!(file_named(&output, &out, "No space left on device"), "metrics.csv");
    assert_nothing_torn(&out);
    assert_eq!(std::fs::read(out.join("checkpoint.safetensors")).expect("still there"), checkpoint);
    std::fs::remove_file(dir.path().join("filler")).expect("removed");
    resume(&out).args(["--epochs", "10"]).assert().success().stderr(contains("cannot").not());
    assert_eq!(metrics(&out).len(), 1 + 11, "a header and epochs 0 to 10");
}

/// A user other than root, who is bound by permissions.
const NOBODY: u32 = 65_534;

/// The command as a user who is bound by permissions, with everything it needs within `dir`.
fn as_ordinary_user(dir: &Path, out: &Path) -> Command {
    let command = train(out, EPOCHS);
    if !is_root() {
        return command;
    }
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).expect("changed");
    let (binary, picture) = (dir.join("afterimage"), dir.join("astronaut.png"));
    std::fs::copy(program(), &binary).expect("copied");
    let mut args: Vec<std::ffi::OsString> = command.get_args().map(Into::into).collect();
    std::fs::copy(&args[1], &picture).expect("copied");
    args[1] = picture.into();
    std::fs::create_dir(out).expect("created");
    chown(out, Some(NOBODY), Some(NOBODY)).expect("given away");
    let mut command = Command::new(binary);
    command.args(args).uid(NOBODY).gid(NOBODY).stdout(Stdio::null());
    command
}

fn set_mode(out: &Path, mode: u32) {
    for folder in [out.to_owned(), out.join("epochs")] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).expect("changed");
    }
}

struct NoDisplay;

impl Display for NoDisplay {
    fn progress(&mut self, _: &Progress) {}
    fn epoch(&mut self, _: &EpochSummary, _: u64) {}
    fn stop_requested(&self) -> bool {
        false
    }
}

/// A resumed run makes no picture of an epoch before its checkpoint again.
#[test]
fn an_epoch_whose_picture_cannot_be_written_is_in_no_checkpoint() {
    let dir = temporary_folder();
    let folder = RunFolder::create(&dir.path().join("run"), false).expect("created");
    let picture = Picture { width: 2, height: 1, channels: 1, pixels: Pixels::U8(vec![3, 200]) };
    let run = Config::default().resolve(&picture, None).expect("defaults");
    let fingerprint =
        Fingerprint { picture: 1, n_params: 1, n_moments: 0, by_error: None, settings: run.config.clone() };
    let position = Position { epochs_done: 7, ..Position::default() };
    let mut display = NoDisplay;
    let mut recorder =
        Recorder::new(&folder, &run, fingerprint, &Position::default(), &mut display).expect("new");
    std::fs::create_dir(folder.snapshot(7)).expect("something in the way");
    let summary = EpochSummary {
        epoch: 7,
        step: 7,
        seconds: 1.0,
        lr: 1e-3,
        loss: None,
        psnr_train: Some(9.0),
        psnr_test: None,
    };
    recorder.epoch(&summary, Some(picture)).expect("written later");
    let state = TrainingState { step: 7, params: vec![1.0], moments: vec![] };
    let refusal = recorder
        .checkpoint(&Checkpoint { position, state, best: None, importance: None, method: None })
        .expect_err("no picture")
        .to_string();
    assert!(refusal.contains("00007.png"), "{refusal}");
    assert!(!folder.file("checkpoint.safetensors").exists());
}

#[test]
fn a_folder_that_becomes_read_only_keeps_its_checkpoint() {
    let dir = temporary_folder();
    let undisturbed = undisturbed(dir.path());
    let out = dir.path().join("run");
    let mut command = as_ordinary_user(dir.path(), &out);
    let mut child = Running::start(command.arg("-q").stderr(Stdio::piped()));
    child.wait_for(&out.join("checkpoint.safetensors"));
    set_mode(&out, 0o555);
    let output = child.output();
    let name = file_named(&output, &out, "Permission denied");
    println!("read-only while writing {name}");
    assert!(metrics(&out).len() > 3);
    set_mode(&out, 0o755);
    // Root may write where the ordinary user could not, and so may that user again.
    resume(&out).assert().success();
    assert_same_run(&out, &undisturbed);
    // A temporary file cannot be removed from a read-only folder, so this waits until here.
    assert_nothing_torn(&out);
}
