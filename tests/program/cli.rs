//! The program as a user meets it: files written, exit codes, messages for bad input.

#[cfg(unix)]
use crate::running::Running;
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn afterimage() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("afterimage"))
}

fn astronaut() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png")
}

/// A run small enough for a test: 24x16 pixels on the CPU.
fn small_run(out: &Path) -> Command {
    let mut command = afterimage();
    command.arg("train").arg(astronaut()).arg("--out").arg(out);
    command.args(["--backend", "cpu", "--size", "24x16", "--hidden", "16", "--features", "8"]);
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// One sentence on stderr, exit code as given, nothing created.
fn assert_refused(mut command: Command, out: &Path, code: i32, message: &str) {
    let existed = out.exists();
    command.assert().code(code).stderr(contains(message)).stderr(contains("panicked").not());
    assert_eq!(out.exists(), existed, "a refused run created {}", out.display());
}

#[test]
fn a_run_writes_everything() {
    let dir = folder();
    let out = dir.path().join("run");
    small_run(&out)
        .args(["--epochs", "3", "--holdout", "every-other"])
        .assert()
        .success()
        .stdout(contains("dB on held-out pixels (a cubic spline "));
    let manifest = std::fs::read_to_string(out.join("run.json")).expect("written");
    assert!(manifest.contains("\"psnr_spline\""), "{manifest}");
    for file in [
        "config.toml",
        "metrics.csv",
        "epochs/00000.png",
        "epochs/00003.png",
        "final.png",
        "psnr.svg",
        "psnr.png",
        "strip.png",
        "progress.gif",
        "model.safetensors",
        "run.json",
    ] {
        let size_bytes = std::fs::metadata(out.join(file)).unwrap_or_else(|e| panic!("{file}: {e}")).len();
        assert!(size_bytes > 0, "{file} is empty");
    }
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).expect("metrics");
    let lines: Vec<&str> = metrics.lines().collect();
    assert_eq!(lines[0], "epoch,step,seconds,lr,loss,psnr_train,psnr_test");
    assert_eq!(lines.len(), 5, "a header and epochs 0 to 3");
    let last: Vec<f64> = lines[4].split(',').map(|v| v.parse().expect("a number")).collect();
    assert_eq!(last[0], 3.0);
    assert!(last[5] > 5.0 && last[6] > 5.0, "PSNR of both splits: {last:?}");
    let image = image::open(out.join("final.png")).expect("final.png opens");
    assert_eq!((image.width(), image.height()), (24, 16));
}

#[test]
fn its_own_configuration_repeats_a_run() {
    let dir = folder();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    small_run(&first).args(["--epochs", "4", "--batch", "100", "--seed", "9"]).assert().success();
    afterimage()
        .args(["train", "--config"])
        .arg(first.join("config.toml"))
        .arg("--out")
        .arg(&second)
        .assert()
        .success();
    for file in ["model.safetensors", "final.png", "epochs/00002.png", "config.toml"] {
        let read = |run: &Path| std::fs::read(run.join(file)).expect(file);
        assert_eq!(read(&first), read(&second), "{file} differs");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dir = folder();
    let model = |rule: &str, threads: &str| {
        let out = dir.path().join(rule).join(threads);
        let mut command = afterimage();
        command.arg("train").arg(astronaut()).arg("--out").arg(&out);
        command.args(["--backend", "cpu", "--size", "61x47", "--epochs", "2", "--batch", "1500"]);
        command.args(["--hidden", "37", "--optimizer", rule, "--threads", threads]).assert().success();
        std::fs::read(out.join("model.safetensors")).expect("a model")
    };
    for rule in ["adam", "muon"] {
        let one = model(rule, "1");
        assert!(model(rule, "2") == one, "two threads differ from one with {rule}");
        assert!(model(rule, "5") == one, "five threads differ from one with {rule}");
    }
}

#[test]
fn threads_are_a_setting_that_may_change() {
    let dir = folder();
    let out = dir.path().join("run");
    let threads = |args: &[&str]| {
        let mut command = afterimage();
        command.arg("train").args(args).assert().success();
        let config = std::fs::read_to_string(out.join("config.toml")).expect("config.toml");
        config.lines().find(|line| line.starts_with("threads")).map(str::to_owned)
    };
    let (picture, folder) = (astronaut(), out.to_str().expect("UTF-8").to_owned());
    let options = ["--backend", "cpu", "--size", "16x16", "--epochs", "2", "--hidden", "16"];
    let new = [&[picture.to_str().expect("UTF-8"), "--out", &folder, "--force"], &options[..]].concat();
    assert_eq!(threads(&new), None);
    assert_eq!(threads(&[&new[..], &["--threads", "2"]].concat()).as_deref(), Some("threads = 2"));
    let resumed = threads(&["--resume", &folder, "--epochs", "3", "--threads", "0"]);
    assert_eq!(resumed.as_deref(), Some("threads = 0"));
    let config = dir.path().join("c.toml");
    std::fs::write(&config, "[device]\nthreads = 257\n").expect("written");
    let mut refused = afterimage();
    refused.args(["train", &picture.to_string_lossy(), "--config"]).arg(config);
    refused.assert().code(1).stderr(contains("threads is 257: give a number up to 256, or 0 for all cores"));
}

#[test]
fn grey_alpha_and_sixteen_bits_come_back_as_they_were() {
    use image::{ColorType, DynamicImage, ImageBuffer};
    let dir = folder();
    let pictures: [(&str, DynamicImage, ColorType); 4] = [
        (
            "grey",
            DynamicImage::ImageLuma8(ImageBuffer::from_fn(13, 7, |x, y| image::Luma([(x * 9 + y) as u8]))),
            ColorType::L8,
        ),
        (
            "rgba",
            DynamicImage::ImageRgba8(ImageBuffer::from_fn(5, 9, |x, y| {
                image::Rgba([x as u8 * 40, 9, y as u8, 200])
            })),
            ColorType::Rgba8,
        ),
        (
            "deep",
            DynamicImage::ImageRgb16(ImageBuffer::from_fn(6, 6, |x, y| {
                image::Rgb([x as u16 * 9000, 77, y as u16])
            })),
            ColorType::Rgb16,
        ),
        (
            "one",
            DynamicImage::ImageRgb8(ImageBuffer::from_fn(1, 1, |_, _| image::Rgb([200, 100, 50]))),
            ColorType::Rgb8,
        ),
    ];
    for (name, picture, color) in pictures {
        let file = dir.path().join(format!("{name}.png"));
        picture.save(&file).expect("saved");
        let out = dir.path().join(name);
        let mut command = afterimage();
        command.arg("train").arg(&file).arg("--out").arg(&out);
        command.args(["--backend", "cpu", "--epochs", "2", "--hidden", "8"]).assert().success();
        let result = image::open(out.join("final.png")).expect("final.png opens");
        assert_eq!(result.color(), color, "{name}");
        assert_eq!((result.width(), result.height()), (picture.width(), picture.height()), "{name}");
    }
}

#[test]
fn bad_pictures_are_refused() {
    let dir = folder();
    let out = dir.path().join("run");
    let train = |file: &Path| {
        let mut command = afterimage();
        command.arg("train").arg(file).args(["--backend", "cpu", "--out"]).arg(&out);
        command
    };
    assert_refused(train(Path::new("no/such/picture.png")), &out, 1, "no/such/picture.png");
    let text = dir.path().join("text.png");
    std::fs::write(&text, "this is no picture").expect("written");
    assert_refused(train(&text), &out, 1, "not a picture");
    let cut = dir.path().join("cut.png");
    let whole = std::fs::read(astronaut()).expect("the asset");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    assert_refused(train(&cut), &out, 1, "damaged or cut short");
    let empty = dir.path().join("empty.png");
    std::fs::write(&empty, "").expect("written");
    assert_refused(train(&empty), &out, 1, "empty.png");
}

#[test]
fn bad_settings_are_refused() {
    let dir = folder();
    let out = dir.path().join("run");
    for (options, code, message) in [
        (&["--lr", "nan"][..], 1, "lr is NaN"),
        (&["--lr", "-1"], 1, "lr is -1"),
        (&["--lr", "1e300"], 1, "lr is 1e300"),
        (&["--weight-decay", "1e30"], 1, "weight-decay is 1e30"),
        (&["--threads", "100000"], 2, "0..=256"),
        (&["--epochs", "-1"], 2, "-1"),
        (&["--batch", "0"], 2, "from 1"),
        (&["--layers", "1"], 1, "layers is 1"),
        (&["--hidden", "1000000"], 1, "GiB"),
        (&["--hidden", "100000000"], 1, "hidden is 100000000"),
        (&["--hidden", "0"], 1, "hidden is 0"),
        (&["--features", "0"], 1, "features is 0"),
        (&["--sigma", "inf"], 1, "sigma is inf"),
        (&["--sigma", "-1"], 1, "sigma is -1"),
        (&["--size", "0x5"], 2, "256x256"),
        (&["--size", "99999999x99999999"], 1, "size is 99999999x99999999"),
        (&["--momentum", "0.9"], 1, "only --optimizer sgd"),
        (&["--snapshot-every", "0"], 2, "snapshot-every"),
    ] {
        let mut command = small_run(&out);
        // A later option replaces none of the earlier ones: clap refuses repeats.
        command = if options[0] == "--hidden" || options[0] == "--features" || options[0] == "--size" {
            let mut fresh = afterimage();
            fresh.arg("train").arg(astronaut()).args(["--backend", "cpu", "--out"]).arg(&out);
            fresh
        } else {
            command
        };
        command.args(options);
        assert_refused(command, &out, code, message);
    }
}

#[test]
fn bad_configurations_are_refused() {
    let dir = folder();
    let out = dir.path().join("run");
    for (text, message) in [
        ("[training]\nlearning_rate = 1.0\n", "line 2: unknown field `learning_rate`"),
        ("[training]\nbatch = 0\n", "from 1"),
        ("[training]\nlr = \"high\"\n", "line 2: invalid type: string \"high\", expected a number"),
        ("[network]\nhidden = -3\n", "expected a whole number, 0 or more"),
        ("[network]\nactivation = \"tan\"\n", "unknown variant `tan`"),
        ("[output]\ncheckpoint_every = 0\n", "30s"),
        ("no toml at all", "line 1"),
    ] {
        let file = dir.path().join("run.toml");
        std::fs::write(&file, text).expect("written");
        let mut command = small_run(&out);
        command.arg("--config").arg(&file);
        assert_refused(command, &out, 1, message);
    }
    let mut command = small_run(&out);
    command.args(["--config", "no/such.toml"]);
    assert_refused(command, &out, 1, "no/such.toml");
}

#[test]
fn every_preset_can_be_run() {
    let dir = folder();
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/presets");
    let mut n_presets = 0;
    for preset in std::fs::read_dir(presets).expect("presets").flatten() {
        let out = dir.path().join(preset.file_name());
        let mut command = afterimage();
        command.arg("train").arg(astronaut()).arg("--config").arg(preset.path()).arg("--out").arg(&out);
        command.args(["--backend", "cpu", "--size", "16x16", "--epochs", "1"]).assert().success();
        n_presets += 1;
    }
    assert!(n_presets >= 3);
}

#[test]
fn existing_folders_are_kept() {
    let dir = folder();
    let out = dir.path().join("run");
    small_run(&out).args(["--epochs", "1"]).assert().success();
    let before = std::fs::read(out.join("model.safetensors")).expect("a model");
    let mut again = small_run(&out);
    again.args(["--epochs", "2"]);
    assert_refused(again, &out, 1, "--force");
    assert_eq!(std::fs::read(out.join("model.safetensors")).expect("a model"), before);
    std::fs::write(out.join("mine.txt"), "mine").expect("written");
    small_run(&out).args(["--epochs", "0", "--force"]).assert().success();
    assert!(out.join("mine.txt").exists(), "--force removed a file that is not the run's");
    assert!(!out.join("epochs/00001.png").exists(), "--force kept a picture of the old run");

    let other = dir.path().join("other");
    std::fs::create_dir(&other).expect("created");
    std::fs::write(other.join("diary.txt"), "private").expect("written");
    let mut command = small_run(&other);
    command.arg("--force");
    assert_refused(command, &other, 1, "holds no run");
    assert!(other.join("diary.txt").exists());
    let mut command = small_run(&other.join("diary.txt"));
    command.arg("--force");
    assert_refused(command, &other, 1, "a file is in the way");
}

#[test]
fn divergence_is_explained_and_leaves_the_last_good_state() {
    let dir = folder();
    let out = dir.path().join("run");
    small_run(&out)
        .args(["--optimizer", "sgd", "--weight-decay", "1e4", "--lr", "100", "--epochs", "50"])
        .assert()
        .code(1)
        .stderr(contains("half the learning rate").and(contains("diverged")).and(contains("--lr")));
    for file in ["model.safetensors", "final.png", "strip.png", "run.json"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).expect("metrics");
    assert!(!metrics.contains("NaN") && !metrics.contains("inf"), "{metrics}");
    let model = afterimage::model_file::ModelFile::load(&out.join("model.safetensors")).expect("a model");
    assert!(model.params.iter().all(|w| w.is_finite()));
}

#[test]
fn settings_without_effect_are_pointed_out() {
    let dir = folder();
    let out = dir.path().join("run");
    small_run(&out)
        .args(["--encoding", "none", "--epochs", "0"])
        .assert()
        .success()
        .stderr(contains("features has no effect"));
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_listening_does_not_end_a_run() {
    let dir = folder();
    let out = dir.path().join("run");
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    child.arg("train").arg(astronaut()).arg("--out").arg(&out).args(["--backend", "cpu", "--size", "8x8"]);
    let status = child.args(["--epochs", "3"]).stdout(full()).stderr(full()).status().expect("starts");
    assert_eq!(status.code(), Some(1));
    assert!(out.join("run.json").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_everything_and_exits_130() {
    let dir = folder();
    let out = dir.path().join("run");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command
        .arg("train")
        .arg(astronaut())
        .arg("--out")
        .arg(&out)
        .args(["--backend", "cpu", "--size", "64x64", "--epochs", "1000000", "--snapshot-every", "100000"])
        .stderr(std::process::Stdio::null());
    let mut child = Running::start(&mut command);
    let metrics = out.join("metrics.csv");
    let rows = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    child.wait_until("training began", || rows() > 3);
    child.send("-INT");
    let status = child.output().status;
    assert_eq!(status.code(), Some(130));
    for file in ["final.png", "model.safetensors", "psnr.svg", "strip.png", "run.json"] {
        assert!(out.join(file).exists(), "{file} is missing after Ctrl-C");
    }
    let manifest = std::fs::read_to_string(out.join("run.json")).expect("run.json");
    assert!(manifest.contains("\"complete\": false"), "{manifest}");
}
