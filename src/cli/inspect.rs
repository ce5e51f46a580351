//! `afterimage inspect`: the contents of a model file.

mod aim;

use super::{compressed, display, model};
use afterimage::model::{Activation, Encoding, GridLevel, Mlp};
use afterimage::model_file::{FORMAT, ModelFile, TensorSummary};
use afterimage::names::Named;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what a model is, how it was trained, and what its tensors hold
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  afterimage inspect runs/astronaut\n  afterimage inspect model.safetensors --json"
)]
pub(super) struct InspectArgs {
    /// model.safetensors, the folder of a run, a checkpoint in it, or a compressed picture (.aim)
    pub(super) model: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Report {
    file: PathBuf,
    format: &'static str,
    file_bytes: u64,
    bits_per_pixel: f64,
    n_params: usize,
    width: u32,
    height: u32,
    channels: usize,
    depth: &'static str,
    coords: String,
    encoding: String,
    network: String,
    /// The file's other metadata: the configuration and the final measurements.
    metadata: BTreeMap<String, String>,
    tensors: Vec<TensorSummary>,
}

pub(super) fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    if let Some(picture) = compressed::open(&args.model)? {
        return aim::inspect(args, &picture);
    }
    let opened = model::open(&args.model, args.json)?;
    let model = &opened.model;
    let file_bytes = opened.file_bytes;
    let report = Report {
        format: FORMAT,
        file_bytes,
        bits_per_pixel: 8.0 * file_bytes as f64 / (f64::from(model.width) * f64::from(model.height)),
        n_params: model.model.layout().n_params(),
        width: model.width,
        height: model.height,
        channels: model.channels(),
        depth: model.depth.about(),
        coords: format!("{:?}", model.coords).to_lowercase(),
        encoding: encoding(&model.model.encoding),
        network: network(model),
        metadata: model.metadata.clone(),
        tensors: model.tensor_summaries(),
        file: opened.file,
    };
    display::report(args.json, &report, |report| report.print(model))?;
    Ok(ExitCode::SUCCESS)
}

/// As text.
fn encoding(encoding: &Encoding) -> String {
    match encoding {
        Encoding::Composite(parts) => parts.iter().map(self::encoding).collect::<Vec<_>>().join(", beside "),
        Encoding::Pointwise(pointwise) => pointwise.formula().describe(),
        Encoding::Fourier { frequencies } | Encoding::TrainedFourier { initial: frequencies } => {
            let length = |b: &[f32; 2]| f64::from(b[0]).hypot(f64::from(b[1]));
            let highest = frequencies.iter().map(length).fold(0.0, f64::max);
            format!(
                "Fourier features, {} frequencies up to {highest:.1} cycles per unit of length",
                frequencies.len()
            )
        }
        Encoding::Grid(grid) => {
            let hashed = grid.levels.iter().filter(|level| level.is_hashed()).count();
            let resolution = |level: Option<&GridLevel>| level.map_or(0, |level| level.resolution);
            format!(
                "a grid of {} levels, {hashed} of them hashed, {} to {} cells across, {} features a level",
                grid.levels.len(),
                resolution(grid.levels.first()),
                resolution(grid.levels.last()),
                grid.features_per_level
            )
        }
    }
}

fn network(model: &ModelFile) -> String {
    let Mlp { input_width, hidden_width, output_width, n_layers, activation, output_activation } =
        model.model.network;
    let name = |activation: Activation| match activation {
        Activation::Sine { w0 } => format!("sine (w0 {w0})"),
        other => other.name().to_owned(),
    };
    let (n_hidden, [hidden, last]) = (n_layers - 1, [activation, output_activation].map(name));
    format!("{input_width} -> {n_hidden} x {hidden_width} {hidden} -> {output_width} {last}")
}

/// Untrusted text from a file, made safe for a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Report {
    fn print(&self, model: &ModelFile) {
        let channels = ["grey", "grey with alpha", "RGB", "RGBA"][self.channels - 1];
        let setting = |section: &str, key: &str| model.setting(section, key).map(|text| plain(&text));
        let name = setting("picture", "file").unwrap_or_else(|| "an unnamed picture".to_owned());
        print_line!("{}", self.file.display());
        print_line!("  picture   {name}, {}x{}, {channels}, {}", self.width, self.height, self.depth);
        print_line!("  encoding  {} (pixels lie at their {}s)", self.encoding, self.coords);
        print_line!("  network   {}", self.network);
        let Self { n_params, file_bytes, bits_per_pixel, .. } = self;
        print_line!("  size      {n_params} weights, {file_bytes} bytes, {bits_per_pixel:.3} bits per pixel");
        for (key, label) in [("psnr_train", "PSNR    "), ("psnr_test", "held out")] {
            if let Some(db) = self.metadata.get(key).and_then(|v| v.parse::<f64>().ok()) {
                print_line!("  {label}  {db:.3} dB");
            }
        }
        let trained: Vec<String> = model
            .settings("training")
            .into_iter()
            .map(|(key, value)| format!("{} {}", plain(&key), plain(&value)))
            .collect();
        if !trained.is_empty() {
            print_line!("  training  {}", trained.join(", "));
        }
        print_line!("");
        print_line!(
            "  tensor                 shape        dtype      bytes      lowest     highest        mean"
        );
        for TensorSummary { name, shape, dtype, bytes, lowest, highest, mean } in &self.tensors {
            let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
            print_line!(
                "  {name:<22} {shape:<12} {dtype:<5} {bytes:>10} {lowest:>11.4} {highest:>11.4} {mean:>11.4}"
            );
        }
    }
}
