//! `afterimage render`: sizes, parts and formats.

use crate::models;
use crate::rendering;
use crate::small;

use afterimage::backend::Predict;
use afterimage::backend::cpu::CpuPredictor;
use afterimage::block_on;
use afterimage::model::{Coords, PixelFilter, Raster};
use afterimage::model_file::ModelFile;
use afterimage::picture::color::{linear_from_srgb, srgb_from_linear};
use afterimage::picture::{Depth, Picture, Pixels, SquaredError, load, resize};
use assert_cmd::Command;
use models::model;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rendering::{folder, render, saved};
use small::{program, train};
use std::path::Path;

/// What the model gives at its own size, as floats.
fn predicted(file: &ModelFile) -> Vec<f32> {
    let mut predictor = CpuPredictor::<f32>::new(file.model.clone(), &file.params, 1).expect("a predictor");
    let raster = Raster::new(file.width, file.height, file.coords);
    let mut out = vec![0.0; raster.n_pixels() as usize * file.channels()];
    block_on(predictor.predict(&raster, 0, &mut out)).expect("predicted");
    out
}

fn values(picture: &Picture) -> Vec<f32> {
    (0..picture.pixels.len()).map(|i| picture.pixels.value(i)).collect()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what}: value {i} is {found}, not {expected}");
    }
}

#[test]
fn at_its_own_size_a_run_gives_its_final_picture() {
    let dir = folder();
    let run = dir.path().join("portrait");
    assert!(train(&run, "2").status().expect("the program starts").success());
    render(dir.path(), &run, &[]).assert().success();
    let rendered = load(&dir.path().join("portrait-40x30.png")).expect("the default file");
    assert!(rendered == load(&run.join("final.png")).expect("final.png"), "another picture than final.png");
    // The model file alone does as well.
    render(dir.path(), &run.join("model.safetensors"), &["--out", "b.png"]).assert().success();
    assert!(rendered == load(&dir.path().join("b.png")).expect("b.png"));
}

#[test]
fn pieces_and_threads_do_not_matter() {
    let file = model(3, Depth::U8);
    let raster = Raster { first: [3, 1], ..Raster::new(97, 61, Coords::Center) };
    let n = raster.n_pixels() as usize;
    let predict = |threads: usize, piece: usize| {
        let mut predictor =
            CpuPredictor::<f32>::new(file.model.clone(), &file.params, threads).expect("a predictor");
        let mut out = vec![0.0; n * 3];
        for (i, part) in out.chunks_mut(piece * 3).enumerate() {
            block_on(predictor.predict(&raster, (i * piece) as u64, part)).expect("predicted");
        }
        out
    };
    let whole = predict(1, n);
    for (threads, piece) in [(2, n), (5, n), (1, 1), (3, 7), (2, 255), (2, 256), (4, 1000)] {
        assert!(predict(threads, piece) == whole, "{threads} threads, pieces of {piece} pixels");
    }
    let dir = folder();
    let path = saved(dir.path(), "m.safetensors", &file);
    for (threads, out) in [("1", "one.png"), ("3", "three.png")] {
        render(dir.path(), &path, &["--scale", "30", "--threads", threads, "--out", out]).assert().success();
    }
    let read = |name: &str| std::fs::read(dir.path().join(name)).expect(name);
    assert!(read("one.png") == read("three.png"), "three threads differ from one");
}

#[test]
fn a_crop_is_a_part_of_the_whole() {
    let dir = folder();
    let path = saved(dir.path(), "m.safetensors", &model(3, Depth::U16));
    // Up, where nothing is averaged, and down, where points are.
    for (size, [x, y, w, h]) in [("333x101", [51, 20, 200, 80]), ("13x9", [2, 3, 10, 5])] {
        let crop = format!("{x},{y},{w},{h}");
        render(dir.path(), &path, &["--size", size, "--out", "whole.png", "--force"]).assert().success();
        render(dir.path(), &path, &["--size", size, "--crop", &crop, "--out", "part.tif", "--force"])
            .assert()
            .success();
        let (whole, part) = (
            load(&dir.path().join("whole.png")).expect("whole"),
            load(&dir.path().join("part.tif")).expect("part"),
        );
        assert_eq!((part.width as usize, part.height as usize), (w, h));
        let Pixels::U16(all) = &whole.pixels else { panic!("{:?}", whole.depth()) };
        let stride = whole.width as usize * 3;
        let cut: Vec<u16> =
            (y..y + h).flat_map(|row| all[row * stride + x * 3..][..w * 3].to_vec()).collect();
        assert!(Pixels::U16(cut) == part.pixels, "{size}: the crop differs from the whole");
    }
}

/// Extension, bits, and how far a value may be from the model's, in the file's own encoding.
const FORMATS: [(&str, &str, f32); 12] = [
    ("png", "8", 0.5 / 255.0),
    ("png", "16", 0.5 / 65535.0),
    ("tif", "8", 0.5 / 255.0),
    ("tiff", "16", 0.5 / 65535.0),
    ("tif", "32", 1e-6),
    ("webp", "8", 0.5 / 255.0),
    ("bmp", "8", 0.5 / 255.0),
    ("qoi", "8", 0.5 / 255.0),
    ("ppm", "8", 0.5 / 255.0),
    ("exr", "32", 1e-6),
    // A shared exponent leaves the largest channel 8 bits, the others less.
    ("hdr", "32", 1.0 / 128.0),
    ("jpg", "8", 0.12),
];

#[test]
fn every_format_holds_the_picture() {
    let dir = folder();
    let file = model(3, Depth::U8);
    let path = saved(dir.path(), "m.safetensors", &file);
    let srgb = predicted(&file);
    let linear: Vec<f32> = srgb.iter().map(|&v| linear_from_srgb(v)).collect();
    for (extension, bits, tolerance) in FORMATS {
        let out = format!("out{bits}.{extension}");
        render(dir.path(), &path, &["--out", &out, "--bits", bits]).assert().success();
        let picture = load(&dir.path().join(&out)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((picture.width, picture.height, picture.channels), (30, 20, 3), "{out}");
        let expected = if bits == "32" { &linear } else { &srgb };
        assert_close(&values(&picture), expected, tolerance + 1e-6, &out);
    }
}

#[test]
fn grey_and_alpha_come_out_where_the_format_has_them() {
    let dir = folder();
    for (channels, extension, found) in [
        (1, "png", 1),
        (1, "tif", 1),
        (1, "jpg", 1),
        (1, "exr", 3),
        (1, "qoi", 3),
        (1, "pgm", 1),
        (2, "png", 2),
        (2, "tif", 4),
        (2, "webp", 4),
        (2, "bmp", 1),
        (4, "png", 4),
        (4, "tif", 4),
        (4, "webp", 4),
        (4, "exr", 4),
        (4, "jpg", 3),
        (4, "hdr", 3),
    ] {
        let file = model(channels, Depth::U8);
        let path = saved(dir.path(), "m.safetensors", &file);
        let out = format!("{channels}.{extension}");
        render(dir.path(), &path, &["--out", &out]).assert().success();
        let picture = load(&dir.path().join(&out)).unwrap_or_else(|e| panic!("{e}"));
        // Where grey became colour the reader gives three equal channels.
        let grey_read_as_color = extension == "bmp" && picture.channels == 3;
        assert!(picture.channels == found || grey_read_as_color, "{out}: {} channels", picture.channels);
        let (expected, n) = (predicted(&file), picture.channels);
        let linear = picture.is_hdr();
        for (pixel, file_pixel) in values(&picture).chunks_exact(n).zip(expected.chunks_exact(channels)) {
            let curve = |v: f32| if linear { linear_from_srgb(v) } else { v };
            let alpha = if channels % 2 == 0 { file_pixel[channels - 1] } else { 1.0 };
            let mut first = curve(file_pixel[0]);
            if n % 2 == 1 {
                first = first * alpha + 1.0 - alpha;
            } else {
                // Colours of floats are times alpha.
                first *= if linear { alpha } else { 1.0 };
                assert!((pixel[n - 1] - alpha).abs() < 0.003, "{out}: alpha {} of {alpha}", pixel[n - 1]);
            }
            let tolerance = if extension == "jpg" { 0.12 } else { 0.01 };
            assert!((pixel[0] - first).abs() < tolerance, "{out}: {} not {first}", pixel[0]);
        }
    }
}

#[test]
fn hdr_models_keep_their_light_in_float_formats() {
    let dir = folder();
    let file = model(3, Depth::F32);
    let path = saved(dir.path(), "light.safetensors", &file);
    let light = predicted(&file);
    assert!(light.iter().any(|&v| v > 2.0), "a test of HDR needs more than white");
    render(dir.path(), &path, &[]).assert().success();
    assert_close(&values(&load(&dir.path().join("light-30x20.exr")).expect("EXR")), &light, 1e-6, "EXR");
    render(dir.path(), &path, &["--out", "f.tif"]).assert().success();
    assert_close(&values(&load(&dir.path().join("f.tif")).expect("TIFF")), &light, 1e-6, "TIFF");
    // PNG has what a screen shows, and the person is told.
    let mut loud = Command::new(program());
    loud.current_dir(dir.path()).arg("render").arg(&path).args(["--backend", "cpu", "--out", "s.png"]);
    loud.assert().success().stderr(contains("stores only the displayable range"));
    let shown: Vec<f32> = light.iter().map(|&v| srgb_from_linear(v)).collect();
    assert_close(&values(&load(&dir.path().join("s.png")).expect("PNG")), &shown, 0.51 / 255.0, "PNG");
}

/// The mean of each `k` x `k` pixels.
fn area_average(picture: &Picture, k: u32) -> Picture {
    let (width, height, channels) = (picture.width / k, picture.height / k, picture.channels);
    let mean = |i: usize| {
        let (c, x, y) = (i % channels, (i / channels) as u32 % width, (i / channels) as u32 / width);
        let at = |j: u32| ((y * k + j / k) * picture.width + x * k + j % k) as usize * channels + c;
        (0..k * k).map(|j| picture.pixels.value(at(j))).sum::<f32>() / (k * k) as f32
    };
    let values = (0..(width * height) as usize * channels).map(mean).collect();
    Picture { width, height, channels, pixels: Pixels::F32(values) }
}

#[test]
fn scaling_down_does_not_alias() {
    let dir = folder();
    let run = dir.path().join("run");
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let mut command = Command::new(program());
    command.arg("train").arg(&portrait).arg("--out").arg(&run).args([
        "--backend",
        "cpu",
        "-q",
        "--size",
        "64x64",
        "--optimizer",
        "adam",
    ]);
    command
        .args(["--epochs", "60", "--hidden", "48", "--features", "64", "--batch", "512"])
        .assert()
        .success();
    let original = resize(&load(&portrait).expect("the portrait"), 64, 64);
    let psnr = |size: u32, args: &[&str]| {
        let size_text = format!("{size}x{size}");
        let mut all = vec!["--out", "small.png", "--bits", "16", "--force", "--size", &size_text];
        all.extend(args);
        render(dir.path(), &run, &all).assert().success();
        let small = load(&dir.path().join("small.png")).expect("rendered");
        let small = Picture { pixels: Pixels::F32(values(&small)), ..small };
        SquaredError::between(&small, &area_average(&original, 64 / size)).psnr()
    };
    for size in [32, 16] {
        let aliased = psnr(size, &["--samples", "1", "--filter", "none"]);
        let boxed = psnr(size, &["--samples", "1", "--filter", "box"]);
        let gaussian = psnr(size, &["--samples", "1", "--filter", "gaussian"]);
        let sampled = psnr(size, &[]);
        println!(
            "{size}: none {aliased:.2}, box {boxed:.2}, gaussian {gaussian:.2}, samples {sampled:.2} dB"
        );
        assert!(boxed > aliased + 0.3, "{size}: box {boxed:.2} dB, none {aliased:.2} dB");
        assert!(gaussian > aliased + 0.3, "{size}: gaussian {gaussian:.2} dB, none {aliased:.2} dB");
        assert!(sampled > boxed + 4.0, "{size}: averaged points {sampled:.2} dB, box {boxed:.2} dB");
    }
}

#[test]
fn only_the_first_layer_changes_on_the_way_down() {
    let file = model(3, Depth::U8);
    let view = afterimage::render::View::new(
        "10x10".parse().expect("a size"),
        None,
        afterimage::render::Samples::PerSide(1),
    )
    .expect("a view");
    let params = file.params_for(&view, PixelFilter::Box);
    let weights = file.model.layout().layers[0].weight.clone();
    assert_ne!(params[weights.clone()], file.params[weights.clone()]);
    assert_eq!(params[weights.end..], file.params[weights.end..]);
    assert_eq!(file.params_for(&view, PixelFilter::None), file.params);
}

#[test]
fn a_mean_is_of_models_of_one_picture() {
    let dir = folder();
    let first = model(3, Depth::U8);
    let second = ModelFile { params: first.params.iter().map(|p| 0.8 * p).collect(), ..first.clone() };
    let other = ModelFile { width: first.width + 1, ..first.clone() };
    let [a, b, c] = [("a", &first), ("b", &second), ("c", &other)]
        .map(|(name, file)| saved(dir.path(), &format!("{name}.safetensors"), file));
    let mean = |of: &Path| {
        render(dir.path(), &a, &["--bits", "16", "--out", "mean.tif", "--force", "--mean"]).arg(of).assert()
    };
    mean(&b).success();
    let both = predicted(&first).into_iter().zip(predicted(&second));
    let expected: Vec<f32> = both.map(|(a, b)| (0.5 * (a + b)).clamp(0.0, 1.0)).collect();
    assert!(expected != predicted(&first), "the models differ");
    assert_close(&values(&load(&dir.path().join("mean.tif")).expect("TIFF")), &expected, 1e-4, "mean");
    mean(&c).code(1).stderr(contains("c.safetensors cannot be averaged with").and(contains("another size")));
    render(dir.path(), &a, &["--force", "--format", "png", "--out", "b.safetensors", "--mean"])
        .arg(&b)
        .assert()
        .code(1)
        .stderr(contains("is an input"));
}
