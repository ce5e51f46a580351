//! `afterimage compare` as a user meets it: what is written, what is skipped, what is refused.

use crate::running::Running;
use assert_cmd::Command;
use image::{Rgb, RgbImage};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes a picture of 20x16 pixels that depends on `hue`.
fn picture(path: &Path, hue: u32) -> PathBuf {
    let pixel = |x: u32, y: u32| Rgb([(x * 12) as u8, (y * 15) as u8, ((x * y + hue * 40) % 256) as u8]);
    RgbImage::from_fn(20, 16, pixel).save(path).expect("a picture");
    path.to_owned()
}

/// A grid small enough for a test; `epochs` 3 unless given.
fn compare(image: &Path, out: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command.arg("compare").arg(image).arg("--out").arg(out).args(["--backend", "cpu", "--sizes", "16"]);
    if !options.contains(&"--epochs") {
        command.args(["--epochs", "3"]);
    }
    command.args(options);
    command
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text(path: PathBuf) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

/// The rows of results.csv as (column name, value).
fn results(out: &Path) -> Vec<std::collections::HashMap<String, String>> {
    let csv = text(out.join("results.csv"));
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row =
        |line: &str| header.iter().map(|h| h.to_string()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

const COURSE: [&str; 4] = ["--protocol", "course", "--encodings", "none,gaussian:1"];

#[test]
fn a_grid_is_trained_reported_and_skipped_when_done() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("a,b.png"), 0), dir.path().join("out"));
    compare(&image, &out, &COURSE).assert().success().stdout(contains("gaussian:1")).stdout(contains("adam"));
    let csv = text(out.join("results.csv"));
    assert_eq!(csv.lines().count(), 5, "a header, two encodings times two optimisers: {csv}");
    assert!(csv.contains("\"a,b\",16,16,16,none,,,sgd,0,"), "square, and the name in quotes: {csv}");
    for file in
        ["row.png", "error.png", "strips.png", "psnr.svg", "psnr.png", "time.svg", "time.png", "picture.png"]
    {
        assert!(!read(out.join("a,b/16").join(file)).is_empty(), "{file} is empty");
    }
    let row = image::open(out.join("a,b/16/row.png")).expect("row.png");
    assert!(row.width() > 3 * 256 && row.height() > 2 * 256, "two rows of three panels");
    let page = text(out.join("report.html"));
    assert!(page.matches("src=\"data:image/").count() >= 7, "two times two tiles, truth, two sheets");
    assert!(!page.contains("src=\"http") && !page.contains("href="), "the page needs nothing else");
    assert!(text(out.join("results.md")).contains("| 16 pixels, sgd |"));

    let model = out.join("a,b/16/gaussian-1-adam/model.safetensors");
    let written = std::fs::metadata(&model).and_then(|m| m.modified()).expect("a model");
    let elsewhere = [&COURSE[..], &["--threads", "2"]].concat();
    compare(&image, &out, &elsewhere).assert().success().stderr(contains("4 done before"));
    assert_eq!(std::fs::metadata(&model).and_then(|m| m.modified()).expect("a model"), written);
    assert_eq!(text(out.join("results.csv")), csv);

    let longer = [&COURSE[..], &["--epochs", "4"]].concat();
    compare(&image, &out, &longer)
        .assert()
        .code(1)
        .stderr(contains("other settings").and(contains("--force")));
    assert_eq!(text(out.join("results.csv")), csv);
    compare(&image, &out, &[&longer[..], &["--force"]].concat()).assert().success();
    assert!(results(&out).len() == 4 && text(out.join("results.csv")).contains(",4,256,"));

    picture(&image, 3);
    compare(&image, &out, &longer).assert().code(1).stderr(contains("another picture"));
}

#[test]
fn photographs_are_fitted_whole_beside_published_figures() {
    let dir = folder();
    let pictures = dir.path().join("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    for name in ["a.png", "b.png"] {
        picture(&pictures.join(name), 1);
    }
    let out = dir.path().join("out");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command.args(["compare", "--backend", "cpu"]).arg(&pictures).arg("--out").arg(&out).args([
        "--protocol",
        "kodak",
        "--epochs",
        "2",
    ]);
    command
        .assert()
        .success()
        .stdout(contains("hash-grid").and(contains("sharp")).and(contains("over 2 pictures")));
    let rows = results(&out);
    assert_eq!(rows.len(), 6, "three methods on two pictures");
    for row in rows {
        assert_eq!(
            (row["width"].as_str(), row["height"].as_str()),
            ("20", "16"),
            "neither cropped nor resized"
        );
        assert!(row["psnr_test"].is_empty() && !row["psnr_train"].is_empty());
    }
    for report in ["results.md", "report.html"] {
        let report = text(out.join(report));
        assert!(report.contains("bytes") && report.contains("GaussianImage") && report.contains("44.08"));
    }
    let model = out.join("a/native/preset-fast/model.safetensors");
    let bytes = std::fs::metadata(model).expect("a model").len().to_string();
    let figures = text(out.join("results.md")).replace(',', "");
    assert!(figures.contains(&format!("| {bytes} |")), "{figures}");
}

#[test]
fn a_cell_is_an_ordinary_run() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    compare(&image, &out, &COURSE).assert().success();
    let cell = out.join("p/16/gaussian-1-sgd");
    let again = dir.path().join("again");
    let mut train = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    train
        .args(["train", "--config"])
        .arg(cell.join("config.toml"))
        .arg("--out")
        .arg(&again)
        .assert()
        .success();
    assert!(read(cell.join("model.safetensors")) == read(again.join("model.safetensors")));
    assert!(text(cell.join("config.toml")).contains("holdout = \"every-other-all\""));
}

#[test]
fn sigma_is_chosen_once_for_each_picture() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let options = ["--encodings", "gaussian:auto,gaussian:9", "--epochs", "20"];
    let told = contains("gaussian:auto").and(contains("A cubic spline through the training pixels, in dB"));
    compare(&image, &out, &options).assert().success().stdout(told);
    assert!(text(out.join("results.md")).contains("A cubic spline through the training pixels, in dB"));
    let cell = out.join("p/16/gaussian-auto-adam");
    let tried = text(cell.join("sigma.csv"));
    assert!(tried.lines().count() > 3, "{tried}");
    let rows = results(&out);
    let chosen: f32 = rows[0]["sigma"].parse().expect("a number");
    assert!(chosen > 0.0 && chosen != 9.0 && rows[1]["sigma"] == "9");
    assert!(text(cell.join("config.toml")).contains(&format!("sigma = {chosen}")), "in {rows:?}");
    // Neither searched for nor trained again.
    compare(&image, &out, &options).assert().success().stderr(contains("2 done before"));
    assert_eq!(results(&out), rows);
}

#[test]
fn the_w0_that_was_chosen_is_in_the_results() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    compare(&image, &out, &["--presets", "between", "--epochs", "5"]).assert().success();
    let run = out.join("p/16/preset-between");
    assert!(text(run.join("w0.csv")).lines().count() > 3, "candidates");
    let w0 = &results(&out)[0]["w0"];
    assert!(text(run.join("config.toml")).contains(&format!("w0 = {w0}")), "{w0}");
}

#[test]
fn a_picture_of_another_shape_is_named() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let options = ["--encodings", "basic", "--seeds", "2", "--epochs", "5"];
    compare(&image, &out, &options).assert().success();
    for seed in ["basic-adam", "basic-adam-seed1"] {
        let path = out.join("p/16").join(seed).join("final.png");
        let own = std::fs::read(&path).expect("a picture");
        RgbImage::new(3, 2).save(&path).expect("saved");
        let told = contains(seed).and(contains("a picture of another shape")).and(contains("panicked").not());
        compare(&image, &out, &options).assert().code(1).stderr(told);
        std::fs::write(&path, own).expect("written");
    }
}

#[test]
fn what_was_given_is_not_taken_for_what_was_chosen() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let base = dir.path().join("base.toml");
    let base_name = base.to_str().expect("UTF-8");
    let options = ["--encodings", "none+sine", "--epochs", "20", "--config", base_name];
    std::fs::write(&base, "training.seed = 0").expect("a file");
    compare(&image, &out, &options).assert().success();
    std::fs::write(&base, "training = { seed = 0, tune = true }").expect("a file");
    compare(&image, &out, &options).assert().code(1).stderr(contains("other settings"));
}

#[test]
fn settings_of_grids_reach_the_grids_and_no_other_encoding() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let base = dir.path().join("base.toml");
    std::fs::write(&base, "encoding = { kind = \"hash-grid\", levels = 3, log2_table = 9 }").expect("a file");
    let config = base.to_str().expect("UTF-8");
    compare(&image, &out, &["--config", config, "--encodings", "hash-grid,dense-grid,none"])
        .assert()
        .success();
    let cell = |name: &str| text(out.join("p/16").join(name).join("config.toml"));
    assert!(
        cell("hash-grid-adam").contains("levels = 3\n")
            && cell("hash-grid-adam").contains("log2_table = 9\n")
    );
    assert!(cell("dense-grid-adam").contains("levels = 3\n"));
    assert!(!cell("none-adam").contains("levels"));
}

#[test]
fn a_killed_comparison_goes_on_to_the_same_bits() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let options =
        ["--encodings", "basic,gaussian:3", "--epochs", "60", "--checkpoint-every", "2", "--jobs", "1"];
    let (disturbed, other) = (out.join("disturbed"), out.join("other"));
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command
        .arg("compare")
        .arg(&image)
        .arg("--out")
        .arg(&disturbed)
        .args(["--backend", "cpu", "--sizes", "16"])
        .args(options)
        .stderr(std::process::Stdio::null());
    let mut child = Running::start(&mut command);
    let begun = || {
        ["basic-adam", "gaussian-3-adam"]
            .iter()
            .any(|cell| disturbed.join("p/16").join(cell).join("checkpoint.safetensors").exists())
    };
    child.wait_until("a checkpoint", begun);
    child.kill();
    compare(&image, &disturbed, &options).assert().success();
    // Nor does it matter how many run at a time.
    let options = [&options[..6], &["--jobs", "2"]].concat();
    compare(&image, &other, &options).assert().success();
    for cell in ["basic-adam", "gaussian-3-adam"] {
        let model = |out: &Path| read(out.join("p/16").join(cell).join("model.safetensors"));
        assert!(model(&disturbed) == model(&other), "{cell} differs");
    }
    let psnr = |out: &Path| results(out).iter().map(|row| row["psnr_test"].clone()).collect::<Vec<_>>();
    assert_eq!(psnr(&disturbed), psnr(&other));
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_says_how_to_go_on() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command
        .arg("compare")
        .arg(&image)
        .arg("--out")
        .arg(&out)
        .args(["--backend", "cpu", "--sizes", "16", "--epochs", "1000000", "--encodings", "basic,none"])
        .stderr(std::process::Stdio::piped());
    let mut child = Running::start(&mut command);
    child.wait_until("a run began", || {
        ["none-adam", "basic-adam"]
            .iter()
            .any(|cell| out.join("p/16").join(cell).join("metrics.csv").exists())
    });
    child.send("-INT");
    let output = child.output();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("0 of 2 runs done; run the same command to resume"), "{said}");
    assert!(!out.join("report.html").exists());
}

#[test]
fn a_broken_picture_is_named_and_the_rest_are_done() {
    let dir = folder();
    let pictures = dir.path().join("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    picture(&pictures.join("good.png"), 0);
    picture(&pictures.join("also.png"), 2);
    std::fs::write(pictures.join("broken.png"), "not a picture").expect("a file");
    let out = dir.path().join("out");
    let options = ["--encodings", "basic,gaussian:3", "--seeds", "2"];
    compare(&pictures, &out, &options)
        .assert()
        .code(1)
        .stderr(contains("broken is left out"))
        .stdout(contains("±"));
    let rows = results(&out);
    assert_eq!(rows.len(), 8, "two pictures, two encodings, two seeds");
    let psnr =
        |row: &std::collections::HashMap<String, String>| row["psnr_test"].parse::<f64>().expect("a number");
    let basic: Vec<f64> = rows.iter().filter(|row| row["method"] == "basic").map(psnr).collect();
    let mean = basic.iter().sum::<f64>() / 4.0;
    let deviation = (basic.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let summary = text(out.join("results.md"));
    assert!(summary.contains(&format!("{mean:.2} ± {deviation:.2}")), "{mean} ± {deviation}: {summary}");
    assert!(summary.contains("over 2 pictures and 2 seeds") && summary.contains("Left out"));
    let means = summary.split("The mean of 2 seeds' pictures, in dB: basic ").nth(1).expect("means of seeds");
    let of_seeds: f64 = means.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    assert!(of_seeds > mean, "a mean errs less than its parts: {of_seeds} of {mean}");
    assert!(rows.iter().all(|row| row["width"] == "16" && row["height"] == "13"), "the shape is kept");
}

#[test]
fn grids_that_mean_nothing_are_refused_before_anything_is_written() {
    let dir = folder();
    let (image, out) = (picture(&dir.path().join("p.png"), 0), dir.path().join("out"));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let refused = |image: &Path, options: &[&str], code: i32, message: &str| {
        compare(image, &out, options)
            .assert()
            .code(code)
            .stderr(contains(message).and(contains("panicked").not()));
        assert!(!out.exists(), "{options:?} created {}", out.display());
    };
    refused(&image, &["--encodings", "fourier"], 2, "is not an encoding");
    refused(&image, &["--encodings", "gaussian:-1"], 2, "from 0 to 1000000");
    refused(&image, &["--sizes", "0"], 2, "is not a size");
    refused(&image, &["--seeds", "0"], 2, "seeds");
    refused(&image, &["--encodings", "basic,none,basic"], 1, "basic is named twice");
    refused(&image, &["--protocol", "paper", "--optimizers", "sgd"], 1, "no settings for sgd");
    refused(&empty, &[], 1, "has no pictures");
    refused(&dir.path().join("missing.png"), &[], 1, "cannot read");
    std::fs::write(dir.path().join("broken.png"), "not a picture").expect("a file");
    refused(&dir.path().join("broken.png"), &[], 1, "is not a picture");
}
