//! Output that cannot be written, readers that leave, and what a terminal must not be told.

use crate::program::{program, train};
use crate::skip::{Missing, skip};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn picture(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 30, y as u8 * 30, 9]))
        .save(&path)
        .expect("a picture");
    path
}

/// Every subcommand once, with output on stdout; and those that need a GPU only where there is one.
fn commands(dir: &Path) -> Vec<Command> {
    let run = dir.join("run");
    assert!(train(&run, "3").status().expect("it starts").success());
    let astronaut = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let small = picture(dir, "p.png");
    let of = |args: &[&str]| {
        let mut command = Command::new(program());
        command.current_dir(dir).args(args);
        command
    };
    let with = |args: &[&str], paths: &[&Path]| {
        let mut command = of(args);
        command.args(paths);
        command
    };
    let cpu = ["--backend", "cpu"];
    let mut commands = vec![
        of(&["--help"]),
        of(&["--version"]),
        of(&["train", "--help"]),
        of(&["completions", "bash"]),
        of(&["adapters"]),
        of(&["adapters", "--json"]),
        with(&["inspect"], &[&run]),
        with(&["inspect", "--json"], &[&run]),
        with(&["eval", "--backend", "cpu"], &[&run, &astronaut]),
        with(&["eval", "--json", "--backend", "cpu"], &[&run, &astronaut]),
        with(&["render", "--force", "--backend", "cpu"], &[&run]),
        with(&["film", "--force"], &[&run]),
        with(&["train", "--force", "--epochs", "2", "--backend", "cpu", "--out", "new"], &[&small]),
        with(
            &["compare", "--sizes", "8", "--encodings", "none", "--epochs", "2", "--backend", "cpu"],
            &[&small],
        ),
        of(&["bench", "--jobs", "seed", "--size", "64", "--seconds", "0.01", cpu[0], cpu[1]]),
        of(&["bench", "--jobs", "seed", "--size", "64", "--seconds", "0.01", cpu[0], cpu[1], "--json"]),
    ];
    let adapters = of(&["adapters"]).output().expect("it starts");
    if !String::from_utf8_lossy(&adapters.stdout).starts_with("no GPU") {
        commands.push(of(&["verify", "--kernels", "clear_gradients"]));
        commands.push(of(&["verify", "--kernels", "clear_gradients", "--json"]));
    }
    commands
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_not() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for mut command in commands(dir.path()) {
        command.stderr(Stdio::piped());
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let output = command.stdout(full).output().expect("it starts");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
        assert!(
            text.contains("error: cannot write to standard output: No space left"),
            "{command:?}: {text}"
        );

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command.stdout(writer).output().expect("it starts");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {text}");
        assert!(!text.contains("error") && !text.contains("panicked"), "{command:?}: {text}");

        // Nobody is left to be told of errors of stderr.
        let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
        let status = command.stdout(Stdio::null()).stderr(full()).status().expect("it starts");
        assert_eq!(status.code(), Some(0), "{command:?}");
    }
    assert!(dir.path().join("new/model.safetensors").exists(), "the run's results are there all the same");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = "a\u{1b}[31m\u{9b}2J\u{202e}gnp";
    let obeyed = |output: &Output| {
        let bytes = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8(bytes).expect("UTF-8");
        // clap leaves out the sequence that begins with an escape.
        assert!(text.contains("\\u009b2J\\u202egnp"), "{text}");
        text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}')
    };
    let evil = picture(dir.path(), "p.png").with_file_name(name);
    std::fs::rename(dir.path().join("p.png"), &evil).expect("renamed");
    let run = |args: &[&str], paths: &[&Path]| {
        let mut command = Command::new(program());
        command.current_dir(dir.path()).args(args).args(paths).output().expect("it starts")
    };
    let missing = dir.path().join(format!("none{name}"));
    let (new, folder) = (dir.path().join(format!("new{name}")), dir.path().join(format!("f{name}")));
    assert!(run(&["train", "--epochs", "2", "--backend", "cpu", "--out"], &[&new, &evil]).status.success());
    std::fs::write(&folder, "a file").expect("written");
    let outputs = [
        run(&["train", "--force", "--epochs", "2", "--backend", "cpu", "--out"], &[&new, &evil]),
        run(&["train"], &[&missing]),
        run(&["train", "--out"], &[&folder, &evil]),
        run(&[&format!("--{name}")], &[]),
        run(&["inspect"], &[&new]),
        run(&["inspect", "--json"], &[&new]),
        run(
            &["compare", "--sizes", "8", "--encodings", "none", "--epochs", "2", "--backend", "cpu"],
            &[&evil],
        ),
    ];
    for output in &outputs {
        assert!(!obeyed(output), "{:?}", said(output));
    }
    assert!(serde_json::from_slice::<serde_json::Value>(&outputs[5].stdout).is_ok(), "still JSON");
}

/// What `command` shows on a terminal, by the program `script`.
fn on_a_terminal(command: &str, variables: &[(&str, &str)]) -> Option<String> {
    let mut script = Command::new("script");
    script.args(["-qefc", command, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
    let output = script.envs(variables.iter().copied()).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bars_are_redrawn_only_where_they_can_be() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    picture(dir.path(), "p.png");
    let command = format!(
        "cd {} && {} train p.png --force --epochs 300 --hidden 64 --backend cpu",
        dir.path().display(),
        program().display()
    );
    let Some(redrawn) = on_a_terminal(&command, &[]) else {
        return skip(Missing::Other("the program script"));
    };
    assert!(redrawn.contains("\u{1b}["), "a bar on a terminal: {redrawn:?}");
    for plain in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let shown = on_a_terminal(&command, &[plain]).expect("script runs");
        assert!(!shown.contains('\u{1b}') && shown.contains("epoch 300/300"), "{plain:?}: {shown:?}");
    }
    let coloured = on_a_terminal(&command, &[("NO_COLOR", "")]).expect("script runs");
    assert!(coloured.contains("\u{1b}["), "an empty NO_COLOR says nothing");
}
