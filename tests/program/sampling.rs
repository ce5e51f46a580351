//! Samples spread by error, through the program.

use crate::program;
use crate::runs;

use assert_cmd::Command;
use image::{GrayImage, Luma, Rgb, RgbImage};
use predicates::str::contains;
use program::{program, resume};
use runs::{assert_same_run, metrics};
use std::path::{Path, PathBuf};

const SIDE: u32 = 40;

/// Flat, but for a corner full of detail.
fn picture(dir: &Path) -> PathBuf {
    let detail = |x: u32, y: u32| Rgb([(x * 83 + y * 37) as u8, (x * 29 + y * 111) as u8, (x * y * 7) as u8]);
    let colour = |x, y| if x < 12 && y < 12 { detail(x, y) } else { Rgb([90, 120, 150]) };
    let path = dir.join("picture.png");
    RgbImage::from_fn(SIDE, SIDE, colour).save(&path).expect("saved");
    path
}

fn train(picture: &Path, out: &Path, epochs: &str, options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(picture).arg("--out").arg(out).args(["--backend", "cpu", "--epochs", epochs]);
    command.args(["--hidden", "16", "--batch", "100", "--schedule", "constant"]).args(options);
    command
}

#[test]
fn runs_by_error_repeat_and_go_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let picture = picture(dir.path());
    let by_error = ["--sampling", "error", "--keep", "best", "--holdout", "every-other"];
    let (full, parts, again) = (dir.path().join("full"), dir.path().join("parts"), dir.path().join("again"));
    train(&picture, &full, "9", &by_error).assert().success();
    train(&picture, &parts, "4", &by_error).assert().success();
    resume(&parts).args(["--epochs", "9"]).assert().success();
    assert_same_run(&parts, &full);
    train(&picture, &again, "9", &by_error).assert().success();
    assert_same_run(&again, &full);
    let uniform = dir.path().join("uniform");
    train(&picture, &uniform, "9", &by_error[2..]).assert().success();
    assert!(metrics(&uniform) != metrics(&full), "the option did nothing");
}

#[test]
fn a_mask_and_errors_do_not_go_together() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (picture, mask, out) = (picture(dir.path()), dir.path().join("mask.png"), dir.path().join("run"));
    GrayImage::from_pixel(SIDE, SIDE, Luma([255])).save(&mask).expect("saved");
    let both = ["--sampling", "error", "--mask", mask.to_str().expect("UTF-8")];
    train(&picture, &out, "1", &both)
        .assert()
        .code(1)
        .stderr(contains("with --mask, each pixel is taken once"));
    assert!(!out.exists(), "a refused run left something behind");
}
