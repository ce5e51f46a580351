//! Several networks of one shape at once: against f64, and to the bit as each of them alone.

use crate::device;
use crate::job::{MUON, Setup, refined};
use crate::lockstep::{grid, tight, with_matrices};

use afterimage::backend::gpu::{Budget, Gpu, GpuBackend, GpuNetworks, KernelConfig, Override};
use afterimage::backend::{Backend, Job, NetworkJob};
use afterimage::model::{Activation, Encoding, EncodingSpec, Interpolation, Step, Steps};
use afterimage::picture::{Picture, Pixels};
use pollster::FutureExt as _;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// The jobs that tests train at once.
fn setups() -> Vec<(&'static str, Setup)> {
    let siren = Setup {
        encoding: EncodingSpec::None,
        activation: Activation::Sine { w0: 20.0 },
        output_activation: Activation::Identity,
        hidden_width: 30,
        n_layers: 3,
        ..Setup::small()
    };
    let muon = Setup { optimizer: MUON, options: refined(), hidden_width: 24, ..Setup::small() };
    vec![
        ("Fourier features", Setup::small()),
        ("all at once, 16 bits", Setup { batch_size: 357, bits: 16, channels: 1, ..Setup::small() }),
        ("SIREN", siren),
        ("a grid", grid(Interpolation::Linear)),
        ("Muon, refined", muon),
        ("trained frequencies", Setup { trained_frequencies: true, ..Setup::small() }),
        ("two encodings", Setup { beside: vec![EncodingSpec::None], ..Setup::small() }),
    ]
}

/// Network `number` of a setup: its own picture, frequencies, weights and, with `own_orders`, order of samples.
fn network(setup: &Setup, number: u64, own_orders: bool) -> NetworkJob {
    let mut job = setup.job();
    let Picture { width, height, channels, ref pixels } = *job.picture;
    let of = |i: usize| (i * (2 * number as usize + 1)) % pixels.len();
    let pixels = match pixels {
        Pixels::U8(v) => Pixels::U8((0..v.len()).map(|i| v[of(i)]).collect()),
        Pixels::U16(v) => Pixels::U16((0..v.len()).map(|i| v[of(i)]).collect()),
        Pixels::F32(v) => Pixels::F32((0..v.len()).map(|i| v[of(i)]).collect()),
    };
    job.picture = Arc::new(Picture { width, height, channels, pixels });
    if setup.beside.is_empty() && !setup.trained_frequencies {
        job.model.encoding = Encoding::new(setup.encoding, number);
    }
    let mut state = setup.state(&job);
    state.params = setup.init.draw(&job.model, 10 + number);
    let seed = if own_orders { number } else { 5 };
    let steps = Steps::new(job.samples.len(), job.batch_size, seed, 1e-3);
    NetworkJob { job, state, steps }
}

fn networks(gpu: &Arc<Gpu>, jobs: &[NetworkJob], how: (Budget, KernelConfig)) -> GpuNetworks {
    let made = GpuNetworks::new(Arc::clone(gpu), jobs.to_vec(), how).block_on().expect("the device works");
    made.expect("one fits")
}

#[test]
fn every_dispatch_agrees_with_f64_for_each_network() {
    let Some(gpu) = device::open(true) else { return };
    for (name, setup) in setups() {
        let jobs = [0, 1, 2].map(|number| network(&setup, number, number > 0));
        for fused in [Override::Always, Override::Never] {
            let how = (Budget { fused, ..gpu.budget() }, KernelConfig::default());
            let mut networks = networks(&gpu, &jobs, how);
            let entries = networks.lockstep(4).block_on().expect("the device works");
            let of_networks = entries.iter().filter(|entry| entry.kernel.contains("networks")).count();
            assert!(of_networks >= 4 * 3, "{name}: {of_networks} dispatches for all networks");
            let worst =
                entries.iter().max_by(|a, b| a.worst.share.total_cmp(&b.worst.share)).expect("dispatches");
            println!("{name}, {fused:?}: {} dispatches, worst {worst:?}", entries.len());
            assert!(worst.worst.passes(), "{name}: {worst:?}");
        }
    }
}

#[test]
fn each_network_is_what_it_is_alone() {
    let Some(gpu) = device::open(false) else { return };
    for (index, (name, setup)) in setups().into_iter().take(5).enumerate() {
        // In an order that all share, for the first of them alone: nothing else differs.
        for own_orders in [false, true].into_iter().filter(|own| *own || index == 0) {
            let jobs: Vec<_> = (0..3).map(|number| network(&setup, number, own_orders)).collect();
            each_is_what_it_is_alone(&gpu, &jobs, (gpu.budget(), KernelConfig::default()), name);
        }
    }
}

#[test]
fn each_network_fused_with_matrices_is_what_it_is_alone() {
    let Some(gpu) = device::open(false) else { return };
    let Some(config) = with_matrices(&gpu) else { return };
    let jobs: Vec<_> = (0..3).map(|number| network(&grid(Interpolation::Linear), number, true)).collect();
    each_is_what_it_is_alone(&gpu, &jobs, (gpu.budget(), config), "a grid");
}

fn each_is_what_it_is_alone(gpu: &Arc<Gpu>, jobs: &[NetworkJob], how: (Budget, KernelConfig), name: &str) {
    let mut together = networks(gpu, jobs, how.clone());
    assert_eq!(together.len(), 3);
    for n_steps in [1, 4, 2] {
        together.advance(n_steps).block_on().expect("the device works");
    }
    let states = together.states().block_on().expect("the device works");
    for (number, (NetworkJob { job, state, steps }, together)) in jobs.iter().zip(states).enumerate() {
        let alone = GpuBackend::with(Arc::clone(gpu), job.clone(), state, how.clone()).block_on();
        let mut alone = alone.expect("fits");
        let steps: Vec<Step> = steps.clone().take(7).collect();
        alone.enqueue(&steps).block_on().expect("the device works");
        let alone = alone.state().block_on().expect("the device works");
        assert!(alone == together, "{name}: network {number} differs");
        assert!(alone.params != state.params, "{name}: nothing was trained");
    }
}

#[test]
fn as_many_as_fit_are_taken() {
    let Some(gpu) = device::open(true) else { return };
    let jobs: Vec<_> = (0..3).map(|number| network(&Setup::small(), number, false)).collect();
    let made = |budget| {
        let how = (budget, KernelConfig::default());
        GpuNetworks::new(Arc::clone(&gpu), jobs.clone(), how).block_on().expect("the device works")
    };
    let len = |budget| made(budget).map(|networks| networks.len());
    assert_eq!(len(gpu.budget()), Some(3));
    assert_eq!(len(Budget { max_groups: 2, ..gpu.budget() }), Some(2));
    // Its picture does not even fit on such a device, and would be sent piece by piece.
    assert_eq!(len(Budget { picture_part_bytes: 64, ..tight() }), None);
    let job: &Job = &jobs[0].job;
    assert!(job.samples.len() > job.batch_size, "steps of two sizes");
}

/// Parts of the portrait: eight of a size, two of another, and a file that is no picture.
fn pictures(folder: &Path) {
    let portrait = image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    let portrait = portrait.expect("the portrait").to_rgb8();
    std::fs::create_dir_all(folder).expect("a folder");
    for i in 0..10 {
        let (width, height) = if i < 8 { (20, 16) } else { (9, 30) };
        let part = image::imageops::crop_imm(&portrait, 100 + 30 * i, 60 + 20 * i, width, height).to_image();
        part.save(folder.join(format!("{i}.png"))).expect("a picture");
    }
    std::fs::write(folder.join("none.png"), "no picture").expect("a file");
}

fn afterimage(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command.args(arguments).args(paths).output().expect("the program starts")
}

#[test]
fn collected_networks_are_those_of_train() {
    if device::open(true).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [from, out] = ["pictures", "out"].map(|name| dir.path().join(name));
    pictures(&from);
    let settings = ["--layers", "3", "--hidden", "24", "--epochs", "12", "--batch", "128", "--seed", "3"];
    let collect =
        [&["collect", "--backend", "gpu", "--seeds", "each", "--preset", "siren"], &settings[..]].concat();
    let output = afterimage(&collect, &[&from, Path::new("--out"), &out]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "one picture is left out: {said}");
    assert!(said.contains("11 networks to train, on a GPU"), "{said}");
    let index = std::fs::read_to_string(out.join("index.jsonl")).expect("an index");
    let rows: Vec<Value> = index.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.iter().filter(|row| row["error"].is_null()).count(), 10);
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row["error"].is_null()).step_by(3) {
        let (picture, run) = (from.join(row["picture"].as_str().expect("a name")), dir.path().join("run"));
        let seed = (3 + place).to_string();
        let train = ["train", "-q", "--force", "--backend", "gpu", "--seed", &seed, "--config"];
        let output = afterimage(&train, &[&out.join("config.toml"), &picture, Path::new("--out"), &run]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let alone = std::fs::read(run.join("model.safetensors")).expect("a model");
        let alone = SafeTensors::deserialize(&alone).expect("tensors");
        let together = std::fs::read(out.join(row["file"].as_str().expect("a file"))).expect("networks");
        let together = SafeTensors::deserialize(&together).expect("tensors");
        let at = row["row"].as_u64().expect("a row") as usize;
        for (name, tensor) in alone.iter() {
            let data = together.tensor(name).expect("the same names");
            let length = tensor.data().len();
            assert!(data.data()[at * length..][..length] == *tensor.data(), "{name} of {row}");
        }
        let manifest = std::fs::read(run.join("run.json")).expect("run.json");
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        let [psnr, of_train] =
            [&row["psnr"], &manifest["psnr_train"]].map(|psnr| psnr.as_f64().expect("decibels"));
        // The one is measured on the CPU, the other on the device.
        assert!((psnr - of_train).abs() < 1e-3, "{psnr} and {of_train}");
    }
}

#[cfg(feature = "faults")]
#[test]
fn neither_a_lost_device_nor_a_wrong_kernel_costs_a_network() {
    if device::open(true).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let from = dir.path().join("pictures");
    pictures(&from);
    std::fs::remove_file(from.join("none.png")).expect("removed");
    let collect = |name: &str, fault: &str| {
        let out = dir.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
        command.args(["collect", "--backend", "gpu", "--preset", "siren", "--layers", "3", "--hidden", "24"]);
        command.args(["--epochs", "12", "--batch", "128", "--out"]).arg(&out).arg(&from);
        let output = command.env(afterimage::environment::FAULT, fault).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{fault}: {said}");
        (std::fs::read(out.join("00000.safetensors")).expect("networks"), said)
    };
    let (undisturbed, said) = collect("undisturbed", "");
    assert!(!said.contains("reopening") && !said.contains("one after the other"), "{said}");
    let lost = collect("lost", "lose-device@5");
    assert!(lost.1.contains("reopening it and beginning these networks again"), "{}", lost.1);
    let wrong = collect("wrong", "break-kernel=finish_step_2.networks.adam");
    assert!(
        wrong.1.contains("one after the other: the kernel finish_step_2.networks.adam computes wrong"),
        "{}",
        wrong.1
    );
    // The index in the file has PSNRs, which a run measures on its device.
    let tensors = |bytes: &[u8]| {
        let start = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
        bytes[start..].to_vec()
    };
    for (bytes, said) in [lost, wrong] {
        assert!(tensors(&bytes) == tensors(&undisturbed), "{said}");
    }
}
