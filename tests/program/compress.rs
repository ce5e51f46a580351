//! `afterimage compress`, and what other commands make of its files.

use crate::program::program;
use afterimage::picture::{Picture, Pixels, load, save_png};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

fn afterimage(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).args(args);
    command
}

/// A folder with a small picture and the file of it.
fn compressed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let value = |n: usize| {
        ((n / 3 % 50 * 4) as u8).wrapping_add((n / 150) as u8 * 2).saturating_add((n % 3) as u8 * 20)
    };
    let pixels = Pixels::U8((0..50 * 40 * 3).map(value).collect());
    save_png(&Picture { width: 50, height: 40, channels: 3, pixels }, &dir.path().join("a.png"))
        .expect("a picture");
    afterimage(dir.path(), &["compress", "a.png", "--bpp", "2", "--steps", "60"])
        .assert()
        .success()
        .stdout(contains("a.aim  ").and(contains(" bits a pixel, ")));
    dir
}

#[test]
fn a_picture_is_compressed_rendered_measured_and_described() {
    let dir = compressed();
    let path = |name: &str| dir.path().join(name);
    let bytes = std::fs::metadata(path("a.aim")).expect("a file").len();
    assert!(bytes * 8 <= 2 * 50 * 40, "{bytes} bytes");
    afterimage(dir.path(), &["render", "a.aim", "--out", "whole.png"]).assert().success();
    afterimage(dir.path(), &["render", "a.aim", "--crop", "7,30,20,9", "--out", "part.png"])
        .assert()
        .success();
    let (whole, part) =
        (load(&path("whole.png")).expect("a picture"), load(&path("part.png")).expect("a picture"));
    assert_eq!((whole.width, whole.height, part.width, part.height), (50, 40, 20, 9));
    let (Pixels::U8(whole), Pixels::U8(part)) = (whole.pixels, part.pixels) else { panic!("8 bits") };
    for (y, row) in part.chunks(20 * 3).enumerate() {
        assert_eq!(row, &whole[((30 + y) * 50 + 7) * 3..][..20 * 3], "row {y}");
    }
    afterimage(dir.path(), &["eval", "a.aim", "a.png", "--error-map", "map.png"])
        .assert()
        .success()
        .stdout(contains("PSNR ").and(contains(format!("{bytes} bytes"))));
    afterimage(dir.path(), &["inspect", "a.aim"])
        .assert()
        .success()
        .stdout(contains("50x40, RGB, 8 bits, sRGB").and(contains("grid         50 x 40")));
    afterimage(dir.path(), &["inspect", "a.aim", "--json"])
        .assert()
        .success()
        .stdout(contains("\"network_bytes\""));
}

#[test]
fn what_is_left_out_of_a_picture_is_said() {
    let dir = compressed();
    let pixels = Pixels::U16((0..40 * 30).map(|n| n * 50).collect());
    let deep = Picture { width: 40, height: 30, channels: 1, pixels };
    save_png(&deep, &dir.path().join("deep.png")).expect("a picture");
    let says = "its values of 16 bits are rounded to 8";
    afterimage(dir.path(), &["compress", "deep.png", "--bpp", "6", "--steps", "20"])
        .assert()
        .success()
        .stderr(contains(says));
    afterimage(dir.path(), &["compare", "deep.png", "--rates", "6", "--steps", "20"])
        .assert()
        .success()
        .stderr(contains(format!("deep: {says}")));
}

#[test]
fn a_film_shows_it_grid_by_grid() {
    let dir = compressed();
    afterimage(dir.path(), &["film", "a.aim"]).assert().success().stdout(contains("a.gif  7 frames"));
    assert!(dir.path().join("a.gif").is_file());
    afterimage(dir.path(), &["film", "a.aim"]).assert().failure().stderr(contains("a.gif exists"));
}

#[test]
fn a_model_is_compressed_as_what_it_shows_or_in_8_bits() {
    let dir = compressed();
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).expect("a file").len();
    let train = ["train", "a.png", "--epochs", "60", "--backend", "cpu", "--out", "run", "--quiet"];
    afterimage(dir.path(), &train).assert().success();
    afterimage(dir.path(), &["compress", "run", "--bpp", "3", "--steps", "40"])
        .assert()
        .success()
        .stderr(contains("run is a model: what it shows at the size it was trained at is compressed"))
        .stdout(contains("run.aim  "));
    afterimage(dir.path(), &["eval", "run.aim", "run/final.png"]).assert().success().stdout(contains("PSNR"));

    let decibels = |text: &str| -> f64 { text.parse().unwrap_or_else(|_| panic!("{text} is no number")) };
    let told = afterimage(dir.path(), &["compress", "run", "--bits", "8", "--steps", "50"])
        .output()
        .expect("output");
    let told = String::from_utf8(told.stdout).expect("text");
    let numbers: Vec<f64> =
        told.split(" dB").next().and_then(|t| t.rsplit(' ').next()).map(decibels).into_iter().collect();
    let between = |start: &str, end: &str| -> f64 {
        decibels(
            told.split(start).nth(1).and_then(|t| t.split(end).next()).unwrap_or_else(|| panic!("{told}")),
        )
    };
    let (before, plain) = (between("dB (", " before"), between("before, ", " rounded"));
    assert!(numbers[0] >= plain && plain < before + 0.1, "{told}");
    assert!(3 * size("run-8bit.safetensors") < size("run/model.safetensors"), "{told}");
    // What is said is what the file gives.
    let report = afterimage(dir.path(), &["eval", "run-8bit.safetensors", "a.png", "--json"])
        .output()
        .expect("output");
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let found = report["psnr"].as_f64().expect("a number");
    assert!((found - numbers[0]).abs() < 0.02, "{told} {found}");
    afterimage(dir.path(), &["inspect", "run-8bit.safetensors"]).assert().success().stdout(contains("I8"));

    // Without its run it is rounded as it is, which is said.
    std::fs::copy(dir.path().join("run/model.safetensors"), dir.path().join("alone.safetensors"))
        .expect("a copy");
    afterimage(dir.path(), &["compress", "alone.safetensors", "--bits", "8"]).assert().success().stderr(
        contains("alone.safetensors is not in the folder of a run: its weights are rounded without training"),
    );
    let refused = |args: &[&str], reason: &str| {
        afterimage(dir.path(), args).assert().failure().stderr(contains(reason.to_owned()));
    };
    refused(&["compress", "a.png", "--bits", "8"], "--bits is for models: a.png is none");
    refused(&["compress", "run", "--bits", "8"], "run-8bit.safetensors exists");
    refused(&["compress", "run", "--bits", "7"], "possible values: 8");
    refused(&["compress", "run", "--bits", "8", "--page", "2"], "cannot be used with");
    refused(
        &["compress", "run", "--bpp", "3", "--page", "2", "--force"],
        "--page is for files with several pictures",
    );
    // Another picture of the same size under the run's name is not learned instead.
    let noise = Pixels::U8((0..50 * 40 * 3).map(|n: u32| (n * n / 7 % 251) as u8).collect());
    save_png(&Picture { width: 50, height: 40, channels: 3, pixels: noise }, &dir.path().join("a.png"))
        .expect("a picture");
    refused(
        &["compress", "run", "--bits", "8", "--out", "b.safetensors"],
        "is not the one this network was trained on",
    );
    assert!(!dir.path().join("b.safetensors").exists());
}

#[test]
fn the_same_command_gives_the_same_file_with_any_number_of_threads() {
    let dir = compressed();
    let again = ["compress", "a.png", "--bpp", "2", "--steps", "60", "--threads", "1", "--out", "b.aim"];
    afterimage(dir.path(), &again).assert().success();
    let read = |name: &str| std::fs::read(dir.path().join(name)).expect("a file");
    assert_eq!(read("a.aim"), read("b.aim"));
}

#[test]
fn rates_are_compared_with_jpeg_and_what_is_done_is_kept() {
    let dir = compressed();
    let path = |name: &str| dir.path().join(name);
    let compare = ["compare", "a.png", "--rates", "2,4", "--steps", "40", "--out", "r"];
    afterimage(dir.path(), &compare)
        .assert()
        .success()
        .stdout(contains("afterimage").and(contains("JPEG")).and(contains("r/report.html")));
    let csv = std::fs::read_to_string(path("r/rates.csv")).expect("numbers");
    for (codec, ending) in [("afterimage", "aim"), ("JPEG", "jpg")] {
        for rate in [2, 4] {
            let start = format!("a,{codec},{rate},");
            let row = csv.lines().find_map(|line| line.strip_prefix(&start)).expect("a row");
            let bytes: u64 = row.split(',').next().and_then(|n| n.parse().ok()).expect("bytes");
            assert!(bytes * 8 <= rate * 50 * 40, "{codec} {row}");
            let file = std::fs::metadata(path(&format!("r/a/a-{rate}.{ending}"))).expect("a file");
            assert_eq!(file.len(), bytes);
        }
    }
    for name in ["rates.md", "rates.svg", "rates.png", "report.html", "a/sheet.png"] {
        assert!(path("r").join(name).is_file(), "{name}");
    }
    // What is there is not made again, and a file more is.
    let made = std::fs::metadata(path("r/a/a-2.aim")).and_then(|file| file.modified()).expect("a time");
    afterimage(dir.path(), &["compare", "a.png", "--rates", "2,3", "--steps", "40", "--out", "r"])
        .assert()
        .success();
    assert_eq!(
        std::fs::metadata(path("r/a/a-2.aim")).and_then(|file| file.modified()).expect("a time"),
        made
    );
    assert!(path("r/a/a-3.aim").is_file());
    let refused = |args: &[&str], reason: &str| {
        afterimage(dir.path(), args).assert().failure().stderr(contains(reason.to_owned()));
    };
    refused(
        &["compare", "a.png", "--rates", "2", "--steps", "41", "--out", "r"],
        "holds files of other settings",
    );
    refused(&["compare", "a.png", "--rates", "2,2", "--out", "s"], "2 is named twice among the rates");
    // Nothing is made for the first of two pictures where the second is refused.
    std::fs::copy(path("a.png"), path("0.png")).expect("a copy");
    let both = ["compare", "0.png", "a.png", "--rates", "2", "--steps", "41", "--out", "r"];
    refused(&both, "holds files of other settings");
    assert!(!path("r/0").exists());
    std::fs::write(path("file"), "").expect("a file");
    let text = afterimage(dir.path(), &["compare", "a.png", "--rates", "2", "--out", "file"])
        .output()
        .expect("output");
    let text = String::from_utf8(text.stderr).expect("text");
    assert_eq!(text.matches("os error").count(), 1, "said once: {text}");
    refused(&["compare", "a.png", "--rates", "2", "--sizes", "32"], "cannot be used with");
    refused(&["compare", "a.png", "--steps", "20"], "--rates");
    // A wish that no file meets leaves the others, and says so.
    afterimage(dir.path(), &["compare", "a.png", "--rates", "0.02,2", "--steps", "40", "--out", "r"])
        .assert()
        .code(1)
        .stderr(contains("a at 0.02 bits a pixel: the smallest file has "));
    let damaged = path("r/a/a-2.aim");
    std::fs::write(&damaged, b"AIM\x01").expect("a file");
    refused(
        &["compare", "a.png", "--rates", "2", "--steps", "40", "--out", "r"],
        "remove the file, and it is made again",
    );
}

#[test]
fn what_is_wrong_is_said_in_a_sentence_and_nothing_is_written() {
    let dir = compressed();
    let refused = |args: &[&str], reason: &str| {
        afterimage(dir.path(), args).assert().failure().stderr(contains(reason.to_owned()));
    };
    refused(&["compress", "a.png"], "--bpp");
    refused(&["compress", "a.png", "--bpp", "0"], "give a number of bits from 0.001 to 24, not `0`");
    refused(&["compress", "a.png", "--psnr", "nan"], "give a PSNR in dB from 10 to 60, not `nan`");
    refused(&["compress", "a.png", "--bpp", "1", "--psnr", "30"], "cannot be used with");
    refused(&["compress", "a.png", "--bpp", "1"], "a.aim exists; give --force to replace it");
    refused(&["compress", "a.aim", "--bpp", "1", "--out", "b.aim"], "is compressed already");
    refused(&["compress", "a.png", "--bpp", "0.02", "--steps", "20", "--out", "b.aim"], "wish for more");
    refused(&["compress", "none.png", "--bpp", "1"], "none.png");
    refused(&["render", "a.aim", "--scale", "2"], "leave --size and --scale out");
    refused(&["render", "a.aim", "--crop", "0,0,51,2"], "51");
    refused(&["export", "a.aim", "--to", "glsl"], "a.aim cannot be exported: it is a compressed picture");
    let mut damaged = std::fs::read(dir.path().join("a.aim")).expect("a file");
    damaged[100] ^= 4;
    std::fs::write(dir.path().join("damaged.aim"), &damaged).expect("a file");
    for command in
        [&["render", "damaged.aim"][..], &["inspect", "damaged.aim"], &["eval", "damaged.aim", "a.png"]]
    {
        refused(command, "it is damaged: its checksum is wrong");
    }
    std::fs::write(dir.path().join("short.aim"), &damaged[..20]).expect("a file");
    refused(&["inspect", "short.aim"], "cannot read short.aim");
    assert!(!dir.path().join("b.aim").exists());
}
