//! The program on a GPU, as a user meets it.

use crate::device;
use crate::runs;

use afterimage::model_file::ModelFile;
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
        manifest.contains("\"backend\": \"gpu\"")
            && manifest.contains("fused_step_of_picture_fourier.odd-rows.mse.relu"),
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
        &["--features", "24", "--hidden", "32", "--optimizer", "adam"],
        &["--encoding", "hash-grid", "--levels", "6", "--hidden", "64"],
        &["--features", "40", "--hidden", "32", "--activation", "sine"],
    ];
    for (number, job) in jobs.iter().enumerate() {
        let psnr = |fused: &str| {
            let out = dir.path().join(format!("{number}-{fused}"));
            let mut command = afterimage();
            command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
            command.arg("--out").arg(&out).args(["--backend", "gpu", "--size", "40x40", "--batch", "400"]);
            command
                .args(["--epochs", "50", "--seed", "11", "--measure-every", "50", "--snapshot-every", "50"])
                .args(*job)
                .env("AFTERIMAGE_FUSED", fused);
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
    for variable in ["AFTERIMAGE_FUSED", "AFTERIMAGE_TUNE"] {
        let mut command = small_run(&out, "1");
        let message = format!("{variable} is 'often'; give auto, always or never");
        command.env(variable, "often").assert().code(1).stderr(contains(message));
        assert!(!out.exists());
    }
}

#[test]
fn precision_is_what_was_asked_for() {
    let Some(gpu) = device::open(false) else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = |precision: &str| {
        let out = dir.path().join(precision);
        (small_run(&out, "2").args(["--precision", precision]).assert(), out.join("run.json"))
    };
    let manifest = |path| std::fs::read_to_string(path).expect("run.json");
    let (f32s, file) = run("f32");
    f32s.success();
    assert!(!manifest(file).contains(".f16."));
    let (mixed, file) = run("mixed");
    if gpu.device.features().contains(wgpu::Features::SHADER_F16) {
        mixed.success();
        assert!(manifest(file).contains(".f16."));
    } else {
        mixed.code(1).stderr(contains("use --precision f32"));
    }
}

#[test]
fn pipelines_are_kept_between_runs_and_a_damaged_file_is_made_anew() {
    let Some(gpu) = device::open(false) else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let cache = dir.path().join("cache");
    let run = |cache: &Path| {
        let mut command = small_run(&dir.path().join("run"), "1");
        command.env("AFTERIMAGE_CACHE", cache).arg("--force").assert().success();
        std::fs::read(dir.path().join("run/model.safetensors")).expect("a model")
    };
    let without = run(Path::new(""));
    assert!(!cache.exists());
    let first = run(&cache);
    let Some(key) = wgpu::util::pipeline_cache_key(&gpu.info) else {
        assert!(!cache.exists(), "nothing to keep with this graphics API");
        return;
    };
    let file = cache.join(key);
    let kept = std::fs::read(&file).expect("the driver's pipelines");
    let second = run(&cache);
    assert!(without == first && first == second, "the model differs");
    for damaged in [&kept[..kept.len() / 2], &[0; 300]] {
        std::fs::write(&file, damaged).expect("written");
        assert!(run(&cache) == first, "the model differs");
        assert_ne!(std::fs::read(&file).expect("made anew"), damaged);
    }
    // Another driver's file is sound and of no use.
    std::fs::write(&file, [&crc32fast::hash(&[7; 200]).to_le_bytes()[..], &[7; 200]].concat())
        .expect("written");
    assert!(run(&cache) == first, "the model differs");
    // A folder that cannot be made costs no more than the time.
    let occupied = dir.path().join("occupied");
    std::fs::write(&occupied, "").expect("written");
    assert!(run(&occupied.join("cache")) == first, "the model differs");
}

/// How the run in `out` was trained, as run.json says.
fn method(out: &Path) -> serde_json::Value {
    runs::manifest(out)["device"]["method"]["variants"].clone()
}

#[test]
fn ways_are_timed_once_and_a_damaged_file_is_made_anew() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (cache, out) = (dir.path().join("cache"), dir.path().join("run"));
    let run = |tune: &str, fused: &str| {
        let mut command = small_run(&out, "2");
        command.env("AFTERIMAGE_CACHE", &cache).env("AFTERIMAGE_TUNE", tune).env("AFTERIMAGE_FUSED", fused);
        command.arg("--force");
        command.assert().success();
        std::fs::read(out.join("model.safetensors")).expect("a model")
    };
    let file = cache.join("tuning.json");
    run("never", "auto");
    assert!(!file.exists());
    assert_eq!((&method(&out)["fused"], &method(&out)["tuned"]), (&true.into(), &serde_json::json!([])));
    let read = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(&file).expect("what was measured")).expect("JSON")
    };
    // Layer by layer, alone: three products of each of the three layers of different shapes.
    let first = run("always", "never");
    let measured = read();
    let (step, tiles) = (&measured["steps"][0], &measured["tiles"]);
    assert!(step["milliseconds"].as_f64().is_some_and(|ms| ms > 0.0), "{step}");
    assert_eq!((&step["variants"]["fused"], &step["variants"]), (&false.into(), &method(&out)), "{step}");
    let n_choices = |tiles: &serde_json::Value| {
        tiles
            .as_array()
            .expect("tiles")
            .iter()
            .map(|t| t["choices"].as_array().map_or(0, Vec::len))
            .sum::<usize>()
    };
    assert!(n_choices(tiles) >= 9, "{measured}");
    assert!(run("always", "never") == first, "the same choice trains the same model");
    assert_eq!(read(), measured, "measured once");
    // The way that the environment ruled out is a candidate now.
    run("always", "auto");
    let chosen = method(&out);
    assert_eq!(read()["steps"].as_array().map(Vec::len), Some(1), "the same job");
    assert_eq!(read()["steps"][0]["variants"], chosen, "{measured}");
    std::fs::write(&file, "{ damaged").expect("written");
    run("always", "never");
    assert!(n_choices(&read()["tiles"]) >= 9);
}

#[test]
fn a_run_goes_on_as_it_was_trained_whatever_is_fastest_by_then() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    // Nothing is kept between the runs but in their folders.
    let with = |mut command: Command, fused: &str| {
        command.env("AFTERIMAGE_CACHE", "").env("AFTERIMAGE_TUNE", "never").env("AFTERIMAGE_FUSED", fused);
        command.assert().success();
    };
    with(small_run(&whole, "4"), "never");
    with(small_run(&parts, "2"), "never");
    let mut resume = afterimage();
    resume.args(["train", "--epochs", "4", "--resume"]).arg(&parts);
    // Bytes are in favour of one kernel here.
    with(resume, "auto");
    assert_eq!(method(&parts)["fused"], false);
    // Pictures are computed as the environment says, and their error is in the file.
    let weights = |run: &Path| ModelFile::load(&run.join("model.safetensors")).expect("a model").params;
    assert!(weights(&whole) == weights(&parts), "the weights differ after a resume");
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

#[test]
fn float_gradients_are_used_or_refused() {
    use afterimage::backend::gpu::kernel::Kernel;
    use afterimage::backend::gpu::ops::grid::BACKWARD_FLOAT;
    let Some(gpu) = device::open(false) else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let mut command = afterimage();
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(&out).args(["--size", "16x16", "--epochs", "1", "--grid-gradients", "float"]);
    let run = command.args(["--backend", "gpu"]).assert();
    if !Kernel::plain(&BACKWARD_FLOAT).runs_on(&gpu) {
        run.code(1).stderr(contains("has no float atomics"));
        return;
    }
    run.success();
    let read = |file: &str| std::fs::read_to_string(out.join(file)).expect(file);
    assert!(read("run.json").contains("\"encode_grid_backward_float\""), "{}", read("run.json"));
    assert!(read("config.toml").contains("grid_gradients = \"float\""), "{}", read("config.toml"));
}
