//! `render` in the tests of it.

use super::small::program;
use afterimage::model_file::ModelFile;
use assert_cmd::Command;
use std::path::{Path, PathBuf};

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// `render` on the CPU in `dir`, without words.
pub(crate) fn render(dir: &Path, model: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).arg("render").arg(model).args(["--backend", "cpu", "-q"]).args(args);
    command
}

pub(crate) fn saved(dir: &Path, name: &str, model: &ModelFile) -> PathBuf {
    let path = dir.join(name);
    model.save(&path).expect("written");
    path
}
