//! Signals that ask to stop, those that are ignored, and a second one.

use crate::program::{program, resume, train};
use crate::running::Running;
use crate::runs::metrics;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `command`, started by `env` with `options`.
fn with_signals(options: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new("env");
    wrapped.args(options).arg(command.get_program()).args(command.get_args());
    wrapped.stdout(Stdio::null()).stderr(Stdio::piped());
    wrapped
}

fn long_run(out: &Path, options: &[&str]) -> Running {
    let mut child = Running::start(&mut with_signals(options, &train(out, "1000000")));
    child.wait_for(&out.join("checkpoint.previous.safetensors"));
    child
}

#[test]
fn each_signal_ends_a_run_with_everything_written() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let out = dir.path().join(signal.trim_start_matches('-'));
        let child = long_run(&out, &[]);
        child.send(signal);
        let output = child.output();
        assert_eq!(output.status.code(), Some(code), "{signal}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("writing the results"));
        for file in ["model.safetensors", "final.png", "run.json", "progress.gif"] {
            assert!(out.join(file).exists(), "no {file} after {signal}");
        }
        let done = metrics(&out).len() - 2;
        resume(&out).args(["--epochs", &(done + 2).to_string()]).assert().success();
    }
}

#[test]
fn ignored_signals_stay_ignored() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (signal, option) in
        [("-HUP", "--ignore-signal=HUP"), ("-INT", "--ignore-signal=INT"), ("-TERM", "--ignore-signal=TERM")]
    {
        let out = dir.path().join(option);
        let mut child = long_run(&out, &[option]);
        child.send(signal);
        child.send(signal);
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.ended().is_none(), "{signal} ended it");
        child.kill();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    // One step takes minutes.
    command.args([
        "--backend",
        "cpu",
        "--threads",
        "1",
        "--batch",
        "full",
        "--hidden",
        "1024",
        "--layers",
        "8",
    ]);
    command.args(["--out"]).arg(dir.path().join("run"));
    let mut child = Running::start(&mut with_signals(&[], &command));
    child.wait_for(&dir.path().join("run/metrics.csv"));
    child.send("-HUP");
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        assert!(child.ended().is_none(), "the first one does not end it at once");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.send("-TERM");
    assert_eq!(child.output().status.code(), Some(143));
    assert!(!dir.path().join("run/model.safetensors").exists());
}

#[test]
fn stopped_pictures_and_films_leave_nothing_behind() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("run");
    let mut trained = train(&run, "400");
    assert!(trained.args(["--snapshot-every", "1"]).status().expect("it starts").success());
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("a folder");
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let of = |args: &[&str]| {
        let mut command = Command::new(program());
        command.args(args).arg(&run);
        command
    };
    let out = |name: &str| work.join(name).to_str().expect("UTF-8").to_owned();
    let mut eval = of(&["eval", "--backend", "cpu", "--fit", "model", "--error-map", &out("e.png")]);
    eval.arg(&portrait);
    let commands = [
        of(&[
            "render",
            "--backend",
            "cpu",
            "--threads",
            "1",
            "--size",
            "20000x20000",
            "--out",
            &out("r.png"),
        ]),
        of(&["film", "--fps", "20", "--width", "4000", "--out", &out("f.gif")]),
        eval,
    ];
    for (command, begins) in commands.iter().zip([true, true, false]) {
        let mut child = Running::start(&mut with_signals(&[], command));
        let wrote = || std::fs::read_dir(&work).expect("the folder").count() > 0;
        child.wait_until("a temporary file showed that it had begun", || !begins || wrote());
        std::thread::sleep(Duration::from_millis(50));
        child.send("-TERM");
        let status = child.output().status;
        // Eval writes nothing by which it could be waited for, and may have ended before.
        let ended = status.code() == Some(143) || (!begins && status.code() == Some(0));
        assert!(ended, "{command:?}: {status}");
        let left: Vec<_> = std::fs::read_dir(&work).expect("the folder").flatten().collect();
        assert!(left.is_empty() || status.success(), "{command:?} left {left:?}");
    }
}
