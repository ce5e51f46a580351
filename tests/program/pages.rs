//! Files of several pictures, and grey floating-point ones, through the program.

use crate::program::program;
use assert_cmd::Command;
use image::codecs::gif::GifEncoder;
use image::{Frame, Rgba, RgbaImage};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::Path;

/// Three frames, each of its own red.
fn animation(path: &Path) {
    let mut encoder = GifEncoder::new(std::fs::File::create(path).expect("a file"));
    for red in [20, 120, 220] {
        let frame = RgbaImage::from_fn(8, 6, |x, y| Rgba([red, 10 * x as u8, 20 * y as u8, 255]));
        encoder.encode_frame(Frame::new(frame)).expect("written");
    }
}

fn afterimage(arguments: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).args(paths).args(["--backend", "cpu"]);
    command
}

const SMALL: [&str; 6] = ["--epochs", "300", "--hidden", "16", "--seed", "1"];

#[test]
fn a_page_is_taken_by_its_number_and_by_default_that_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let gif = dir.path().join("a.gif");
    animation(&gif);
    let said = contains("a.gif has 3 pictures; the first is used, --page N takes another");
    let train = |page: &[&str], out: &Path| {
        let mut command = afterimage(&["train"], &[&gif, Path::new("--out"), out]);
        command.args(SMALL).args(page);
        command
    };
    let red =
        |out: &Path| image::open(out.join("final.png")).expect("final.png").to_rgb8().get_pixel(3, 3).0[0];
    let (first, third) = (dir.path().join("first"), dir.path().join("third"));
    train(&[], &first).assert().success().stderr(said.clone());
    assert!(std::fs::read_to_string(first.join("run.json")).expect("a manifest").contains("3 pictures"));
    train(&["--page", "3"], &third).assert().success().stderr(said.clone().not());
    assert!(red(&first).abs_diff(20) < 30 && red(&third).abs_diff(220) < 30);
    let none = dir.path().join("none");
    let refusal = contains("a.gif has 3 pictures, so --page cannot be 4");
    train(&["--page", "4"], &none).assert().code(1).stderr(refusal);
    assert!(!none.exists());
    let eval = |page: &[&str]| {
        let mut command = afterimage(&["eval", "--json"], &[&third, &gif]);
        let output = command.args(page).output().expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (report["psnr"].as_f64().expect("a number"), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let compared = dir.path().join("compared");
    let mut command = afterimage(&["compare"], &[&gif, Path::new("--out"), &compared]);
    command.args(["--sizes", "native", "--epochs", "1", "--encodings", "none", "--page", "3"]);
    command.assert().success().stderr(said.not());
    // Again: the prepared picture, a file of one page, is recognised.
    command.assert().success();
    let prepared = image::open(compared.join("a/native/picture.png")).expect("the picture of the cells");
    assert_eq!(prepared.to_rgb8().get_pixel(3, 3).0, [220, 30, 60]);
    let ((of_first, note), (of_third, silence)) = (eval(&[]), eval(&["--page", "3"]));
    assert!(of_third > of_first + 10.0, "{of_first} and {of_third} dB");
    assert!(note.contains("the first is used") && silence.is_empty(), "{note}, {silence}");
}

#[test]
fn grey_floats_are_trained_rendered_and_measured() {
    let dir = tempfile::tempdir().expect("a folder");
    let (grey, run) = (dir.path().join("grey.tif"), dir.path().join("run"));
    let values: Vec<f32> = (0..8 * 6).map(|i| (i % 8) as f32 * 0.3).collect();
    let file = std::fs::File::create(&grey).expect("a file");
    let mut encoder = tiff::encoder::TiffEncoder::new(file).expect("begun");
    encoder.write_image::<tiff::encoder::colortype::Gray32Float>(8, 6, &values).expect("written");
    let mut train = afterimage(&["train"], &[&grey, Path::new("--out"), &run]);
    train.args(SMALL).assert().success();
    for name in ["final.exr", "final.png"] {
        let picture = afterimage::picture::load(&run.join(name)).expect("it is read");
        assert_eq!((picture.width, picture.height), (8, 6), "{name}");
    }
    // A file of the program's own, with one channel.
    let render = dir.path().join("render.tif");
    let mut command = afterimage(&["render"], &[&run, Path::new("--out"), &render]);
    command.args(["--bits", "32"]).assert().success();
    assert_eq!(afterimage::picture::load(&render).expect("it is read").channels, 1);
    for picture in [&grey, &render] {
        afterimage(&["eval"], &[&run, picture]).assert().success();
    }
    let graymap = dir.path().join("render.pgm");
    afterimage(&["render"], &[&run, Path::new("--out"), &graymap]).assert().success();
    assert!(std::fs::read(&graymap).expect("written").starts_with(b"P5"));
    let compared = dir.path().join("compared");
    let mut command = afterimage(&["compare"], &[&grey, Path::new("--out"), &compared]);
    command.args(["--sizes", "8", "--epochs", "1", "--encodings", "none"]).assert().success();
}
