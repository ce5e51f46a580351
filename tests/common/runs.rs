//! What must be the same after a run was disturbed.

use super::program::train;
use std::path::{Path, PathBuf};

/// Epochs of an undisturbed run.
pub(crate) const EPOCHS: &str = "40";

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

/// run.json.
pub(crate) fn manifest(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).expect("run.json")).expect("JSON")
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
