//! Pictures in linear light, whatever their range.

use crate::program::program;
use crate::runs::manifest;
use afterimage::model_file::ModelFile;
use afterimage::picture::{Curve, Picture, Pixels, Transfer, load, save_exr};
use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::{Path, PathBuf};

const SIDE: u32 = 48;

/// A smooth scene from 0.05 to 0.95, times `factor`.
fn scene(factor: f32) -> Picture {
    let value = |i: u32| {
        let (x, y, c) = (i / 3 % SIDE, i / 3 / SIDE, i % 3);
        let wave = (x as f32 * 0.2 + c as f32).sin() * (y as f32 * 0.15).cos();
        (0.5 + 0.45 * wave) * factor
    };
    let values = (0..SIDE * SIDE * 3).map(value).collect();
    Picture { width: SIDE, height: SIDE, channels: 3, pixels: Pixels::F32(values) }
}

fn with_sun(mut picture: Picture) -> Picture {
    let Pixels::F32(values) = &mut picture.pixels else { unreachable!("a scene in linear light") };
    for (x, y) in [(20, 30), (21, 30), (20, 31), (21, 31)] {
        let at = ((y * SIDE + x) * 3) as usize;
        values[at..at + 3].fill(60_000.0);
    }
    picture
}

fn train(picture: &Picture, folder: &Path, name: &str) -> (Command, PathBuf) {
    let (file, out) = (folder.join(name).with_extension("exr"), folder.join(name));
    save_exr(picture, &file).expect("written");
    let mut command = Command::new(program());
    command.arg("train").arg(file).args(["--backend", "cpu", "--snapshot-every", "100", "--out"]).arg(&out);
    (command, out)
}

/// Resumes a run of two epochs for one more.
fn resumed(out: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["train", "--epochs", "3", "--resume"]).arg(out);
    command
}

fn values(picture: &Picture) -> Vec<f32> {
    (0..picture.pixels.len()).map(|i| picture.pixels.value(i)).collect()
}

#[test]
fn a_dark_and_a_bright_scene_are_learned_as_well_as_a_usual_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let psnr = |name: &str, factor: f32| {
        let (mut command, out) = train(&scene(factor), dir.path(), name);
        command.args(["--epochs", "60"]).assert().success().stderr(contains("PSNR is relative to that peak"));
        let shown = image::open(out.join("final.png")).expect("a picture").to_rgb8();
        let mean = shown.iter().map(|&v| f64::from(v)).sum::<f64>() / (SIDE * SIDE * 3) as f64;
        assert!((60.0..=225.0).contains(&mean), "{name}: the preview has a mean of {mean}");
        // A model rendered to PNG, and the 8-bit PSNR, are at the same exposure.
        let rendered = dir.path().join(name).with_extension("png");
        Command::new(program()).arg("render").arg(&out).arg("--out").arg(&rendered).assert().success();
        let rendered = image::open(rendered).expect("a picture").to_rgb8();
        let differs = rendered.iter().zip(shown.iter()).any(|(a, b)| a.abs_diff(*b) > 1);
        assert!(!differs, "{name}: render shows another picture than final.png");
        let mut eval = Command::new(program());
        eval.arg("eval").arg(&out).arg(dir.path().join(name).with_extension("exr"));
        eval.assert().success().stdout(contains("exact").not());
        manifest(&out)["psnr_train"].as_f64().expect("measured")
    };
    let usual = psnr("usual", 1.0);
    assert!(usual > 40.0, "the scene itself ends at {usual:.1} dB");
    for (name, factor) in [("dark", 1e-4), ("bright", 1e3)] {
        let found = psnr(name, factor);
        assert!((found - usual).abs() < 3.0, "{name}: {found:.1} dB, and {usual:.1} at times 1");
    }
}

#[test]
fn a_sun_and_the_scene_around_it_are_both_remembered() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let picture = with_sun(scene(1.0));
    let (mut command, out) = train(&picture, dir.path(), "sun");
    command.assert().success().stderr(contains("trained on as ln("));
    let (truth, found) = (values(&picture), values(&load(&out.join("final.exr")).expect("a picture")));
    for (t, f) in truth.iter().zip(&found) {
        let allowed = if *t > 1.0 { 0.05 * t } else { 0.05 };
        assert!((t - f).abs() < allowed, "{t} is remembered as {f}");
    }
    // The model knows the curve: rendering gives the same light.
    let model = ModelFile::load(&out.join("model.safetensors")).expect("a model");
    assert_eq!(model.transfer.curve, Curve::Log);
    let again = dir.path().join("again.exr");
    Command::new(program()).arg("render").arg(&out).arg("--out").arg(&again).assert().success();
    for (a, b) in found.iter().zip(values(&load(&again).expect("rendered"))) {
        assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "{a} was rendered as {b}");
    }
    let mut eval = Command::new(program());
    eval.arg("eval").arg(&out).arg(dir.path().join("sun.exr"));
    eval.assert().success().stdout(contains("relative to the picture's peak of 60000"));
}

#[test]
fn a_lost_sun_is_said() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut command, _) = train(&with_sun(scene(1.0)), dir.path(), "short");
    command.args(["--epochs", "1"]).assert().success().stderr(contains("of their light"));
}

#[test]
fn settings_of_the_range_are_kept_and_checked() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut command, out) = train(&scene(1.0), dir.path(), "given");
    command.args(["--hdr-scale", "2", "--hdr-curve", "log", "--epochs", "2"]).assert().success();
    let model = ModelFile::load(&out.join("model.safetensors")).expect("a model");
    assert_eq!(model.transfer, Transfer { scale: 2.0, curve: Curve::Log });
    resumed(&out).assert().success().stderr(contains("ln(1 + 2 v)"));
    let mut command = Command::new(program());
    command
        .args(["train", "assets/astronaut.png", "--hdr-scale", "2", "--out"])
        .arg(dir.path().join("refused"));
    command.assert().code(1).stderr(contains("hdr-scale is 2: the picture is not in linear light"));
    let (mut command, _) = train(&scene(1e3), dir.path(), "infinite");
    command
        .args(["--hdr-scale", "1e38"])
        .assert()
        .code(1)
        .stderr(contains("peak would be trained on as inf"));
    let (mut command, _) = train(&scene(1.0), dir.path(), "zero");
    command.args(["--hdr-scale", "0"]).assert().code(1).stderr(contains("give a number above 0"));
}

#[test]
fn runs_from_before_the_range_go_on_as_they_began() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut command, out) = train(&scene(1e-4), dir.path(), "old");
    command.args(["--hdr-scale", "1", "--hdr-curve", "linear", "--epochs", "2"]).assert().success();
    let config = std::fs::read_to_string(out.join("config.toml")).expect("a configuration");
    let former: Vec<&str> = config.lines().filter(|line| !line.starts_with("hdr_")).collect();
    assert_eq!(former.len() + 2, config.lines().count());
    std::fs::write(out.join("config.toml"), former.join("\n")).expect("written");
    resumed(&out).assert().success().stderr(contains("trained on as they are"));
}

#[test]
fn a_value_that_must_be_an_error_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut picture = scene(1.0);
    let Pixels::F32(values) = &mut picture.pixels else { unreachable!("a scene in linear light") };
    values[(7 * SIDE * 3 + 5 * 3) as usize] = 1e30;
    let (mut command, out) = train(&picture, dir.path(), "huge");
    command.assert().code(1).stderr(contains("1e30 at pixel (5, 7)"));
    assert!(!out.exists(), "a refused run created its folder");
}
