//! Kernels that a driver does not compile: others take their place, or the CPU. See `job::faults`.

use crate::device;
use crate::faults::{output, small_model};
use crate::job;
use crate::program;
use crate::runs;

use afterimage::backend::gpu::fallback;
use afterimage::backend::gpu::kernel::{KernelConfig, Precision, Storage};
use afterimage::environment::FAULT;
use program::{program, train_on};
use runs::manifest;
use std::path::Path;
use std::process::{Command, Stdio};

/// A run on the GPU that refuses `kernel`, if one is named.
fn train(out: &Path, fused: &str, kernel: &str) -> (Option<i32>, String) {
    let fault = if kernel.is_empty() { String::new() } else { format!("refuse-kernel={kernel}") };
    output(train_on("gpu", out, "2").env("AFTERIMAGE_FUSED", fused).env(FAULT, fault))
}

fn kernels_of(out: &Path) -> Vec<String> {
    serde_json::from_value(manifest(out)["device"]["kernels"].clone()).expect("names")
}

/// The first kernel of the run in `out` whose name begins with `stem`.
fn kernel(out: &Path, stem: &str) -> String {
    kernels_of(out).into_iter().find(|name| name.starts_with(stem)).expect("it is used")
}

#[test]
fn a_step_is_trained_by_layers_and_with_other_tiles() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = |name: &str| dir.path().join(name);
    assert_eq!(train(&out("fused"), "auto", "").0, Some(0));
    assert_eq!(train(&out("layers"), "never", "").0, Some(0));
    let fused = kernel(&out("fused"), "fused_step_of_picture_");
    let (code, text) = train(&out("samples"), "auto", &fused);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("does not compile the kernel {fused} (")), "{text}");
    assert!(text.contains("training in one kernel after another for its samples, f32 instead"), "{text}");
    let of_samples = fused.replace("_of_picture_", "_");
    assert!(["sample", &of_samples].iter().all(|name| kernels_of(&out("samples")).iter().any(|n| n == name)));
    let (code, text) = train(&out("a"), "auto", &format!("{fused},refuse-kernel={of_samples}"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("training by layers, f32 instead"), "{text}");
    assert!(!kernels_of(&out("a")).iter().any(|name| name.starts_with("fused_step")));

    let tile = kernel(&out("layers"), "dense_backward_input");
    let (code, text) = train(&out("b"), "never", &tile);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(" and tile") && text.contains("instead"), "{text}");
    assert_ne!(kernel(&out("b"), "dense_backward_input"), tile);
}

#[test]
fn pictures_are_computed_by_layers_in_training_rendering_and_measuring() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let refused = "fused_predict_fourier.relu.sigmoid";
    let (code, text) = train(&out, "auto", refused);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(refused) && text.contains("pictures are computed layer by layer instead"),
        "{text}"
    );
    let model = out.join("model.safetensors");
    let again = dir.path().join("again.png");
    let mut render = Command::new(program());
    render.arg("render").arg(&model).arg("--out").arg(&again);
    let mut eval = Command::new(program());
    eval.arg("eval").arg(&model).arg(out.join("final.png")).stdout(Stdio::null());
    for command in [&mut render, &mut eval] {
        let (code, text) =
            output(command.args(["--backend", "gpu"]).env(FAULT, format!("refuse-kernel={refused}")));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("pictures are computed layer by layer instead"), "{text}");
    }
    let pixels = |path: &Path| afterimage::picture::load(path).expect("a picture");
    assert!(pixels(&again) == pixels(&out.join("final.png")), "another picture");
}

#[test]
fn the_last_pixels_are_computed_with_other_tiles() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let model = small_model(dir.path());
    let render = |name: &str, fault: &str| {
        let mut command = Command::new(program());
        command.arg("render").arg(&model).arg("--out").arg(dir.path().join(name));
        // 16,384 pixels and five more, for which smaller tiles waste less.
        command
            .args(["--backend", "gpu", "--size", "27x607"])
            .env("AFTERIMAGE_FUSED", "never")
            .env(FAULT, fault);
        let (code, text) = output(&mut command);
        assert_eq!(code, Some(0), "{text}");
        (text, std::fs::read(dir.path().join(name)).expect("a picture"))
    };
    let (_, usual) = render("usual.png", "");
    let (text, other) = render("other.png", "refuse-kernel=dense_forward.tile32.relu");
    assert!(text.contains("the last pixels are computed with other tiles instead"), "{text}");
    assert!(other == usual, "another picture");
}

#[test]
fn where_nothing_else_is_left_it_is_the_cpu_or_a_sentence() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("gpu");
    let (code, text) = train(&out, "never", "sample");
    assert_eq!(code, Some(1), "{text}");
    let last = text.lines().last().expect("a sentence");
    assert!(last.starts_with("error: the driver of") && last.contains("sample"), "{text}");
    assert!(last.contains("use --backend cpu") && !out.exists(), "{text}");
    let out = dir.path().join("auto");
    let mut command = train_on("auto", &out, "1");
    // The name lets `auto` take a software driver too.
    command.env("WGPU_ADAPTER_NAME", "0").env("AFTERIMAGE_FUSED", "never").env(FAULT, "refuse-kernel=sample");
    let (code, text) = output(&mut command);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("does not compile") && text.contains("training on the CPU"), "{text}");
    assert_eq!(manifest(&out)["device"]["backend"], "cpu");
    let mut render = Command::new(program());
    render.arg("render").arg(out.join("model.safetensors")).arg("--out").arg(dir.path().join("p.png"));
    render.env("WGPU_ADAPTER_NAME", "0").env(FAULT, "refuse-kernel=raster");
    let (code, text) = output(&mut render);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("rendering on the CPU"), "{text}");
}

#[test]
fn what_is_refused_loses_where_ways_are_timed() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(train(&dir.path().join("usual"), "auto", "").0, Some(0));
    let fused = kernel(&dir.path().join("usual"), "fused_step");
    let out = dir.path().join("timed");
    let mut command = train_on("gpu", &out, "2");
    command.env(FAULT, format!("refuse-kernel={fused}"));
    command.env("AFTERIMAGE_TUNE", "always").env("AFTERIMAGE_CACHE", "");
    let (code, text) = output(&mut command);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("not used: the driver of"), "{text}");
    assert!(!kernels_of(&out).iter().any(|name| name.starts_with("fused_step")));
}

#[test]
fn sixteen_bits_become_thirty_two_unless_asked_for() {
    let Some(gpu) = device::open(false) else { return };
    let config = KernelConfig { storage: Storage::F16, ..KernelConfig::default() };
    let stored = |precision| -> Vec<Storage> {
        let ways = fallback::ways(&job::Setup::small().job(), gpu.budget(), &config, precision);
        ways.into_iter().map(|(_, config)| config.storage).collect()
    };
    assert!(stored(Precision::Auto).ends_with(&[Storage::F32; 3]));
    assert!(stored(Precision::Mixed).iter().all(|&storage| storage == Storage::F16));
}
