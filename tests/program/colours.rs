//! Colour spaces and alpha, through the program.

use crate::program::program;
use crate::runs::metrics;
use afterimage::model_file::ModelFile;
use afterimage::picture::{self, ColorHandling, Loaded, Picture, Pixels, Reading, Transparent};
use assert_cmd::Command;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader};
use moxcms::ColorProfile;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::{Path, PathBuf};

const SIDE: u32 = 24;

fn command(name: &str, arguments: &[&Path], options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg(name).args(arguments).args(["--backend", "cpu"]).args(options);
    command
}

fn train(picture: &Path, out: &Path, options: &[&str]) -> Command {
    let mut command = command("train", &[picture], options);
    command.arg("--out").arg(out).args(["--epochs", "4", "--hidden", "16", "--batch", "64"]);
    command
}

/// A ramp that is seen in a disc, with `inside` the colour of what is not.
fn disc(path: &Path, inside: impl Fn(u32) -> [u8; 3]) -> PathBuf {
    let pixel = |i: u32| {
        let (x, y) = (i % SIDE, i / SIDE);
        let seen = x.abs_diff(12).pow(2) + y.abs_diff(12).pow(2) < 90;
        let [r, g, b] = if seen { [(9 * x) as u8, (9 * y) as u8, 70] } else { inside(i) };
        [r, g, b, if seen { 255 } else { 0 }]
    };
    let pixels = Pixels::U8((0..SIDE * SIDE).flat_map(pixel).collect());
    picture::save_png(&Picture { width: SIDE, height: SIDE, channels: 4, pixels }, path).expect("written");
    path.to_owned()
}

fn json(run: &Path, image: &Path, options: &[&str]) -> serde_json::Value {
    let output = command("eval", &[run, image], options).arg("--json").output().expect("it runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn what_alpha_hides_is_neither_learnt_nor_measured() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| dir.path().join(name);
    let clean = disc(&at("clean.png"), |_| [0; 3]);
    let junk = disc(&at("junk.png"), |i| [(i * 91) as u8, (i * 37) as u8, (i * 151) as u8]);
    let word = contains("of the pixels are fully transparent; their colours are not trained on");
    train(&clean, &at("a"), &[]).assert().success().stderr(word.clone());
    train(&junk, &at("b"), &[]).assert().success().stderr(word.clone());
    assert_eq!(metrics(&at("a")), metrics(&at("b")));
    for file in ["final.png", "strip.png", "epochs/00002.png"] {
        let bytes = |run: &str| std::fs::read(at(run).join(file)).expect("a picture");
        assert!(bytes("a") == bytes("b"), "{file}");
    }
    let manifest = std::fs::read_to_string(at("b").join("run.json")).expect("a manifest");
    assert!(manifest.contains("fully transparent"), "{manifest}");
    // Measured in the same way afterwards, and also at another size.
    let (of_clean, of_junk) = (json(&at("a"), &clean, &[]), json(&at("a"), &junk, &[]));
    for key in ["psnr", "psnr_8bit", "ssim", "max_error", "max_error_at"] {
        assert_eq!(of_clean[key], of_junk[key], "{key}");
    }
    let trained: f64 = serde_json::from_str::<serde_json::Value>(&manifest).expect("JSON")["psnr_train"]
        .as_f64()
        .expect("a number");
    assert!((of_junk["psnr"].as_f64().expect("a number") - trained).abs() < 1e-3, "{of_junk} and {trained}");
    let map = |name: &str, image: &Path| {
        command("eval", &[&at("a"), image], &["--error-map"]).arg(at(name)).assert().success();
        std::fs::read(at(name)).expect("a map")
    };
    assert!(map("clean-map.png", &clean) == map("junk-map.png", &junk));
    // Asked for, they are learnt and measured as they are.
    train(&junk, &at("c"), &["--transparent", "keep"]).assert().success().stderr(word.not());
    assert!(metrics(&at("c")) != metrics(&at("b")));
    assert_eq!(
        ModelFile::load(&at("c/model.safetensors")).expect("a model").transparent(),
        Transparent::Keep
    );
    assert!(json(&at("c"), &clean, &[])["psnr"] != json(&at("c"), &junk, &[])["psnr"]);
    let asked = json(&at("a"), &junk, &["--transparent", "keep"]);
    assert!(asked["psnr"].as_f64() < of_junk["psnr"].as_f64(), "{asked}");
}

#[test]
fn comparisons_leave_hidden_colours_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| dir.path().join(name);
    let clean = disc(&at("clean.png"), |_| [0; 3]);
    let junk = disc(&at("junk.png"), |i| [(i * 91) as u8, (i * 37) as u8, (i * 151) as u8]);
    let mut compare = command("compare", &[&clean, &junk], &["--sizes", "native,12", "--encodings", "none"]);
    compare.args(["--epochs", "2", "--out"]).arg(at("out")).assert().success();
    let table = std::fs::read_to_string(at("out/results.csv")).expect("results");
    let of = |name: &str| -> Vec<String> {
        let rows = table.lines().filter(|row| row.starts_with(name));
        // Everything but the times.
        rows.map(|row| row.split(',').skip(1).take(8).collect::<Vec<_>>().join(",")).collect()
    };
    assert_eq!((of("clean").len(), of("clean")), (2, of("junk")), "{table}");
    let error = |name: &str| std::fs::read(at("out").join(name).join("native/error.png")).expect("a map");
    assert!(error("clean") == error("junk"));
}

/// A ramp in Display P3.
fn wide(path: &Path) -> (PathBuf, Vec<u8>) {
    let icc = ColorProfile::new_display_p3().encode().expect("a profile");
    let pixels: Vec<u8> = (0..SIDE * SIDE)
        .flat_map(|i| [(60 + 6 * (i % SIDE)) as u8, (80 + 4 * (i / SIDE)) as u8, 90])
        .collect();
    let mut encoder = PngEncoder::new(std::fs::File::create(path).expect("a file"));
    encoder.set_icc_profile(icc.clone()).expect("PNGs have profiles");
    encoder.write_image(&pixels, SIDE, SIDE, ExtendedColorType::Rgb8).expect("a PNG");
    (path.to_owned(), icc)
}

fn profile_of(path: &Path) -> Option<Vec<u8>> {
    if path.extension().is_some_and(|ending| ending == "tif") {
        let kept = Reading { color: ColorHandling::Keep, ..Reading::default() };
        return picture::read(path, kept).expect("a picture").profile.map(|icc| icc.to_vec());
    }
    let reader = ImageReader::open(path).expect("a file").with_guessed_format().expect("readable");
    reader.into_decoder().expect("a picture").icc_profile().expect("readable")
}

#[test]
fn other_colour_spaces_are_converted() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| dir.path().join(name);
    let (p3, _) = wide(&at("p3.png"));
    let word = "p3.png: converted from Display P3 to sRGB";
    train(&p3, &at("run"), &[]).assert().success().stderr(contains(word));
    let manifest = std::fs::read_to_string(at("run/run.json")).expect("a manifest");
    assert!(manifest.contains(word) && profile_of(&at("run/final.png")).is_none(), "{manifest}");
    // The same as training on a picture that was converted before.
    let srgb = at("srgb.png");
    picture::save_png(&picture::load(&p3).expect("a picture"), &srgb).expect("written");
    train(&srgb, &at("before"), &[]).assert().success();
    assert_eq!(metrics(&at("run")), metrics(&at("before")));
    assert_eq!(json(&at("run"), &p3, &[])["psnr"], json(&at("run"), &srgb, &[])["psnr"]);
    assert!(json(&at("run"), &p3, &["--color", "keep"])["psnr"] != json(&at("run"), &p3, &[])["psnr"]);
}

#[test]
fn a_kept_profile_goes_into_every_file_that_can_hold_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| dir.path().join(name);
    let (p3, icc) = wide(&at("p3.png"));
    train(&p3, &at("run"), &["--color", "keep"]).assert().success().stderr(contains("converted").not());
    for file in ["run/final.png", "run/epochs/00003.png"] {
        assert_eq!(profile_of(&at(file)).as_ref(), Some(&icc), "{file}");
    }
    let model = ModelFile::load(&at("run/model.safetensors")).expect("a model");
    assert_eq!((model.color(), model.profile().as_ref()), (ColorHandling::Keep, Some(&icc)));
    let render = |name: &str, options: &[&str]| {
        let mut render = command("render", &[&at("run")], options);
        render.arg("--out").arg(at(name)).assert().success()
    };
    for name in ["a.png", "a.jpg", "a.tif", "a.webp"] {
        render(name, &[]).stderr(contains("profile").not());
        assert_eq!(profile_of(&at(name)).as_ref(), Some(&icc), "{name}");
    }
    // What is shown on pages, and files without profiles, are in sRGB.
    let shown = picture::load(&at("run/final.png")).expect("a picture");
    assert!(profile_of(&at("run/strip.png")).is_none());
    render("a.bmp", &[]).stderr(contains("BMP has no colour profile here: colours are converted to sRGB"));
    render("a.exr", &[]).stderr(contains("converted to sRGB"));
    let near = |a: &Picture, b: &Picture| {
        let pairs = (0..a.pixels.len()).map(|i| (a.pixels.value(i) - b.pixels.value(i)).abs());
        pairs.fold(0.0f32, f32::max)
    };
    assert!(near(&picture::load(&at("a.bmp")).expect("a BMP"), &shown) < 3.0 / 255.0);
    let linear = picture::load(&at("a.exr")).expect("an EXR").to_display();
    assert!(near(&linear, &shown) < 3.0 / 255.0);
    let kept = Reading { color: ColorHandling::Keep, ..Reading::default() };
    let Loaded { picture: values, .. } = picture::read(&at("run/final.png"), kept).expect("a picture");
    assert!(near(&values, &shown) > 4.0 / 255.0, "the profile does nothing");
    // Measured in the space it was trained in.
    let found = json(&at("run"), &p3, &[]);
    let trained = std::fs::read_to_string(at("run/run.json")).expect("a manifest");
    let trained: serde_json::Value = serde_json::from_str(&trained).expect("JSON");
    let difference = found["psnr"].as_f64().expect("dB") - trained["psnr_train"].as_f64().expect("dB");
    assert!(difference.abs() < 1e-3, "{found} and {trained}");
    let other = at("other.png");
    picture::save_png(&values, &other).expect("written");
    command("eval", &[&at("run"), &other], &[]).assert().success().stderr(contains("colour space"));
}
