//! What `afterimage render` refuses, and how little memory it takes.

use crate::models;
use crate::rendering;
#[cfg(target_os = "linux")]
use crate::running::Running;

use afterimage::picture::Depth;
use assert_cmd::Command;
use models::model;
use predicates::prelude::*;
use predicates::str::contains;
use rendering::{folder, render, saved};
use std::path::Path;

/// Exit code `code`, one sentence with `message`, and no new file in `dir`.
fn assert_refused(dir: &Path, mut command: Command, code: i32, message: &str) {
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).expect("the folder").flatten().map(|e| e.path()).collect();
        names.sort();
        names
    };
    let before = files();
    command.assert().code(code).stderr(contains(message)).stderr(contains("panicked").not());
    assert_eq!(files(), before, "something was written");
}

#[test]
fn bad_input_is_refused_in_a_sentence() {
    let dir = folder();
    let file = model(3, Depth::U8);
    let path = saved(dir.path(), "m.safetensors", &file);
    std::fs::write(dir.path().join("taken.png"), "a picture").expect("written");
    std::fs::create_dir(dir.path().join("empty")).expect("made");
    let cases: [(&[&str], i32, &str); 20] = [
        (&["--size", "0x5"], 2, "each at least 1"),
        (&["--size", "5"], 2, "WIDTHxHEIGHT"),
        (&["--size", "-1x5"], 2, "error"),
        (&["--size", "5x5", "--scale", "2"], 2, "cannot be used with"),
        (&["--size", "99999999x5"], 1, "at most 16777216 pixels a side"),
        (&["--size", "200000x5"], 1, "at most 131072 pixels a side"),
        (&["--scale", "0"], 1, "above 0"),
        (&["--scale", "-2"], 1, "above 0"),
        (&["--scale", "nan"], 1, "above 0"),
        (&["--scale", "1e300"], 1, "above 0"),
        (&["--crop", "0,0,0,5"], 2, "at least 1"),
        (&["--crop", "20,0,11,5"], 1, "extends beyond the picture of 30x20"),
        (&["--scale", "2", "--crop", "0,4294967295,60,1"], 1, "extends beyond"),
        (&["--out", "a.xyz"], 1, "does not have the extension of a picture format"),
        (&["--out", "a.jpg", "--bits", "16"], 1, "JPEG cannot store 16 bits a value; use 8"),
        (&["--out", "taken.png"], 1, "give --force to replace it"),
        (&["--out", "empty"], 1, "does not have the extension"),
        (&["--out", "nowhere/a.png"], 1, "there is no folder"),
        (&["--size", "100000x1", "--out", "a.webp"], 1, "PNG and TIFF are written row by row"),
        (&["--size", "60000x60000", "--out", "a.exr"], 1, "GiB of memory"),
    ];
    for (args, code, message) in cases {
        assert_refused(dir.path(), render(dir.path(), &path, args), code, message);
    }
    assert_eq!(std::fs::read(dir.path().join("taken.png")).expect("read"), b"a picture");
    // Not even with --force is the model replaced by its picture.
    let model_png = saved(dir.path(), "model.png", &file);
    assert_refused(
        dir.path(),
        render(dir.path(), &model_png, &["--out", "./model.png", "--force"]),
        1,
        "is an input",
    );
    let no_model = render(dir.path(), &dir.path().join("empty"), &[]);
    assert_refused(dir.path(), no_model, 1, "there is no model in");
    let missing = render(dir.path(), &dir.path().join("missing"), &[]);
    assert_refused(dir.path(), missing, 1, "cannot read");
    let both = render(dir.path(), &path, &["--adapter", "0"]);
    assert_refused(dir.path(), both, 1, "give one of the two");
}

#[test]
fn a_model_that_is_not_what_it_claims_is_refused() {
    let dir = folder();
    let path = saved(dir.path(), "m.safetensors", &model(3, Depth::U8));
    let bytes = std::fs::read(&path).expect("read");
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at =
            bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap_or_else(|| panic!("{from}"));
        let mut bytes = bytes.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let cases = [
        ("another version", replaced("afterimage model 1", "afterimage model 9"), "this version reads"),
        ("another shape", replaced("\"shape\":[24,24]", "\"shape\":[36,16]"), "is needed here"),
        ("cut short", bytes[..bytes.len() - 9].to_vec(), "cut short"),
        ("another file", b"not a model at all".to_vec(), "not a usable model file"),
    ];
    for (name, bytes, message) in cases {
        let bad = dir.path().join("bad.safetensors");
        std::fs::write(&bad, bytes).expect("written");
        println!("{name}");
        assert_refused(dir.path(), render(dir.path(), &bad, &[]), 1, message);
    }
}

/// A large picture is streamed: 24 megapixels of 16 bits are 144 MB, and twice that as floats.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_picture() {
    for extension in ["png", "tif"] {
        let dir = folder();
        let path = saved(dir.path(), "m.safetensors", &model(3, Depth::U16));
        let mut command = std::process::Command::new(crate::small::program());
        command.current_dir(dir.path()).arg("render").arg(&path).args(["--backend", "cpu", "-q"]);
        let out = format!("large.{extension}");
        let mut child = Running::start(command.args(["--size", "6000x4000", "--out", &out]));
        let mut peak_kb = 0;
        let status = loop {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let peak = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
            peak_kb = peak_kb.max(peak.unwrap_or(0));
            if let Some(status) = child.ended() {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        assert!(status.success());
        println!("{out}: {peak_kb} kB at most");
        assert!(peak_kb > 0 && peak_kb < 60_000, "{out} took {peak_kb} kB");
    }
}
