//! `afterimage train`: one picture, one network, one run folder.

use super::display::{self, TrainingDisplay};
use afterimage::backend;
use afterimage::config::{
    BackendChoice, BatchSize, Config, DeviceConfig, EncodingConfig, EncodingKind, NetworkConfig,
    OptimizerKind, OutputConfig, PictureConfig, PictureSize, TrainingConfig,
};
use afterimage::model::{Coords, Holdout, Init, Loss, Schedule};
use afterimage::picture::{self, Picture};
use afterimage::run::{Recorder, Results, RunFolder, Timings};
use afterimage::trainer::{Outcome, Position, Trainer};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  afterimage train assets/astronaut.png
  afterimage train photo.jpg --size 512x512 --epochs 100 --out runs/photo
  afterimage train photo.jpg --holdout every-other --sigma 10   # PSNR on pixels it never saw
  afterimage train --config runs/photo/config.toml --out runs/again";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrainArgs {
    /// The picture: PNG, JPEG, WebP, TIFF, BMP, GIF, PNM, QOI, HDR or EXR
    image: Option<PathBuf>,
    /// Folder for everything the run writes [default: runs/NAME-OF-THE-PICTURE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the run that is in the folder
    #[arg(long)]
    force: bool,
    /// Settings from a TOML file; options given beside it win
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more about what is chosen; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Where to run [default: auto]
    #[arg(long, help_heading = "Device")]
    backend: Option<BackendChoice>,
    /// GPU adapter by part of its name or by its number in `afterimage adapters`
    #[arg(long, value_name = "NAME|INDEX", help_heading = "Device")]
    adapter: Option<String>,
    /// Threads of the CPU backend [default: all cores]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, help_heading = "Device")]
    threads: usize,

    /// Resize the picture first, WIDTHxHEIGHT or `native` [default: native]
    #[arg(long, value_name = "WxH", help_heading = "Picture")]
    size: Option<PictureSize>,
    /// Pixels kept from training and measured as the test split [default: none]
    #[arg(long, help_heading = "Picture")]
    holdout: Option<Holdout>,
    /// Where pixels lie in the plane [default: center]
    #[arg(long, help_heading = "Picture")]
    coords: Option<Coords>,

    /// How a position becomes features [default: gaussian]
    #[arg(long, help_heading = "Network")]
    encoding: Option<EncodingKind>,
    /// Standard deviation of the Gaussian frequencies, in cycles per longer side; for positional,
    /// log2 of the highest frequency
    #[arg(long, value_name = "F", help_heading = "Network")]
    sigma: Option<f32>,
    /// Number of frequencies M; the first layer sees 2M inputs
    #[arg(long, value_name = "M", help_heading = "Network")]
    features: Option<usize>,
    /// Units of each hidden layer
    #[arg(long, value_name = "H", help_heading = "Network")]
    hidden: Option<usize>,
    /// Linear layers, at least 2
    #[arg(long, value_name = "L", help_heading = "Network")]
    layers: Option<usize>,
    /// Between the layers: relu or sine
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    activation: Option<String>,
    /// Angular frequency of sine [default: 30]
    #[arg(long, value_name = "F", help_heading = "Network")]
    w0: Option<f32>,
    /// How initial weights are drawn
    #[arg(long, help_heading = "Network")]
    init: Option<Init>,

    /// Passes over the training pixels; 0 writes the untrained network
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    epochs: Option<u64>,
    /// Samples a step, or `full`
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<BatchSize>,
    /// What is minimised [default: mse]
    #[arg(long, help_heading = "Training")]
    loss: Option<Loss>,
    /// The update rule [default: adam]
    #[arg(long, help_heading = "Training")]
    optimizer: Option<OptimizerKind>,
    /// Learning rate of the first step
    #[arg(long, value_name = "F", help_heading = "Training", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// How the learning rate moves over the run [default: cosine]
    #[arg(long, help_heading = "Training")]
    schedule: Option<Schedule>,
    /// Momentum of SGD [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Decoupled weight decay for Adam, L2 penalty for SGD [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Frequencies, initial weights and sample order follow from it [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Epochs between pictures [default: 1]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    snapshot_every: Option<u64>,
}

impl TrainArgs {
    pub(super) fn log_level(&self) -> &'static str {
        match self.verbose {
            _ if self.quiet => "error",
            0 => "warn",
            1 => "info",
            _ => "debug",
        }
    }

    /// What was typed, as a configuration with everything else open.
    fn to_config(&self) -> Config {
        Config {
            picture: PictureConfig {
                file: self.image.clone(),
                size: self.size,
                holdout: self.holdout,
                coords: self.coords,
            },
            encoding: EncodingConfig { kind: self.encoding, features: self.features, sigma: self.sigma },
            network: NetworkConfig {
                hidden: self.hidden,
                layers: self.layers,
                activation: self.activation.clone(),
                w0: self.w0,
                output: None,
                init: self.init,
            },
            training: TrainingConfig {
                epochs: self.epochs,
                batch: self.batch,
                loss: self.loss,
                optimizer: self.optimizer,
                lr: self.lr,
                schedule: self.schedule,
                momentum: self.momentum,
                weight_decay: self.weight_decay,
                seed: self.seed,
                ..TrainingConfig::default()
            },
            output: OutputConfig { snapshot_every: self.snapshot_every },
            device: DeviceConfig { backend: self.backend, adapter: self.adapter.clone() },
        }
    }
}

pub(super) fn run(args: TrainArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let base = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let mut config = args.to_config().or(base);
    config.check()?;
    let file =
        config.picture.file.clone().context("which picture? give one, or --config with a picture in it")?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&file));
    RunFolder::check(&out, args.force)?;
    let picture = load(&file, config.picture.size)?;
    // Absolute, so that the configuration repeats the run from any folder.
    config.picture.file = Some(std::path::absolute(&file)?);
    let run = config.resolve(&picture)?;
    let opened =
        backend::open(&config.device, args.threads, run.job(Arc::clone(&picture)), &run.initial_params())?;
    if let Some(note) = opened.note.filter(|_| !args.quiet) {
        eprintln!("{note}");
    }
    let mut backend = opened.backend;
    display::handle_ctrl_c()?;
    let folder = RunFolder::create(&out, args.force)?;
    std::fs::write(folder.file("config.toml"), run.config.to_toml())
        .with_context(|| format!("cannot write {}", folder.file("config.toml").display()))?;

    let startup_seconds = start.elapsed().as_secs_f64();
    let mut display = TrainingDisplay::new(args.quiet);
    let mut recorder = Recorder::create(&folder, run.epochs, &mut display)?;
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    let outcome = trainer.run(&mut recorder);
    let (metrics, snapshots) = recorder.finish()?;
    let outcome = outcome.inspect_err(|_| display.close())?;
    let evaluation = trainer.evaluate(true)?;
    display.close();
    let timings = Timings {
        startup_seconds,
        training_seconds: outcome.position.seconds,
        samples_per_second: display.samples() as f64 / outcome.position.seconds.max(1e-9),
    };
    let results = Results {
        folder: &folder,
        run: &run,
        picture: &picture,
        evaluation,
        metrics: &metrics,
        snapshots: &snapshots,
        outcome: &outcome,
        timings,
    };
    results.write(backend.as_mut())?;
    if !args.quiet {
        summarise(&results);
    }
    Ok(if outcome.complete { ExitCode::SUCCESS } else { ExitCode::from(display::INTERRUPTED) })
}

/// A few lines about what came out and where it lies.
fn summarise(results: &Results) {
    let Outcome { position, complete, step } = results.outcome;
    let folder = results.folder.path().display();
    let test = match results.evaluation.test.count {
        0 => String::new(),
        _ => format!(", {:.2} dB on the pixels it never saw", results.evaluation.test.psnr()),
    };
    let done = if *complete { "done" } else { "stopped" };
    println!(
        "{done}: {:.2} dB{test} after {} epochs ({step} steps) in {:.1} s",
        results.evaluation.train.psnr(),
        position.epochs_done,
        position.seconds,
    );
    println!("  {folder}/final.png          the picture as the network remembers it");
    println!("  {folder}/strip.png          beside the original; progress.gif shows how it came");
    println!("  {folder}/psnr.svg           quality over time; metrics.csv has the numbers");
    println!("  {folder}/model.safetensors  the network; config.toml repeats the run");
}

/// `runs/<stem of the picture>`.
fn default_folder(file: &Path) -> PathBuf {
    Path::new("runs").join(file.file_stem().unwrap_or(file.as_os_str()))
}

/// The picture at its training size.
fn load(file: &Path, size: Option<PictureSize>) -> anyhow::Result<Arc<Picture>> {
    let picture = picture::load(file)?;
    Ok(Arc::new(match size {
        Some(PictureSize::Pixels(width, height)) => picture::resize(&picture, width.get(), height.get()),
        Some(PictureSize::Native) | None => picture,
    }))
}
