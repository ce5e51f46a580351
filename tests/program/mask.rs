//! Training inside a mask, through the program.

use crate::program;
use crate::runs;

use assert_cmd::Command;
use image::{GrayImage, Luma, Rgb, RgbImage};
use predicates::str::contains;
use program::{program, resume};
use runs::{assert_same_run, metrics};
use std::path::{Path, PathBuf};

const SIDE: u32 = 20;

/// Everything but a square in the middle.
fn is_inside(x: u32, y: u32) -> bool {
    !((6..14).contains(&x) && (5..15).contains(&y))
}

/// A mask, and two pictures that differ where it is black.
fn files(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([if is_inside(x, y) { 255 } else { 0 }]));
    let colour = |x: u32, y: u32| Rgb([(9 * x) as u8, (11 * y) as u8, (5 * (x + y)) as u8]);
    let whole = RgbImage::from_fn(SIDE, SIDE, colour);
    let damaged =
        RgbImage::from_fn(SIDE, SIDE, |x, y| if is_inside(x, y) { colour(x, y) } else { Rgb([0; 3]) });
    let paths = ["mask.png", "whole.png", "damaged.png"].map(|name| dir.join(name));
    mask.save(&paths[0]).expect("saved");
    whole.save(&paths[1]).expect("saved");
    damaged.save(&paths[2]).expect("saved");
    let [mask, whole, damaged] = paths;
    (mask, whole, damaged)
}

fn train(picture: &Path, out: &Path, epochs: &str, options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(picture).arg("--out").arg(out).args(["--backend", "cpu", "--epochs", epochs]);
    command.args(["--hidden", "16", "--batch", "64", "--schedule", "constant"]).args(options);
    command
}

#[test]
fn nothing_outside_a_mask_is_learnt_or_measured() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mask, whole, damaged) = files(dir.path());
    let masked = ["--mask", mask.to_str().expect("UTF-8"), "--encoding", "gaussian", "--sigma", "3"];
    let (from_whole, from_damaged) = (dir.path().join("a"), dir.path().join("b"));
    train(&whole, &from_whole, "8", &masked).assert().success();
    train(&damaged, &from_damaged, "8", &masked).assert().success();
    assert_eq!(metrics(&from_whole), metrics(&from_damaged), "what lies outside was measured");
    let picture = |run: &Path| image::open(run.join("final.png")).expect("a picture").to_rgb8();
    assert!(picture(&from_whole) == picture(&from_damaged), "what lies outside was learnt");
    let unmasked = dir.path().join("c");
    train(&damaged, &unmasked, "8", &masked[2..]).assert().success();
    assert!(picture(&unmasked) != picture(&from_damaged), "the mask did nothing");
    // 400 pixels but 80, in steps of 64.
    let steps = metrics(&from_whole).last().and_then(|row| row.split(',').nth(1)?.parse::<u64>().ok());
    assert_eq!(steps, Some(8 * 320 / 64));
}

#[test]
fn masked_runs_repeat_and_go_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mask, whole, _) = files(dir.path());
    let masked = ["--mask", mask.to_str().expect("UTF-8"), "--holdout", "every-other", "--keep", "best"];
    let (full, parts, again) = (dir.path().join("full"), dir.path().join("parts"), dir.path().join("again"));
    train(&whole, &full, "9", &masked).assert().success();
    train(&whole, &parts, "4", &masked).assert().success();
    resume(&parts).args(["--epochs", "9"]).assert().success();
    assert_same_run(&parts, &full);
    let mut repeat = Command::new(program());
    repeat.args(["train", "--config"]).arg(full.join("config.toml")).arg("--out").arg(&again);
    repeat.assert().success();
    assert_same_run(&again, &full);
    // Another mask is another run.
    GrayImage::from_pixel(SIDE, SIDE, Luma([255])).save(&mask).expect("saved");
    resume(&full).args(["--epochs", "12"]).assert().failure().stderr(contains("picture"));
}

#[test]
fn a_mask_is_resized_with_the_picture() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mask, whole, _) = files(dir.path());
    let out = dir.path().join("run");
    let masked = ["--mask", mask.to_str().expect("UTF-8"), "--size", "10x10"];
    train(&whole, &out, "2", &masked).assert().success();
}

#[test]
fn masks_that_mean_nothing_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mask, whole, _) = files(dir.path());
    let out = dir.path().join("run");
    let refused = |sentence: &str| {
        let masked = ["--mask", mask.to_str().expect("UTF-8")];
        train(&whole, &out, "1", &masked).assert().code(1).stderr(contains(sentence));
        assert!(!out.exists(), "a refused run left something behind");
    };
    GrayImage::new(SIDE, SIDE).save(&mask).expect("saved");
    refused("it leaves no pixel to train on: white is trained on");
    GrayImage::from_pixel(SIDE, 2 * SIDE, Luma([255])).save(&mask).expect("saved");
    refused("it has 20x40 pixels, which is not the shape of the picture, 20x20");
    std::fs::remove_file(&mask).and_then(|()| std::fs::create_dir(&mask)).expect("a folder");
    refused("it is not a file");
    std::fs::remove_dir(&mask).expect("removed");
    std::fs::write(&mask, "no picture").expect("written");
    refused("the mask");
    std::fs::remove_file(&mask).expect("removed");
    refused("the mask");
}
