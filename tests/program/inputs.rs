//! Where pictures come from: standard input, a file that has moved, masks of several kinds; and what is refused.

use crate::models::model;
use crate::program::program;
use crate::runs::metrics;
use afterimage::config::Config;
use afterimage::model::Activation;
use afterimage::picture::Depth;
use assert_cmd::Command;
use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::{Path, PathBuf};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn picture(path: &Path, hue: u8) -> PathBuf {
    let pixel = |x: u32, y: u32| Rgb([(9 * x) as u8, (11 * y) as u8, hue]);
    RgbImage::from_fn(20, 15, pixel).save_with_format(path, ImageFormat::Png).expect("saved");
    path.to_owned()
}

fn afterimage(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).args(args);
    command
}

/// `train` with small settings.
fn train(dir: &Path, args: &[&str]) -> Command {
    let mut command = afterimage(dir, &["train"]);
    command.args(args).args(["--epochs", "4", "--backend", "cpu", "--hidden", "8", "--features", "4"]);
    command
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_picture_from_standard_input_is_kept_with_its_run() {
    let dir = folder();
    let bytes = read(picture(&dir.path().join("p.png"), 7));
    train(dir.path(), &["p.png", "--out", "file"]).assert().success();
    train(dir.path(), &["-"]).write_stdin(bytes.clone()).assert().success();
    let run = dir.path().join("runs/stdin");
    assert!(read(run.join("input.png")) == bytes, "another file than was piped in");
    assert!(read(run.join("final.png")) == read(dir.path().join("file/final.png")));
    // Resumed where it is, and after its folder has moved.
    let resume = |at: &str, epochs: &str| {
        afterimage(dir.path(), &["train", "--resume", at, "--epochs", epochs]).assert().success();
        assert_eq!(metrics(&dir.path().join(at)).len(), epochs.parse::<usize>().expect("a number") + 2);
    };
    resume("runs/stdin", "5");
    std::fs::rename(&run, dir.path().join("moved")).expect("moved");
    resume("moved", "6");
    let config = Config::read(&dir.path().join("moved/config.toml")).expect("config.toml");
    assert_eq!(config.picture.file.as_deref(), Some(dir.path().join("moved/input.png").as_path()));
    // A new run in the folder does not keep the old picture.
    // The only copy survives a run that replaces its own.
    train(dir.path(), &["moved/input.png", "--out", "moved", "--force"]).assert().success();
    assert!(dir.path().join("moved/input.png").is_file());
    train(dir.path(), &["p.png", "--out", "moved", "--force"]).assert().success();
    assert!(!dir.path().join("moved/input.png").exists());

    let eval = |image: &str| {
        let mut command = afterimage(dir.path(), &["eval", "moved", image, "--json", "--backend", "cpu"]);
        let output = command.write_stdin(bytes.clone()).output().expect("it starts");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["psnr"].clone()
    };
    assert_eq!(eval("-"), eval("p.png"));
    let refused = |mut command: Command, text: &str| {
        command.assert().code(1).stderr(contains(text).and(contains("panicked").not()));
    };
    let piped = |args: &[&str], bytes: &[u8]| {
        let mut command = afterimage(dir.path(), args);
        command.write_stdin(bytes);
        command
    };
    refused(piped(&["train", "-", "--out", "new"], b""), "standard input is empty");
    refused(piped(&["train", "-", "--out", "new"], b"no picture at all"), "standard input is not a picture");
    refused(piped(&["compare", "-", "--out", "new"], &bytes), "compare takes files");
    refused(piped(&["train", "--resume", "moved", "-"], &bytes), "not standard input");
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_rendered_picture_goes_to_standard_output() {
    let dir = folder();
    picture(&dir.path().join("p.png"), 7);
    train(dir.path(), &["p.png", "--out", "run"]).assert().success();
    let stdout = |args: &[&str]| {
        let mut command = afterimage(dir.path(), &["render", "run", "--backend", "cpu", "--out"]);
        command.args(args).output().expect("it starts").stdout
    };
    let png = stdout(&["-"]);
    assert!(png.starts_with(b"\x89PNG") && png.ends_with(b"IEND\xaeB`\x82"), "the PNG and nothing else");
    let rendered = image::load_from_memory(&png).expect("a picture").to_rgb8();
    assert!(rendered == image::open(dir.path().join("run/final.png")).expect("a picture").to_rgb8());
    for format in ["tif", "webp", "jpg"] {
        let bytes = stdout(&["-", "--format", format]);
        let guessed = image::guess_format(&bytes).expect("a picture");
        assert_eq!(guessed, ImageFormat::from_extension(format).expect("known"));
    }
    afterimage(dir.path(), &["render", "run", "--out", "-", "--format", "gif"]).assert().code(1);
    assert!(!dir.path().join("-").exists());
    let output = stdout(&["plain", "--format", "bmp"]);
    assert!(output.starts_with(b"plain  20x15") && read(dir.path().join("plain")).starts_with(b"BM"));
}

#[test]
fn a_run_resumes_with_its_picture_in_another_place() {
    let dir = folder();
    picture(&dir.path().join("p.png"), 7);
    train(dir.path(), &["p.png", "--out", "run"]).assert().success();
    std::fs::rename(dir.path().join("p.png"), dir.path().join("q.png")).expect("moved");
    picture(&dir.path().join("other.png"), 8);
    let resume = |args: &[&str]| {
        let mut command = afterimage(dir.path(), &["train", "--resume", "run", "--epochs", "6"]);
        command.args(args);
        command
    };
    let config = read(dir.path().join("run/config.toml"));
    resume(&[]).assert().code(1).stderr(contains("`afterimage train --resume run PICTURE`"));
    resume(&["other.png"]).assert().code(1).stderr(contains("the picture has changed since"));
    assert!(read(dir.path().join("run/config.toml")) == config, "a refusal changes nothing");
    resume(&["q.png"]).assert().success();
    assert_eq!(metrics(&dir.path().join("run")).len(), 8);
    // And it is remembered.
    afterimage(dir.path(), &["train", "--resume", "run", "--epochs", "7"]).assert().success();
}

#[test]
fn several_pictures_are_for_compare() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("photos")).expect("a folder");
    picture(&dir.path().join("a.png"), 1);
    picture(&dir.path().join("b.png"), 2);
    train(dir.path(), &["a.png", "b.png"])
        .assert()
        .code(1)
        .stderr(contains("`afterimage compare a.png b.png"));
    train(dir.path(), &["photos"]).assert().code(1).stderr(contains("`afterimage compare photos`"));
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn a_size_may_be_the_longer_side() {
    let dir = folder();
    picture(&dir.path().join("p.png"), 7);
    train(dir.path(), &["p.png", "--out", "one", "--size", "12"]).assert().success();
    train(dir.path(), &["p.png", "--out", "two", "--size", "12x9"]).assert().success();
    for file in ["model.safetensors", "final.png"] {
        assert!(read(dir.path().join("one").join(file)) == read(dir.path().join("two").join(file)), "{file}");
    }
    let config = Config::read(&dir.path().join("one/config.toml")).expect("config.toml");
    assert_eq!(config.picture.size.map(|size| size.to_string()).as_deref(), Some("12x9"));
    // The model is measured against the picture as it was resized.
    afterimage(dir.path(), &["eval", "one", "p.png", "--backend", "cpu"]).assert().success();
    train(dir.path(), &["p.png", "--out", "three", "--size", "100000"])
        .assert()
        .code(1)
        .stderr(contains("size"));
    train(dir.path(), &["p.png", "--out", "three", "--size", "0"]).assert().code(2);
    std::fs::write(dir.path().join("c.toml"), "picture.size = 12").expect("written");
    train(dir.path(), &["p.png", "--out", "four", "--config", "c.toml"]).assert().success();
    assert_eq!(read(dir.path().join("four/config.toml")), read(dir.path().join("one/config.toml")));
}

#[test]
fn masks_of_several_kinds_mean_the_same() {
    let dir = folder();
    picture(&dir.path().join("p.png"), 7);
    let inside = |x: u32, y: u32| x > 5 && y > 3;
    let grey = |name: &str, white: u8| {
        let value = |x, y| Luma([if inside(x, y) { white } else { 0 }]);
        GrayImage::from_fn(20, 15, value).save(dir.path().join(name)).expect("saved");
    };
    grey("usual.png", 255);
    grey("bits.png", 1);
    grey("dark.png", 40);
    let alpha = |x, y| Rgba([0, 0, 0, if inside(x, y) { 255 } else { 0 }]);
    RgbaImage::from_fn(20, 15, alpha).save(dir.path().join("alpha.png")).expect("saved");
    let masked = |mask: &str| train(dir.path(), &["p.png", "--out", mask, "--mask", &format!("{mask}.png")]);
    masked("usual").assert().success().stderr(contains("mask").not());
    masked("bits").assert().success().stderr(contains("bits.png has the values 0 and 1"));
    masked("alpha").assert().success().stderr(contains("alpha.png has one colour"));
    for mask in ["bits", "alpha"] {
        let model = |run: &str| read(dir.path().join(run).join("final.png"));
        assert!(model(mask) == model("usual"), "{mask}");
        let json = String::from_utf8(read(dir.path().join(mask).join("run.json"))).expect("UTF-8");
        assert!(json.contains("input_notes"), "{json}");
    }
    masked("dark").assert().code(1).stderr(contains("its largest value is 40 of 255"));
    assert!(!dir.path().join("dark").exists());
}

#[test]
fn the_psnr_of_equal_pictures_is_inf() {
    let dir = folder();
    let mut black = model(3, Depth::U8);
    black.model.network.output_activation = Activation::Identity;
    black.params.fill(0.0);
    black.save(&dir.path().join("black.safetensors")).expect("saved");
    RgbImage::new(30, 20).save(dir.path().join("black.png")).expect("saved");
    let eval = ["eval", "black.safetensors", "black.png", "--backend", "cpu"];
    let output = afterimage(dir.path(), &eval).arg("--json").output().expect("it starts");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!([&report["psnr"], &report["psnr_8bit"]], ["inf", "inf"]);
    afterimage(dir.path(), &eval).assert().success().stdout(contains("exact"));
}

#[test]
fn models_with_half_as_many_bits_are_read() {
    use safetensors::{Dtype, SafeTensors, tensor::TensorView};
    let dir = folder();
    let mut file = model(3, Depth::U8);
    file.params.iter_mut().for_each(|v| *v = half::f16::from_f32(*v).to_f32());
    let path = dir.path().join("f32.safetensors");
    file.save(&path).expect("saved");
    let bytes = read(path);
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let halved: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let values = bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data());
            let halves = values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
            (name.to_owned(), tensor.shape().to_vec(), halves)
        })
        .collect();
    // Frequencies stay as they are, since they were not rounded above.
    let views = halved.iter().map(|(name, shape, bytes)| match name.starts_with("layers") {
        true => (name.as_str(), TensorView::new(Dtype::F16, shape.clone(), bytes).expect("halves")),
        false => (name.as_str(), tensors.tensor(name).expect("it is there")),
    });
    let written = safetensors::serialize(views, header.metadata().clone()).expect("serialised");
    std::fs::write(dir.path().join("f16.safetensors"), written).expect("written");
    for model in ["f32", "f16"] {
        let (file, out) = (format!("{model}.safetensors"), format!("{model}.png"));
        afterimage(dir.path(), &["render", &file, "--out", &out, "--backend", "cpu"]).assert().success();
        afterimage(dir.path(), &["inspect", &file]).assert().success();
    }
    assert!(read(dir.path().join("f16.png")) == read(dir.path().join("f32.png")));
}
