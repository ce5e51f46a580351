//! The program, and a run of it that takes a moment.

use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) fn program() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("afterimage")
}

/// 40x30 pixels of the portrait on the CPU, every other pixel held out.
pub(crate) fn train(out: &Path, epochs: &str) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["--epochs", epochs, "--backend", "cpu", "--size", "40x30"]);
    command.args(["--batch", "200", "--hidden", "24", "--features", "16", "--holdout", "every-other"]);
    command.stderr(Stdio::null()).stdout(Stdio::null());
    command
}
