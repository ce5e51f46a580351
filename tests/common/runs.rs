//! Small runs of the program, and what must be the same after one was disturbed.

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Epochs of an undisturbed run.
pub(crate) const EPOCHS: &str = "40";

pub(crate) fn program() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("afterimage")
}

pub(crate) fn train(out: &Path, epochs: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["--epochs", epochs, "--checkpoint-every", "3", "--backend", "cpu"]);
    command.args(["--size", "40x30", "--batch", "200", "--hidden", "24", "--features", "16"]);
    command.args(["--holdout", "every-other", "--threads", "2"]).stderr(Stdio::null()).stdout(Stdio::null());
    command
}

pub(crate) fn resume(out: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["train", "-q", "--resume"]).arg(out);
    command
}

/// metrics.csv without its times.
pub(crate) fn metrics(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.csv")).expect("metrics.csv");
    assert!(text.ends_with('\n'), "metrics.csv ends in a torn line");
    let without_time = |line: &str| {
        let fields: Vec<&str> =
            line.split(',').enumerate().filter(|(i, _)| *i != 2).map(|(_, f)| f).collect();
        fields.join(",")
    };
    text.lines().map(without_time).collect()
}

pub(crate) fn assert_same_run(run: &Path, undisturbed: &Path) {
    assert_eq!(metrics(run), metrics(undisturbed));
    let pictures = |run: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(run.join("epochs")).expect("epochs");
        let mut names: Vec<PathBuf> =
            entries.flatten().map(|e| PathBuf::from("epochs").join(e.file_name())).collect();
        names.sort();
        names
    };
    assert_eq!(pictures(run), pictures(undisturbed));
    let others =
        ["model.safetensors", "final.png", "strip.png", "progress.gif", "psnr.svg"].map(PathBuf::from);
    for file in pictures(undisturbed).into_iter().chain(others) {
        let read =
            |run: &Path| std::fs::read(run.join(&file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(read(run) == read(undisturbed), "{} differs", file.display());
    }
}

pub(crate) fn undisturbed(dir: &Path) -> PathBuf {
    let out = dir.join("undisturbed");
    assert!(train(&out, EPOCHS).status().expect("the program starts").success());
    out
}
