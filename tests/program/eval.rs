//! `afterimage eval`: what it measures, and what it will not compare.

use crate::models;
use crate::runs;
use crate::small;

use afterimage::picture::{Depth, Picture, Pixels, SquaredError, load, resize, save_png, ssim};
use assert_cmd::Command;
use models::model;
use predicates::prelude::*;
use predicates::str::contains;
use runs::manifest;
use serde_json::Value;
use small::{program, train};
use std::path::{Path, PathBuf};

fn portrait() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png")
}

fn eval(model: &Path, image: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("eval").arg(model).arg(image).args(["--backend", "cpu"]).args(args);
    command
}

fn json(mut command: Command) -> Value {
    let output = command.arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON")
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"))
}

#[test]
fn a_run_measures_what_it_measured_while_training() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = dir.path().join("run");
    assert!(train(&run, "3").status().expect("the program starts").success());
    let map = dir.path().join("map.png");
    let report = json(eval(&run, &portrait(), &["--error-map", map.to_str().expect("UTF-8")]));
    // The run resized the picture, so that is what it is compared with.
    assert_eq!(report["resized"], true);
    let manifest = manifest(&run);
    for split in ["psnr_train", "psnr_test"] {
        let (found, expected) = (number(&report, split), number(&manifest, split));
        assert!((found - expected).abs() < 1e-9, "{split}: {found}, not {expected}");
    }
    // All values of the picture as it was written.
    let original = resize(&load(&portrait()).expect("the portrait"), 40, 30);
    let final_png = load(&run.join("final.png")).expect("final.png");
    let rounded = SquaredError::between(&final_png, &original).psnr();
    assert!((number(&report, "psnr_8bit") - rounded).abs() < 1e-9);
    let (exact, at_8_bits) = (number(&report, "psnr"), number(&report, "psnr_8bit"));
    assert!(exact != at_8_bits && (exact - at_8_bits).abs() < 0.2, "{exact} dB, {at_8_bits} dB rounded");
    assert!((number(&report, "ssim") - ssim(&final_png, &original)).abs() < 1e-9);
    let worst = (0..original.pixels.len())
        .map(|i| f64::from(final_png.pixels.value(i) - original.pixels.value(i)).abs())
        .fold(0.0, f64::max);
    assert!((number(&report, "max_error") - worst).abs() < 0.51 / 255.0);
    let file_bytes = std::fs::metadata(run.join("model.safetensors")).expect("the model").len() as f64;
    assert_eq!(number(&report, "file_bytes"), file_bytes);
    assert!((number(&report, "bits_per_pixel") - 8.0 * file_bytes / 1200.0).abs() < 1e-9);
    assert_eq!(number(&report, "n_params"), number(&manifest, "n_params"));
    // Enlarged seven times, with a scale below.
    let map = load(&map).expect("the error map");
    assert_eq!((map.width, map.channels), (280, 3));
    assert!(map.height > 210);
    // As text.
    eval(&run, &portrait(), &[]).assert().success().stdout(contains("SSIM").and(contains("held out")));
}

#[test]
fn the_picture_or_the_model_is_fitted_only_when_asked() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("m.safetensors");
    model(3, Depth::U8).save(&path).expect("written");
    eval(&path, &portrait(), &[])
        .assert()
        .code(1)
        .stderr(contains("has 512x512 pixels and the model was trained on 30x20"));
    let picture = json(eval(&path, &portrait(), &["--fit", "picture"]));
    assert_eq!((number(&picture, "width"), number(&picture, "height")), (30.0, 20.0));
    let model = json(eval(&path, &portrait(), &["--fit", "model"]));
    assert_eq!((number(&model, "width"), &model["resized"]), (512.0, &Value::Bool(false)));
}

#[test]
fn bad_input_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let saved = |name: &str, channels, depth| {
        let path = dir.path().join(name);
        model(channels, depth).save(&path).expect("written");
        path
    };
    let (rgb, grey) = (saved("rgb.safetensors", 3, Depth::U8), saved("grey.safetensors", 1, Depth::U8));
    let hdr = saved("hdr.safetensors", 3, Depth::F32);
    // Three equal colours are grey.
    let image = dir.path().join("small.png");
    for (last, code) in [(9, 0), (8, 1)] {
        let pixels = Pixels::U8([vec![9; 1799], vec![last]].concat());
        save_png(&Picture { width: 30, height: 20, channels: 3, pixels }, &image).expect("written");
        eval(&grey, &image, &[]).assert().code(code);
    }
    let before = std::fs::read(&image).expect("read");
    let itself = image.to_str().expect("UTF-8");
    for (model, image, args, message) in [
        (&grey, &image, vec![], "is RGB and the model grey"),
        (&hdr, &image, vec![], "is in sRGB and the model in linear light"),
        (&rgb, &dir.path().join("none.png"), vec![], "cannot read"),
        (&rgb, &rgb, vec![], "is not a picture"),
        (&image, &image, vec![], "not a usable model file"),
        (&rgb, &image, vec!["--error-map", "a.jpg"], "ends in .png"),
        (&rgb, &image, vec!["--error-map", itself, "--force"], "is an input"),
    ] {
        let refused = eval(model, image, &args);
        let mut refused = refused;
        refused
            .current_dir(dir.path())
            .assert()
            .code(1)
            .stderr(contains(message))
            .stderr(contains("panicked").not());
    }
    assert!(std::fs::read(&image).expect("read") == before);
    // What is possible still is.
    eval(&rgb, &image, &[]).assert().success().stdout(contains("largest error"));
}
