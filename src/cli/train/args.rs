//! What may be typed after `afterimage train`.

use afterimage::config::{
    ActivationKind, BackendChoice, BatchSize, CheckpointEvery, Config, DeviceConfig, EncodingConfig,
    EncodingKind, NetworkConfig, OptimizerKind, OutputConfig, PictureConfig, PictureSize, TrainingConfig,
};
use afterimage::model::{Coords, Holdout, Init, Loss, Schedule};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  afterimage train assets/astronaut.png
  afterimage train photo.jpg --size 512x512 --epochs 100 --out runs/photo
  afterimage train photo.jpg --holdout every-other --sigma 10   # PSNR on pixels it never saw
  afterimage train --config runs/photo/config.toml --out runs/again
  afterimage train --resume runs/photo --epochs 200             # go on, and further than planned";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// The picture: PNG, JPEG, WebP, TIFF, BMP, GIF, PNM, QOI, HDR or EXR
    pub(super) image: Option<PathBuf>,
    /// Folder for everything the run writes [default: runs/NAME-OF-THE-PICTURE]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace the run that is in the folder
    #[arg(long)]
    pub(super) force: bool,
    /// Settings from a TOML file; options given beside it win
    #[arg(long, value_name = "FILE.toml")]
    pub(super) config: Option<PathBuf>,
    /// Go on with the run in this folder, from its last checkpoint; --epochs may ask for more
    #[arg(long, value_name = "DIR", conflicts_with_all = ["image", "out", "force", "config"])]
    pub(super) resume: Option<PathBuf>,
    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more about what is chosen; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Where to run [default: auto]
    #[arg(long, help_heading = "Device")]
    backend: Option<BackendChoice>,
    /// GPU adapter by part of its name or by its number in `afterimage adapters`
    #[arg(long, value_name = "NAME|INDEX", help_heading = "Device")]
    adapter: Option<String>,
    /// Threads of the CPU backend [default: all cores]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, help_heading = "Device",
        value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(super) threads: u16,

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
    /// log2 of the highest frequency plus one [default: 15 at 64 to 512 pixels; positional 6]
    #[arg(long, value_name = "F", help_heading = "Network")]
    sigma: Option<f32>,
    /// Number of frequencies M; the first layer sees 2M inputs [default: 256]
    #[arg(long, value_name = "M", help_heading = "Network")]
    features: Option<usize>,
    /// Units of each hidden layer [default: 128]
    #[arg(long, value_name = "H", help_heading = "Network")]
    hidden: Option<usize>,
    /// Linear layers, at least 2 [default: 4]
    #[arg(long, value_name = "L", help_heading = "Network")]
    layers: Option<usize>,
    /// Between the layers [default: relu]
    #[arg(long, help_heading = "Network")]
    activation: Option<ActivationKind>,
    /// Angular frequency of sine [default: 30]
    #[arg(long, value_name = "F", help_heading = "Network")]
    w0: Option<f32>,
    /// How initial weights are drawn [default: he-normal, or siren with sine]
    #[arg(long, help_heading = "Network")]
    init: Option<Init>,

    /// Passes over the training pixels; 0 writes the untrained network [default: by size, about a
    /// minute's work on two cores: 30 at 512x512]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    epochs: Option<u64>,
    /// Samples a step, or `full` for all training pixels [default: 2048]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<BatchSize>,
    /// What is minimised [default: mse]
    #[arg(long, help_heading = "Training")]
    loss: Option<Loss>,
    /// The update rule [default: adam]
    #[arg(long, help_heading = "Training")]
    optimizer: Option<OptimizerKind>,
    /// Learning rate of the first step [default: Adam 5e-3, with sine 5e-4; SGD 0.1]
    #[arg(long, value_name = "F", help_heading = "Training")]
    lr: Option<f64>,
    /// How the learning rate moves over the run [default: cosine]
    #[arg(long, help_heading = "Training")]
    schedule: Option<Schedule>,
    /// Momentum of SGD [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training")]
    momentum: Option<f64>,
    /// Decoupled weight decay for Adam, L2 penalty for SGD [default: 0]
    #[arg(long, value_name = "F", help_heading = "Training")]
    weight_decay: Option<f64>,
    /// Frequencies, initial weights and sample order follow from it [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Epochs between pictures [default: 1]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    snapshot_every: Option<u64>,
    /// Epochs (10) or time (30s, 5m) between checkpoints, or `never` [default: 30s]
    #[arg(long, value_name = "N", help_heading = "Training")]
    checkpoint_every: Option<CheckpointEvery>,
}

impl TrainArgs {
    pub(crate) fn log_level(&self) -> &'static str {
        match self.verbose {
            _ if self.quiet => "error",
            0 => "warn",
            1 => "info",
            _ => "debug",
        }
    }

    /// What was typed, as a configuration with everything else open.
    pub(super) fn to_config(&self) -> Config {
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
                activation: self.activation,
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
            output: OutputConfig {
                snapshot_every: self.snapshot_every,
                checkpoint_every: self.checkpoint_every,
            },
            device: DeviceConfig { backend: self.backend, adapter: self.adapter.clone() },
        }
    }
}
