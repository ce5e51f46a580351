//! `tests/install.sh` with a package manager that only notes what it is asked.
#![cfg(unix)]

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A machine with nothing but a shell, apt-get and sudo.
fn machine() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = std::env::var_os("PATH").expect("a path");
    for tool in ["bash", "dirname", "env", "grep", "id", "uname"] {
        let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.exists());
        symlink(found.expect(tool), dir.path().join(tool)).expect("linked");
    }
    for (name, and_then) in [("apt-get", ""), ("sudo", "exec \"$@\"")] {
        let (file, log) = (dir.path().join(name), dir.path().join("log"));
        let script = format!("#!/usr/bin/env bash\necho {name} $* >>'{}'\n{and_then}", log.display());
        std::fs::write(&file, script).expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("executable");
    }
    dir
}

fn install(machine: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/install.sh"));
    command.env("PATH", machine).env("AFTERIMAGE_PYTHON", "none").env_remove("CI");
    command.env_remove("VK_DRIVER_FILES").env_remove("VK_ICD_FILENAMES");
    command
}

#[test]
fn nothing_is_installed_unasked() {
    let machine = machine();
    let output = install(machine.path()).assert().success();
    output.stdout(contains("tests need ffmpeg").and(contains("nothing is installed")));
    install(machine.path()).arg("--no").assert().code(2).stderr(contains("usage"));
    assert!(!machine.path().join("log").exists());
}

#[test]
fn what_is_missing_is_installed_once_agreed() {
    let machine = machine();
    install(machine.path()).arg("--yes").assert().success();
    install(machine.path()).env("CI", "true").assert().success();
    let log = std::fs::read_to_string(machine.path().join("log")).expect("apt-get was called");
    let installed = |line: &&str| line.starts_with("apt-get install") && line.contains(" ffmpeg");
    assert_eq!(log.lines().filter(installed).count(), 2, "{log}");
    assert_eq!(log.lines().filter(|line| *line == "apt-get update -qq").count(), 2, "{log}");
}

#[test]
fn targets_are_checked_where_their_library_is_and_others_named() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let (log, library) = (machine.path().join("log"), machine.path().join("wasm32-unknown-unknown"));
    std::fs::create_dir(&library).expect("made");
    std::fs::write(library.join("libstd-1.rlib"), "").expect("written");
    let run = |cargo: &str| {
        let rustc = format!("echo '{}'/$4", machine.path().display());
        for (name, script) in [("rustc", rustc.as_str()), ("cargo", cargo)] {
            let file = machine.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("executable");
        }
        let mut command = Command::new("bash");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets.sh"));
        let path = std::env::var("PATH").expect("a path");
        command.env("PATH", format!("{}:{path}", machine.path().display())).assert()
    };
    let checked = run(&format!("echo $* >>'{}'", log.display())).success();
    for target in ["aarch64-apple-darwin", "x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu"] {
        let sentence = format!("not checked for {target}: needs `rustup target add {target}`");
        assert!(String::from_utf8_lossy(&checked.get_output().stdout).contains(&sentence));
    }
    let log = std::fs::read_to_string(&log).expect("cargo was called");
    assert_eq!(
        log.lines().filter(|line| line.contains("--target wasm32-unknown-unknown")).count(),
        2,
        "{log}"
    );
    assert_eq!(log.lines().count(), 2, "{log}");
    run("exit 101").failure();
}
