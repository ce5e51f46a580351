//! The program under test, and small runs of it.

use assert_cmd::Command;
use std::path::Path;
use std::process::Stdio;

pub(crate) fn program() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("afterimage")
}

pub(crate) fn train(out: &Path, epochs: &str) -> std::process::Command {
    train_on("cpu", out, epochs)
}

pub(crate) fn train_on(backend: &str, out: &Path, epochs: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["--epochs", epochs, "--checkpoint-every", "3", "--backend", backend]);
    command.args(["--size", "40x30", "--batch", "200", "--hidden", "24", "--features", "16"]);
    command.args(["--holdout", "every-other", "--threads", "2"]).stderr(Stdio::null()).stdout(Stdio::null());
    command
}

pub(crate) fn resume(out: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["train", "-q", "--resume"]).arg(out);
    command
}
