//! `--sigma auto` and `--tune`: the value is chosen per picture, and is about the best there is.

use afterimage::backend;
use afterimage::block_on;
use afterimage::config::{Config, Scale, Sigma};
use afterimage::picture::{self, Picture, Pixels};
use afterimage::trainer::{Position, Trainer};
use afterimage::tune::{ScaleTrial, Watch, choose_scale};
use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SIDE: u32 = 96;

struct Silent;

impl Watch for Silent {
    fn trial(&mut self, _: Scale, _: &ScaleTrial) {}
    fn stop_requested(&self) -> bool {
        false
    }
}

fn astronaut() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png")
}

fn drawn(colour: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let pixels = (0..SIDE * SIDE).flat_map(|i| colour(i % SIDE, i / SIDE)).collect();
    Picture { width: SIDE, height: SIDE, channels: 3, pixels: Pixels::U8(pixels) }
}

/// A photograph, letter-like strokes, a smooth gradient, noise.
fn pictures() -> [(&'static str, Picture); 4] {
    let photograph = picture::load(&astronaut()).expect("the portrait");
    let strokes = drawn(|x, y| {
        let ink = (y / 4) % 3 != 2 && ((x / 3 + 5 * (y / 12)) % 4 == 0 || (y % 12 < 3 && x % 11 < 7));
        [if ink { 20 } else { 245 }; 3]
    });
    let gradient = drawn(|x, y| [x as u8 * 2, y as u8 * 2, (x + y) as u8]);
    let noise = drawn(|x, y| {
        let mut h = (x * 7919 + y * 104_729).wrapping_mul(0x9e37_79b9);
        h ^= h >> 15;
        h = h.wrapping_mul(0x85eb_ca6b);
        [(h >> 8) as u8, (h >> 16) as u8, (h >> 24) as u8]
    });
    [
        ("photograph", picture::resize(&photograph, SIDE, SIDE)),
        ("strokes", strokes),
        ("gradient", gradient),
        ("noise", noise),
    ]
}

/// Test PSNR in dB of a whole run with this value.
fn test_psnr(config: &Config, picture: &Arc<Picture>, scale: Scale, value: f32) -> f64 {
    let mut config = config.clone();
    scale.set(&mut config, Some(value));
    config.output.measure_every = Some(u64::MAX);
    config.output.snapshot_every = Some(u64::MAX);
    let run = config.resolve(picture, None).expect("resolved");
    let job = run.job(Arc::clone(picture));
    let opened = block_on(backend::open(&run.device, job, || run.initial_params()));
    let mut backend = opened.expect("the CPU").backend;
    let mut trainer = Trainer::new(&run, picture, backend.as_mut(), Position::default());
    block_on(trainer.run(&mut ())).expect("trained");
    block_on(trainer.evaluate(false)).expect("measured").psnr_test().expect("a test split")
}

/// The choice is within 0.3 dB of the best of a fine grid, in whole runs with these settings.
fn check(scale: Scale, settings: &str, grid: &[f32]) {
    let common = "picture.holdout = 'every-other'\ntraining.batch = 256\ndevice.backend = 'cpu'";
    let config = Config::parse(&format!("{common}\n{settings}")).expect("a configuration");
    assert_eq!(config.open_scale(), Some(scale));
    for (name, picture) in pictures() {
        let picture = Arc::new(picture);
        let mut fixed = config.clone();
        scale.set(&mut fixed, None);
        let device = fixed.resolve(&picture, None).expect("resolved").device;
        let choice = block_on(choose_scale(scale, &config, (&picture, None), &device, &mut Silent));
        let choice = choice.expect("chosen");
        let chosen = test_psnr(&config, &picture, scale, choice.value);
        let results: Vec<_> =
            grid.iter().map(|&value| (value, test_psnr(&config, &picture, scale, value))).collect();
        let best = results.iter().map(|r| r.1).fold(f64::MIN, f64::max);
        println!(
            "{name}: {chosen:.2} dB at {:.2}, cost {:.2}, best {best:.2}: {results:.2?}",
            choice.value, choice.cost
        );
        assert!(chosen > best - 0.3, "{name}: {chosen:.2} dB with {}, {results:.2?}", choice.value);
    }
}

#[test]
fn sigma_is_about_the_best_there_is() {
    let settings = "encoding = { features = 32, sigma = 'auto' }\nnetwork.hidden = 32\ntraining.epochs = 70";
    check(Scale::Sigma, settings, &[0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0]);
}

#[test]
fn w0_is_about_the_best_there_is() {
    let settings = "encoding.kind = 'none'\nnetwork = { activation = 'sine', hidden = 48 }\n\
                    training.epochs = 70\ntraining.tune = true\ntraining.lr = 1e-3";
    check(Scale::W0, settings, &[4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0, 90.0]);
}

fn train(out: &Path, sigma: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command.arg("train").arg(astronaut()).arg("--out").arg(out).args(["--backend", "cpu", "--size", "32x32"]);
    command.args(["--hidden", "16", "--features", "16", "--epochs", "30", "--sigma", sigma]);
    command
}

#[test]
fn the_choice_is_told_and_written_down() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let read =
        |run: &str, file: &str| std::fs::read_to_string(dir.path().join(run).join(file)).expect("a file");
    for run in ["one", "two"] {
        train(&dir.path().join(run), "auto").assert().success().stderr(contains("chosen on held-out pixels"));
    }
    let config = Config::parse(&read("one", "config.toml")).expect("a configuration");
    assert!(matches!(config.encoding.sigma, Some(Sigma::Fixed(sigma)) if sigma > 0.1 && sigma < 20.0));
    assert!(read("one", "sigma.csv").lines().count() > 8, "a line a trial");
    for file in ["sigma.csv", "config.toml"] {
        assert_eq!(read("one", file), read("two", file), "{file} differs between two runs");
    }
    let mut again = train(&dir.path().join("one"), "3");
    again.arg("--force").assert().success();
    assert!(!dir.path().join("one/sigma.csv").exists(), "trials of an earlier run are left");
}

#[test]
fn tune_chooses_what_the_network_has() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let tune = |run: &str, options: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
        command.arg("train").arg(astronaut()).arg("--out").arg(dir.path().join(run));
        command.args(["--backend", "cpu", "--size", "32x32", "--hidden", "16", "--epochs", "30", "--tune"]);
        command.args(options).assert().success()
    };
    let read = |file: &str| std::fs::read_to_string(dir.path().join(file)).unwrap_or_default();
    tune("sines", &["--encoding", "none", "--activation", "sine"])
        .stderr(contains("w0 ").and(contains("chosen on held-out pixels")));
    let config = Config::parse(&read("sines/config.toml")).expect("a configuration");
    assert!(config.network.w0.is_some_and(|w0| w0 != 30.0) && config.training.tune.is_none());
    assert!(read("sines/w0.csv").lines().count() > 3, "a line a trial");
    tune("gaussian", &["--encoding", "gaussian"]).stderr(contains("sigma "));
    assert!(read("gaussian/sigma.csv").lines().count() > 3, "a line a trial");
    tune("grid", &[]).stderr(contains("tune has no effect without Gaussian features and without sines"));
    tune("fixed", &["--encoding", "none", "--activation", "sine", "--w0", "9"])
        .stderr(contains("tune has no effect where w0 is given"));
    assert!(!dir.path().join("fixed/w0.csv").exists());
}

#[test]
fn only_gaussian_features_have_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let mut command = train(&out, "auto");
    command.args(["--encoding", "positional"]).assert().code(1).stderr(contains("give a number"));
    assert!(!out.exists(), "a refused run created its folder");
}
