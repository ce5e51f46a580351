//! The hash grid: what it computes, from its definition; threads, resuming and settings through the
//! program.

use crate::program;

use afterimage::backend::{Job, JobOptions, cpu};
use afterimage::model::encoding::grid::HASH_PRIME;
use afterimage::model::{
    Activation, Coords, Encoding, GridSpec, HashGrid, Holdout, Init, Interpolation, Loss, Mlp, Model,
    Optimizer, Raster, SampleSet, Shuffle, Step,
};
use afterimage::picture::{Picture, Pixels};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use program::{program, resume};
use std::path::Path;
use std::sync::Arc;

fn grid(features_per_level: usize, interpolation: Interpolation) -> HashGrid {
    HashGrid::new(GridSpec {
        n_levels: 4,
        features_per_level,
        log2_table: Some(8),
        base_resolution: 6,
        growth: 1.8,
        interpolation,
    })
}

fn table(grid: &HashGrid) -> Vec<f64> {
    (0..grid.n_params()).map(|i| (i as f64 * 0.7).sin()).collect()
}

/// Feature `f` of level `l` at (x, y), as the paper's section 3 has it, half a cell further on.
fn by_definition(grid: &HashGrid, table: &[f64], (l, f): (usize, usize), position: [f64; 2]) -> f64 {
    let level = grid.levels[l];
    let side = u64::from(level.resolution) + 2;
    let value = |x: u64, y: u64| {
        let hash = (x as u32 ^ (y as u32).wrapping_mul(HASH_PRIME)) % level.n_entries as u32;
        let entry = if side * side > level.n_entries as u64 { u64::from(hash) } else { y * side + x };
        table[(level.first_entry + entry as usize) * grid.features_per_level + f]
    };
    let [(x, s), (y, t)] = position.map(|c| {
        let p = (c * f64::from(level.resolution) + 0.5).clamp(0.0, (side - 1) as f64);
        let cell = p.floor().min((side - 2) as f64);
        let t = p - cell;
        let weight = if grid.interpolation == Interpolation::Linear { t } else { t * t * (3.0 - 2.0 * t) };
        (cell as u64, weight)
    });
    let lerp = |a: f64, b: f64, t: f64| a + t * (b - a);
    lerp(lerp(value(x, y), value(x + 1, y), s), lerp(value(x, y + 1), value(x + 1, y + 1), s), t)
}

#[test]
fn features_are_those_of_the_definition() {
    for interpolation in [Interpolation::Linear, Interpolation::Smoothstep] {
        for features_per_level in [1, 2, 4, 8] {
            let grid = grid(features_per_level, interpolation);
            assert!(grid.levels.iter().any(|l| l.is_hashed()) && !grid.levels[0].is_hashed());
            let table = table(&grid);
            // Within the unit square, on its border and beyond; more than are located at a time.
            let coords: Vec<f64> =
                (0..2 * 301).map(|i| f64::from(i * 377 % 602) / 500.0 - 0.1).chain([0.0, 1.0]).collect();
            let mut features = vec![f64::NAN; coords.len() / 2 * grid.output_width()];
            cpu::grid::encode(&grid, &table, &coords, &mut features);
            for (c, row) in coords.chunks_exact(2).zip(features.chunks_exact(grid.output_width())) {
                for (column, &got) in row.iter().enumerate() {
                    let of = (column / features_per_level, column % features_per_level);
                    let want = by_definition(&grid, &table, of, [c[0], c[1]]);
                    assert!((got - want).abs() < 1e-12, "{of:?} at {c:?}: {got}, not {want}");
                }
            }
        }
    }
}

#[test]
fn pixels_of_a_picture_as_fine_as_a_level_are_its_vertices() {
    let spec = GridSpec {
        n_levels: 1,
        features_per_level: 1,
        log2_table: None,
        base_resolution: 8,
        growth: 1.0,
        interpolation: Interpolation::Linear,
    };
    let grid = HashGrid::new(spec);
    let table = table(&grid);
    let feature = |raster: &Raster, x, y| {
        let coords = raster.position(x, y).map(f64::from);
        let mut out = [0.0];
        cpu::grid::encode(&grid, &table, &coords, &mut out);
        out[0]
    };
    let own = Raster::new(8, 8, Coords::Center);
    for (x, y) in [(0, 0), (7, 7), (3, 5)] {
        assert_eq!(feature(&own, x, y), table[(y as usize + 1) * 10 + x as usize + 1]);
    }
    // At three times the size, the middle one of three pixels is where the one was.
    let larger = Raster::new(24, 24, Coords::Center);
    assert!((feature(&larger, 10, 16) - feature(&own, 3, 5)).abs() < 1e-6);
}

/// A small run on a grid whose finer levels are hashed.
fn train(out: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.arg("--out").arg(out).args(["--schedule", "constant", "--backend", "cpu"]);
    command.args(["--hidden", "16"]).args(options);
    if !options.contains(&"--encoding") {
        command.args(["--encoding", "hash-grid"]);
        if !options.contains(&"--log2-table") {
            command.args(["--log2-table", "8"]);
        }
    }
    command
}

fn model(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("model.safetensors")).expect("a model")
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    // A step of 36,000 samples takes more than one round.
    let run = |threads: &str| {
        let out = dir.path().join(threads);
        let options = ["--size", "200x180", "--batch", "full", "--epochs", "3", "--threads", threads];
        train(&out, &options).assert().success();
        model(&out)
    };
    let one = run("1");
    assert!(run("2") == one, "two threads differ from one");
    assert!(run("5") == one, "five threads differ from one");
}

/// A small network on a grid and a grey picture.
fn job(width: u32, height: u32) -> Job {
    let pixels = (0..width * height).map(|i| (i * 97 % 251) as u8).collect();
    let picture = Arc::new(Picture { width, height, channels: 1, pixels: Pixels::U8(pixels) });
    let grid = grid(2, Interpolation::Linear);
    let network = Mlp {
        input_width: grid.output_width(),
        hidden_width: 5,
        output_width: 1,
        n_layers: 2,
        activation: Activation::Sigmoid,
        output_activation: Activation::Sigmoid,
    };
    let model = Model { encoding: Encoding::Grid(grid), network };
    Job {
        raster: picture.raster(Coords::Center),
        samples: SampleSet { width, height, holdout: Holdout::None, masked: None },
        picture,
        loss: Loss::Mse,
        optimizer: Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 },
        batch_size: width * height,
        options: JobOptions::default(),
        model,
    }
}

#[test]
fn a_step_of_several_rounds_has_the_gradients_of_its_parts() {
    let job = job(200, 180);
    let params: Vec<f64> = Init::HeNormal.draw(&job.model, 1).iter().map(|&w| f64::from(w)).collect();
    let mut trainer = cpu::CpuTrainer::<f64>::new(job.clone(), &params, 2).expect("threads start");
    let mut gradients = |first_sample, n_samples| {
        let step = Step {
            index: 0,
            shuffle: Shuffle::new(36_000, 0, 0),
            first_sample,
            n_samples,
            lr: 1.0,
            importance: None,
        };
        trainer.loss_and_gradients(&step).1
    };
    // 36,000 samples are 141 chunks, more than the two of each of 64 lanes.
    let whole = gradients(0, 36_000);
    let parts: Vec<_> = (0..12).map(|part| gradients(part * 3000, 3000)).collect();
    let largest = whole.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    for (i, &g) in whole.iter().enumerate() {
        let mean = parts.iter().map(|part| part[i]).sum::<f64>() / 12.0;
        assert!((g - mean).abs() <= 1e-12 * largest, "gradient {i} is {g}, of parts {mean}");
    }
}

#[test]
fn steps_of_a_single_sample_train_the_grid() {
    let job = job(3, 3);
    let params = Init::HeNormal.draw(&job.model, 1);
    let step = Step {
        index: 0,
        shuffle: Shuffle::new(9, 0, 0),
        first_sample: 4,
        n_samples: 1,
        lr: 1.0,
        importance: None,
    };
    let mut trainer = cpu::CpuTrainer::<f32>::new(job.clone(), &params, 1).expect("threads start");
    let (_, gradients) = trainer.loss_and_gradients(&step);
    trainer.step(&step);
    let encoding = job.model.layout().encoding;
    let moved = encoding.clone().filter(|&i| trainer.params()[i] != params[i]).count();
    // Four vertices of two features on each of four levels, but for those that share an entry.
    assert!((17..=32).contains(&moved), "{moved} entries moved");
    for i in encoding {
        assert_eq!(trainer.params()[i], params[i] - gradients[i]);
    }
}

#[test]
fn a_run_goes_on_to_the_same_bits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let small = ["--size", "61x47", "--batch", "1100"];
    train(&whole, &[&small[..], &["--epochs", "6"]].concat()).assert().success();
    train(&parts, &[&small[..], &["--epochs", "2"]].concat()).assert().success();
    assert!(model(&whole) != model(&parts));
    resume(&parts).args(["--epochs", "6"]).assert().success();
    assert!(model(&whole) == model(&parts), "six epochs differ from two and four");
}

#[test]
fn a_model_renders_and_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    train(&out, &["--size", "61x47", "--epochs", "2"]).assert().success();
    let render = |size: &str| {
        let file = dir.path().join(format!("{size}.png"));
        let mut command = assert_cmd::Command::new(program());
        command.arg("render").arg(out.join("model.safetensors")).args(["--size", size, "--backend", "cpu"]);
        command.arg("--out").arg(&file).assert().success();
        image::open(file).expect("a picture").to_rgb8()
    };
    let (small, large) = (render("61x47"), render("183x141"));
    assert_eq!(small, image::open(out.join("final.png")).expect("a picture").to_rgb8());
    // At three times the size, the middle one of nine pixels is where the one was.
    for (x, y, pixel) in small.enumerate_pixels() {
        let middle = large.get_pixel(3 * x + 1, 3 * y + 1);
        assert!(pixel.0.iter().zip(middle.0).all(|(&a, b)| a.abs_diff(b) <= 1), "pixel {x}, {y}");
    }
    let mut inspect = assert_cmd::Command::new(program());
    inspect.arg("inspect").arg(out.join("model.safetensors"));
    inspect.assert().success().stdout(contains("a grid of 16 levels").and(contains("16 to 61 cells across")));
}

#[test]
fn the_settings_it_chose_are_written_and_repeat_the_run() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    train(&first, &["--size", "61x47", "--epochs", "1"]).assert().success();
    let config = std::fs::read_to_string(first.join("config.toml")).expect("config.toml");
    for line in ["kind = \"hash-grid\"", "levels = 16", "log2_table = 8", "interpolation = \"linear\""] {
        assert!(config.contains(line), "{line} in {config}");
    }
    let mut again = assert_cmd::Command::new(program());
    again.args(["train", "-q", "--config"]).arg(first.join("config.toml")).arg("--out").arg(&second);
    again.assert().success();
    assert!(model(&first) == model(&second));
}

#[test]
fn bad_settings_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    for (options, message) in [
        (&["--levels", "0"][..], "levels is 0: give 1 to 32"),
        (&["--levels", "33"], "levels is 33"),
        (&["--features-per-level", "3"], "features-per-level is 3: give 1, 2, 4 or 8"),
        (&["--log2-table", "0"], "log2-table is 0"),
        (&["--log2-table", "40"], "log2-table is 40: it is the power of two"),
        (&["--base-resolution", "0"], "base-resolution is 0"),
        (&["--base-resolution", "4000000000"], "base-resolution is 4000000000"),
        (&["--growth", "0.99"], "growth is 0.99: give a factor from 1"),
        (&["--growth", "nan"], "growth is NaN"),
        (&["--growth", "4"], "the finest level would have"),
        (&["--encoding", "dense-grid", "--growth", "1.9"], "weights"),
    ] {
        train(&out, options).assert().code(1).stderr(contains(message));
        assert!(!out.exists(), "{options:?} left a run folder");
    }
    let unused = ["--encoding", "none", "--levels", "3", "--epochs", "0", "--size", "9x9"];
    train(&out, &unused).assert().success().stderr(contains("levels has no effect"));
}
