//! The program on a GPU, as a user meets it.

#[path = "gpu_common/device.rs"]
mod device;

use assert_cmd::Command;
use predicates::str::contains;
use std::path::Path;

fn afterimage() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("afterimage"))
}

fn small_run(out: &Path, epochs: &str) -> Command {
    let mut command = afterimage();
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["--backend", "gpu", "--size", "21x17", "--batch", "100"]);
    command.args(["--hidden", "13", "--features", "7", "--schedule", "constant", "--epochs", epochs]);
    command
}

#[test]
fn a_run_on_a_gpu_repeats_and_resumes_to_the_same_bits() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, again, parts) =
        (dir.path().join("whole"), dir.path().join("again"), dir.path().join("parts"));
    small_run(&whole, "6").assert().success().stderr(contains("training on"));
    small_run(&again, "6").assert().success();
    small_run(&parts, "2").assert().success();
    let mut resume = afterimage();
    resume.args(["train", "--epochs", "6", "--resume"]).arg(&parts).assert().success();
    for file in ["model.safetensors", "final.png", "epochs/00004.png"] {
        let read = |run: &Path| std::fs::read(run.join(file)).expect(file);
        assert!(read(&whole) == read(&again), "{file} differs when the run is repeated");
        // The configuration inside the model file names the same number of epochs by now.
        assert!(read(&whole) == read(&parts), "{file} differs after a resume");
    }
    let manifest = std::fs::read_to_string(whole.join("run.json")).expect("run.json");
    assert!(
        manifest.contains("\"backend\": \"gpu\"") && manifest.contains("fused_step_fourier.mse.relu"),
        "{manifest}"
    );
}

/// PSNR on the samples after the last epoch.
fn last_psnr(run: &Path) -> f64 {
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).expect("metrics.csv");
    let last = metrics.lines().last().expect("epochs");
    last.split(',').nth(5).and_then(|psnr| psnr.parse().ok()).expect("psnr_train")
}

#[test]
fn one_kernel_for_the_network_learns_as_much_as_one_for_each_layer() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let jobs: [&[&str]; 3] = [
        &["--features", "24", "--hidden", "32"],
        &["--encoding", "hash-grid", "--levels", "6", "--hidden", "64"],
        &["--features", "40", "--hidden", "32", "--activation", "sine"],
    ];
    for (number, job) in jobs.iter().enumerate() {
        let psnr = |fused: &str| {
            let out = dir.path().join(format!("{number}-{fused}"));
            let mut command = afterimage();
            command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
            command.arg("--out").arg(&out).args(["--backend", "gpu", "--size", "40x40", "--batch", "400"]);
            command.args(["--epochs", "50", "--seed", "11"]).args(*job).env("AFTERIMAGE_FUSED", fused);
            command.assert().success();
            let manifest = std::fs::read_to_string(out.join("run.json")).expect("run.json");
            assert_eq!(manifest.contains("fused_step"), fused == "auto", "{manifest}");
            last_psnr(&out)
        };
        let (fused, apart) = (psnr("auto"), psnr("never"));
        println!("{job:?}: {fused:.4} dB in one kernel, {apart:.4} dB in many");
        assert!(fused > 15.0, "{fused} dB: nothing was learned");
        assert!((fused - apart).abs() < 0.05, "{fused} dB in one kernel, {apart} dB in many");
    }
}

#[test]
fn a_choice_of_kernels_that_is_not_known_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let mut command = small_run(&out, "1");
    command.env("AFTERIMAGE_FUSED", "often").assert().code(1).stderr(contains("auto, always or never"));
    assert!(!out.exists());
}

#[test]
fn adapters_are_listed_and_unknown_ones_refused() {
    if device::open(false).is_none() {
        return;
    }
    let output = afterimage().args(["adapters", "--json"]).output().expect("the program starts");
    let adapters: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let name = adapters[0]["name"].as_str().expect("a name");
    assert!(adapters[0]["max_binding_bytes"].as_u64().is_some_and(|bytes| bytes >= 128 << 20));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    small_run(&out, "1").args(["--adapter", "no such thing"]).assert().code(1).stderr(contains(name));
    assert!(!out.exists());
}

#[test]
fn no_driver_is_one_sentence() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let without = |mut command: Command| {
        command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
        command
    };
    if cfg!(target_os = "linux") {
        without(small_run(&out, "1")).assert().code(1).stderr(contains("no GPU was found"));
        assert!(!out.exists());
        let mut auto = without(afterimage());
        auto.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
        auto.arg("--out").arg(&out).args(["--size", "8x8", "--epochs", "1", "--hidden", "8"]);
        auto.assert().success().stderr(contains("training on the CPU"));
        without(afterimage()).arg("adapters").assert().success();
        without(afterimage()).arg("verify").assert().code(1).stderr(contains("no GPU was found"));
    }
}

#[test]
fn the_bench_reports_kernels_and_ceilings() {
    let Some(gpu) = device::open(false) else { return };
    let options = ["bench", "--backend", "gpu", "--size", "64", "--seconds", "0.05", "--json"];
    let output = afterimage().args(options).assert().success().get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).expect("JSON");
    for ceiling in ["gflop_per_second", "gigabytes_per_second"] {
        assert!(report["ceilings"][ceiling].as_f64().is_some_and(|v| v > 0.0), "{report}");
    }
    let job = &report["jobs"][0];
    assert!(job["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{job}");
    let has_timestamps = gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
    let kernels = job["kernels"].as_array();
    assert_eq!(kernels.is_some(), has_timestamps, "{job}");
    for kernel in ["dense_forward.relu", "dense_backward_weights.relu", "optimizer_2.adam"] {
        let of_kernel = |k: &&serde_json::Value| k["kernel"] == kernel;
        let Some(time) = kernels.into_iter().flatten().find(of_kernel) else {
            assert!(!has_timestamps, "no time of {kernel}: {job}");
            continue;
        };
        assert!(time["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{time}");
    }
}
