//! The program on a GPU that fails: lost, silent, wrong or full. See `job::faults`.

use crate::device;
use crate::program;
use crate::runs;
use crate::skip::{Missing, skip};

use afterimage::environment::FAULT;
use program::{program, resume, train_on};
use runs::{assert_same_run, manifest, metrics};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Two steps each, and a checkpoint after every third.
const EPOCHS: &str = "14";

fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn train(out: &Path) -> Command {
    let mut command = train_on("gpu", out, EPOCHS);
    command.stderr(Stdio::piped());
    command
}

/// A model of Gaussian features whose products are 64 wide, trained on the CPU in `dir`.
pub(crate) fn small_model(dir: &Path) -> PathBuf {
    let run = dir.join("run");
    let mut train = Command::new(program());
    train.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    train.arg("--out").arg(&run).args(["--size", "16x16", "--epochs", "1", "--backend", "cpu"]);
    let (code, text) = output(train.args(["--encoding", "gaussian", "--features", "16", "--hidden", "64"]));
    assert_eq!(code, Some(0), "{text}");
    run.join("model.safetensors")
}

/// The exit code and what was said.
pub(crate) fn output(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.stderr(Stdio::piped()).output().expect("the program starts");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn undisturbed(dir: &Path) -> PathBuf {
    let out = dir.join("undisturbed");
    let (code, text) = output(&mut train(&out));
    assert_eq!(code, Some(0), "{text}");
    out
}

#[test]
fn a_lost_device_costs_nothing_but_time() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let undisturbed = undisturbed(dir.path());
    for (faults, losses, reason) in [
        ("lose-device@0", 1, ""),
        ("lose-device@13,lose-device@13,lose-device@27", 3, ""),
        ("drop-submission@16", 1, "did not run"),
    ] {
        let out = dir.path().join(faults);
        let (code, text) = output(train(&out).env(FAULT, faults));
        assert_eq!(code, Some(0), "{faults}: {text}");
        assert_eq!(text.matches("reopening it").count(), losses, "{faults}: {text}");
        assert!(text.contains(reason) && !text.contains("panicked"), "{faults}: {text}");
        assert_same_run(&out, &undisturbed);
    }
}

#[test]
fn a_device_lost_again_and_again_is_one_sentence_and_a_run_to_resume() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let undisturbed = undisturbed(dir.path());
    let out = dir.path().join("run");
    let (code, text) = output(train(&out).arg("-q").env(FAULT, ["lose-device@21"; 4].join(",")));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.lines().count() == 1 && text.starts_with("error: "), "{text}");
    assert!(text.contains("4 times") && text.contains("train --resume"), "{text}");
    // Epoch 9 was kept, and goes on from there.
    assert!((1 + 10..1 + 12).contains(&metrics(&out).len()), "{:?}", metrics(&out));
    resume(&out).assert().success();
    assert_same_run(&out, &undisturbed);
}

#[test]
fn a_comparison_survives_a_lost_device_too() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let compare = |name: &str, faults: Option<&str>| {
        let out = dir.path().join(name);
        let mut command = Command::new(program());
        command.arg("compare").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
        command.arg("--out").arg(&out).args(["--sizes", "20", "--encodings", "gaussian:3", "--epochs", "8"]);
        command.args(["--backend", "gpu", "--checkpoint-every", "2"]);
        command.envs(faults.map(|faults| (FAULT, faults))).stderr(Stdio::piped());
        let (code, text) = output(&mut command);
        assert_eq!(code, Some(0), "{text}");
        (text, std::fs::read(out.join("astronaut/20/gaussian-3-adam/model.safetensors")).expect("a model"))
    };
    let (_, undisturbed) = compare("undisturbed", None);
    let (text, disturbed) = compare("disturbed", Some("lose-device@5"));
    assert!(text.contains("reopening it and resuming from epoch 4"), "{text}");
    assert!(disturbed == undisturbed, "other weights");
}

/// Kernels that the run in `out` says it used.
fn kernels_of(out: &Path) -> Vec<String> {
    serde_json::from_value(manifest(out)["device"]["kernels"].clone()).expect("names")
}

#[test]
fn every_kernel_in_use_is_tested_before_it_is_used() {
    if device::open(false).is_none() {
        return;
    }
    for (fused, least, of_prediction) in [
        ("never", 10, ["raster", "output.sigmoid"]),
        ("auto", 2, ["raster", "fused_predict_fourier.relu.sigmoid"]),
    ] {
        every_kernel_is_tested(fused, least, of_prediction);
    }
}

fn every_kernel_is_tested(fused: &str, least: usize, of_prediction: [&str; 2]) {
    let dir = temporary_folder();
    let whole = dir.path().join("whole");
    let (code, text) = output(train(&whole).env("AFTERIMAGE_FUSED", fused));
    assert_eq!(code, Some(0), "{text}");
    let mut kernels = kernels_of(&whole);
    assert!(kernels.len() >= least, "{kernels:?}");
    assert_eq!(kernels.iter().any(|name| name.starts_with("fused_step")), fused == "auto", "{kernels:?}");
    kernels.extend(of_prediction.map(str::to_owned));
    for kernel in kernels {
        let fault = format!("break-kernel={kernel}");
        let out = dir.path().join(&kernel);
        let (code, text) = output(train(&out).env(FAULT, &fault).env("AFTERIMAGE_FUSED", fused));
        assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.starts_with(&format!("error: the kernel {kernel} computes wrong results")), "{text}");
        assert!(!out.exists(), "{kernel}");
    }
}

#[test]
fn a_wrong_kernel_loses_where_ways_are_timed() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let out = dir.path().join("run");
    let whole = dir.path().join("whole");
    output(&mut train(&whole));
    let fused = kernels_of(&whole).into_iter().find(|name| name.starts_with("fused_step"));
    let fused = fused.expect("one kernel, by bytes");
    // In both precisions: either may be fastest.
    let half = fused.replacen('.', ".f16.", 1);
    let fault = format!("break-kernel={fused},break-kernel={half}");
    let timed = |out: &Path, fault: &str| {
        let mut command = train(out);
        command.env(FAULT, fault).env("AFTERIMAGE_TUNE", "always").env("AFTERIMAGE_CACHE", "");
        output(&mut command)
    };
    let (code, text) = timed(&out, &fault);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("not used: the kernel fused_step"), "{text}");
    let kernels = kernels_of(&out);
    assert!(kernels.iter().any(|name| name.starts_with("dense_forward")), "{kernels:?}");
    assert!(!kernels.iter().any(|name| name.starts_with("fused_step")), "{kernels:?}");
    // Where each way has a wrong kernel, there is none left.
    let out = dir.path().join("none");
    let (code, text) = timed(&out, &format!("break-kernel=sample,{fault}"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("error: the kernel ") && text.contains(" computes wrong results"), "{text}");
    assert!(!out.exists(), "{text}");
}

#[test]
fn where_the_device_compares_wrongly_the_host_does() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let measured = |name: &str, fault: &str| {
        let out = dir.path().join(name);
        let mut command = train(&out);
        command.args(["--measure-every", "3", "--snapshot-every", "100"]).env(FAULT, fault);
        let (code, text) = output(&mut command);
        assert_eq!(code, Some(0), "{text}");
        let metrics = std::fs::read_to_string(out.join("metrics.csv")).expect("metrics.csv");
        let psnr = |row: &str| row.split(',').nth(5).and_then(|psnr| psnr.parse().ok());
        (metrics.lines().filter_map(psnr).collect::<Vec<f64>>(), text)
    };
    let (on_device, text) = measured("sound", "");
    assert!(!text.contains("WARN"), "{text}");
    let (on_host, text) = measured("wrong", "break-kernel=squared_errors");
    assert_eq!(text.matches("meanwhile the host compares pictures").count(), 1, "{text}");
    assert!(on_device.len() > 3 && on_device.len() == on_host.len(), "{on_device:?} {on_host:?}");
    let off = on_device.iter().zip(&on_host).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 1e-4, "{off} dB apart: {on_device:?} {on_host:?}");
}

#[test]
fn wrong_64_bit_atomics_are_replaced_by_two_of_32_bits_to_the_same_bits() {
    let Some(gpu) = device::open(false) else { return };
    let needed = wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS;
    if !gpu.device.features().contains(needed) {
        skip(Missing::Other(&format!("{} has no 64-bit atomics", gpu.info.name)));
        return;
    }
    let dir = temporary_folder();
    let weights = |name: &str, fault: &str| {
        let out = dir.path().join(name);
        let mut command = train_on("gpu", &out, "2");
        let command = command.args(["--encoding", "hash-grid"]).env(FAULT, fault);
        let (code, text) = output(command);
        assert_eq!(code, Some(0), "{text}");
        let wide = kernels_of(&out).iter().filter(|name| name.contains(".u64")).count();
        (std::fs::read(out.join("model.safetensors")).expect("a model"), wide, text)
    };
    let (sound, wide, _) = weights("sound", "");
    assert!(wide > 0, "64-bit atomics are used");
    let (replaced, wide, text) = weights("wrong", "break-kernel=encode_grid_backward.u64");
    assert_eq!(wide, 0, "{text}");
    assert!(text.contains("not used: the kernel encode_grid_backward.u64"), "{text}");
    assert!(sound == replaced, "other weights");
}

#[test]
fn a_kernel_for_the_last_pixels_is_tested_before_it_is_used() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let model = small_model(dir.path());
    let picture = dir.path().join("picture.png");
    let render = |size: &str, fault: &str| {
        let mut command = Command::new(program());
        command.arg("render").arg(&model).arg("--out").arg(&picture);
        command.args(["--force", "--backend", "gpu", "--size", size]).stderr(Stdio::piped());
        output(command.env("AFTERIMAGE_FUSED", "never").env(FAULT, fault))
    };
    // 16,384 pixels and five more, for which other tiles waste less.
    let fault = "break-kernel=dense_forward.tile32.relu";
    let (code, text) = render("128x128", fault);
    assert_eq!(code, Some(0), "{text}");
    let whole = std::fs::read(&picture).expect("a picture");
    let (code, text) = render("27x607", "");
    assert_eq!(code, Some(0), "{text}");
    std::fs::write(&picture, &whole).expect("written");
    let (code, text) = render("27x607", fault);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the kernel dense_forward.tile32.relu computes wrong results"), "{text}");
    assert!(std::fs::read(&picture).expect("a picture") == whole, "another picture was touched");
}

#[test]
fn where_any_device_will_do_a_wrong_kernel_leaves_the_cpu() {
    if device::open(false).is_none() {
        return;
    }
    let dir = temporary_folder();
    let out = dir.path().join("run");
    // The name lets `auto` take a software driver too.
    let mut command = train_on("auto", &out, "1");
    command.env("WGPU_ADAPTER_NAME", "0").env("AFTERIMAGE_FUSED", "never").env(FAULT, "break-kernel=sample");
    let (code, text) = output(command.stderr(Stdio::piped()));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("sample") && text.contains("training on the CPU"), "{text}");
    let manifest = std::fs::read_to_string(out.join("run.json")).expect("run.json");
    assert!(manifest.contains("\"backend\": \"cpu\""), "{manifest}");
}

#[test]
fn verify_names_the_kernel_that_is_wrong() {
    if device::open(false).is_none() {
        return;
    }
    let mut verify = assert_cmd::Command::new(program());
    verify.args(["verify", "--steps", "1", "--json"]).env(FAULT, "break-kernel=encode_fourier_odd");
    let output = verify.assert().code(1).get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).expect("JSON");
    assert_eq!(report["passed"], false);
    let failed = |rows: &str| -> Vec<String> {
        let rows = report[rows].as_array().expect("rows").iter();
        rows.filter(|row| row["passed"] == false).map(|row| row["kernel"].to_string()).collect()
    };
    assert_eq!(failed("kernels"), ["\"encode_fourier_odd\""]);
    assert_eq!(failed("lockstep"), ["\"step: encode_fourier_odd\""]);
}

#[test]
fn a_fault_that_is_not_known_is_refused() {
    let dir = temporary_folder();
    let out = dir.path().join("run");
    let (code, text) = output(train(&out).env(FAULT, "lose-device"));
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("lose-device@STEP") && !out.exists(), "{text}");
}
