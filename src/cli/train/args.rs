//! The options of `afterimage train`.

use crate::cli::display::Verbosity;
use afterimage::config::{
    Config, DeviceConfig, EncodingConfig, NetworkConfig, OutputConfig, PictureConfig, Preset, TrainingConfig,
};
use afterimage::picture::Format;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  afterimage train assets/astronaut.png
  afterimage train photo.jpg --size 512 --epochs 100 --out runs/photo
  afterimage train photo.jpg --preset sharp                     # a minute, and hard to tell apart
  afterimage train photo.jpg --time 60s --until 40dB            # as good as a minute allows, at most 40 dB
  afterimage train photo.jpg --holdout every-other --sigma 10   # PSNR on pixels it never saw
  afterimage train --config runs/photo/config.toml --out runs/again
  afterimage train --resume runs/photo --epochs 200             # continue, for longer than planned";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    // More than one is taken only to say what to do with them.
    #[arg(value_name = "IMAGE", help = format!(
        "The picture: {}; - reads it from standard input. With --resume: where it is now, if it has moved",
        Format::names_read("or")
    ))]
    pub(super) images: Vec<PathBuf>,
    /// Folder for everything the run writes [default: runs/NAME-OF-THE-PICTURE]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace the run in the folder
    #[arg(long)]
    pub(super) force: bool,
    /// Settings from a TOML file, or from tiny-cuda-nn's JSON; command-line options win
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Settings that come with the program; command-line options win
    #[arg(long, conflicts_with = "config")]
    pub(super) preset: Option<Preset>,
    /// Train for about this long, such as 60s or 5m: as many epochs as fit, found out by a short trial
    #[arg(long, value_parser = duration, conflicts_with_all = ["epochs", "effort", "resume"])]
    pub(super) time: Option<Duration>,
    /// Resume the run in this folder from its last checkpoint; --epochs may be higher than before
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "force", "config", "preset"])]
    pub(super) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) verbosity: Verbosity,

    #[command(flatten)]
    device: DeviceConfig,
    #[command(flatten)]
    picture: PictureConfig,
    #[command(flatten)]
    encoding: EncodingConfig,
    #[command(flatten)]
    network: NetworkConfig,
    #[command(flatten)]
    training: TrainingConfig,
    #[command(flatten)]
    output: OutputConfig,
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let number = |(unit, seconds)| Some(text.strip_suffix(unit)?.trim_end().parse::<f64>().ok()? * seconds);
    let seconds = units.into_iter().find_map(number).filter(|&seconds| seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("give a time such as 60s, 5m or 1h, not `{text}`"))
}

impl TrainArgs {
    /// The command line as a configuration, with everything else unset.
    pub(super) fn to_config(&self) -> Config {
        Config {
            picture: PictureConfig { file: self.images.first().cloned(), ..self.picture.clone() },
            encoding: self.encoding.clone(),
            network: self.network.clone(),
            training: self.training.clone(),
            output: self.output.clone(),
            device: self.device.clone(),
        }
    }
}
