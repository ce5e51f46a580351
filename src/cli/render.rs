//! `afterimage render`: a trained model as a picture of any size.

mod aim;

use super::display::WorkDisplay;
use super::model::{self, DeviceArgs, OpenedModel};
use super::{compressed, signals, stdio};
use crate::output::written;
use afterimage::backend::{free_memory, open_predictor};
use afterimage::block_on;
use afterimage::model::PixelFilter;
use afterimage::model_file::ModelFile;
use afterimage::picture::{Converter, Depth, Format, Target, Transfer};
use afterimage::render::{Crop, Mean, RenderError, Samples, Size, View, render_to_file};
use anyhow::{Context, bail};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;

const EXAMPLES: &str = "\
Examples:
  afterimage render runs/astronaut                               # as large as the original
  afterimage render runs/astronaut --scale 4 --out large.png
  afterimage render model.safetensors --size 16384x16384 --bits 16
  afterimage render runs/photo --scale 8 --crop 2048,1024,800,600 --out detail.tif
  afterimage render runs/photo --size 128x128 --out icon.webp    # smaller, without aliasing
  afterimage render runs/photo --mean runs/photo-2 --scale 4     # the mean of two runs with other seeds
  afterimage render runs/photo --out - --format jpg > photo.jpg";

fn after_help() -> String {
    let streamed = Format::names_streamed("and");
    format!(
        "{EXAMPLES}\n\n{streamed} are written row by row in little memory at any size; the other formats take the whole\n\
         picture into memory."
    )
}

fn out_help() -> String {
    format!(
        "The picture: {}; - writes it to standard output [default: NAME-WxH.png here; NAME-WxH.exr for an HDR model]",
        Format::extensions_written("or")
    )
}

/// Render a trained model at any size
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = after_help())]
pub(super) struct RenderArgs {
    /// model.safetensors, the folder of a run, a checkpoint in it, or a compressed picture (.aim)
    pub(super) model: PathBuf,
    /// Average with this model of the same picture too, as of another --seed; may be given several times
    #[arg(long, value_name = "MODEL")]
    pub(super) mean: Vec<PathBuf>,
    /// Size of the whole picture in pixels [default: the size it was trained at]
    #[arg(long, value_name = "WxH", conflicts_with = "scale")]
    pub(super) size: Option<Size>,
    /// Size of the whole picture as a multiple of the size it was trained at
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub(super) scale: Option<f64>,
    /// Only this part, in pixels of the whole picture at the requested size
    #[arg(long, value_name = "X,Y,W,H")]
    pub(super) crop: Option<Crop>,
    #[arg(long, value_name = "FILE", help = out_help())]
    out: Option<PathBuf>,
    /// The format, instead of what the ending of the file's name says: png, tif and so on
    #[arg(long, value_name = "ENDING")]
    format: Option<String>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Bits per value: 8, 16, or 32 for floats in linear light [default: as the original, if the format allows]
    #[arg(long, value_name = "N", value_parser = ["8", "16", "32"])]
    bits: Option<String>,
    /// JPEG quality
    #[arg(long, value_name = "1..100", default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// When scaling down: points averaged per pixel along each side; auto takes one for each trained pixel it covers,
    /// at most 16
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    samples: Samples,
    /// When scaling down: how features that a point cannot resolve are attenuated
    #[arg(long, value_enum, default_value_t = PixelFilter::Box)]
    filter: PixelFilter,
    /// Print only errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    signals::handle(None)?;
    if let Some(picture) = compressed::open(&args.model)? {
        return aim::render(args, &picture);
    }
    let opened = model::open(&args.model, args.quiet)?;
    let model = &opened.model;
    let whole = match (args.size, args.scale) {
        (Some(size), _) => size,
        (None, Some(scale)) => model.size().scaled(scale)?,
        (None, None) => model.size(),
    };
    let view = View::new(whole, args.crop, args.samples)?;
    let size = view.size();
    let others = args.mean.iter().map(|path| alike(path, args, &opened)).collect::<Result<Vec<_>, _>>()?;
    let files = others.iter().map(|(other, _)| &other.file);
    let inputs: Vec<&Path> = std::iter::once(&opened.file).chain(files).map(PathBuf::as_path).collect();
    let output = Output::new(args, &Source::of(&opened), &inputs, size)?;

    let params = model.params_for(&view, args.filter);
    let request = args.device.request()?;
    let mut device = block_on(open_predictor(&request, &model.model, &params))?;
    let mut networks = vec![device.predictor];
    let mut notes: Vec<String> = device.note.take().into_iter().collect();
    for (other, note) in &others {
        let params = other.model.params_for(&view, args.filter);
        let mut device = block_on(open_predictor(&request, &other.model.model, &params))?;
        networks.push(device.predictor);
        notes.extend(note.clone().into_iter().chain(device.note.take()));
    }
    notes.dedup();
    notes.extend(losses(model, output.target));
    if !args.quiet {
        notes.iter().for_each(|note| eprint_line!("{note}"));
    }
    let grid = model.grid(&view);
    let mut display = WorkDisplay::new(args.quiet, grid.points.n_pixels());
    let rendered = render_to_file(
        &mut Mean(networks),
        (&grid, shown(model, output.target)),
        (model.channels(), model.depth, model.profile().as_deref()),
        (&output.path, output.target),
        &mut |done| display.advance(done),
    );
    display.close();
    if let Err(RenderError::Stopped) = rendered {
        bail!(signals::NOTHING_WRITTEN);
    }
    rendered.with_context(|| format!("no picture of {} was rendered", args.model.display()))?;
    output.finish(args, size, display.seconds())
}

/// A model at `path` to average with `first`, and a note if it is of another picture.
fn alike(
    path: &Path,
    args: &RenderArgs,
    first: &OpenedModel,
) -> anyhow::Result<(OpenedModel, Option<String>)> {
    let other = model::open(path, args.quiet)?;
    let (one, two) = (&first.model, &other.model);
    let differs = [
        ("size", one.size() != two.size()),
        ("channels", one.channels() != two.channels()),
        ("kind of values", (one.depth, one.transfer) != (two.depth, two.transfer)),
        ("coords", one.coords != two.coords),
        ("colour profile", one.profile() != two.profile()),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        bail!(
            "{} cannot be averaged with {}: another {what}; a mean is of runs of one picture, with other seeds",
            path.display(),
            args.model.display()
        );
    }
    let name = |model: &ModelFile| {
        let file = model.setting("picture", "file")?;
        Some(Path::new(&file).file_name()?.to_string_lossy().into_owned())
    };
    let note = match (name(one), name(two)) {
        (Some(one), Some(two)) if one != two => {
            Some(format!("{} was trained on {two}, not on {one}", path.display()))
        }
        _ => None,
    };
    Ok((other, note))
}

/// Where the picture goes, and as what.
pub(super) struct Output {
    pub(super) path: PathBuf,
    pub(super) target: Target,
    to_stdout: bool,
    /// The folder of `path` on the way to standard output, which cannot be rewound, as some formats need, and gets
    /// nothing of a picture that fails.
    _temporary: Option<TempDir>,
}

/// What is rendered, as far as the file of the picture depends on it.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) channels: usize,
    pub(super) depth: Depth,
}

impl<'a> Source<'a> {
    fn of(opened: &'a OpenedModel) -> Self {
        let model = &opened.model;
        Self { name: &opened.name, channels: model.channels(), depth: model.depth }
    }
}

impl Output {
    /// `inputs` are the files that are read, which it may not replace.
    pub(super) fn new(
        args: &RenderArgs,
        source: &Source<'_>,
        inputs: &[&Path],
        size: Size,
    ) -> anyhow::Result<Self> {
        let ending = if source.depth == Depth::F32 && args.bits.is_none() { "exr" } else { "png" };
        let path = args.out.clone().unwrap_or_else(|| format!("{}-{size}.{ending}", source.name).into());
        let to_stdout = stdio::is_dash(&path);
        if to_stdout && std::io::stdout().is_terminal() {
            bail!("standard output is a terminal; redirect it to a file or a pipe, or give another --out");
        }
        let named = match args.format.as_deref().or(to_stdout.then_some(ending)) {
            Some(ending) => PathBuf::from(format!("picture.{ending}")),
            None => path.clone(),
        };
        let bits = args.bits.as_ref().map(|bits| bits.parse().expect("clap knows the values"));
        let target = Target::new(Format::of(&named)?, (source.channels, source.depth), bits)?;
        let target = Target { quality: args.quality, ..target };
        target.check(size.width, size.height, free_memory())?;
        if !to_stdout {
            model::check_output(&path, args.force, inputs)?;
            return Ok(Self { path, target, to_stdout, _temporary: None });
        }
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        Ok(Self { path: folder.path().join("picture"), target, to_stdout, _temporary: Some(folder) })
    }

    /// Copies the picture to standard output, or says where it is and that it took so many `seconds`.
    pub(super) fn finish(&self, args: &RenderArgs, size: Size, seconds: f64) -> anyhow::Result<ExitCode> {
        if self.to_stdout {
            let mut file = std::fs::File::open(&self.path).context("cannot read the temporary file")?;
            written(std::io::copy(&mut file, &mut std::io::stdout().lock()).map(|_| ()));
        } else if !args.quiet {
            print_line!("{}  {size}  {seconds:.1} s", self.path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// From the network's values to those that are written: linear light for a screen has an exposure.
fn shown(model: &ModelFile, target: Target) -> Transfer {
    match target.depth {
        Depth::F32 => model.transfer,
        _ => Transfer { scale: model.transfer.scale / model.exposure(), ..model.transfer },
    }
}

/// What a picture of `target` leaves out of the model's.
fn losses(model: &ModelFile, target: Target) -> Vec<String> {
    let converter = Converter::new(model.channels(), model.depth, target);
    let format = target.format.name();
    let times = match model.exposure() {
        1.0 => String::new(),
        exposure => format!(" times {exposure}"),
    };
    let clips = format!(
        "{format} stores only the displayable range of this HDR model{times}; .exr, .hdr and --bits 32 .tif store all of it"
    );
    let flattens = format!("{format} has no transparency: the picture is blended with white");
    let converts = format!("{format} has no colour profile here: colours are converted to sRGB");
    let is_converted = model.profile().is_some() && !target.holds_profile(model.channels());
    let all = [(converter.clips(), clips), (converter.flattens(), flattens), (is_converted, converts)];
    all.into_iter().filter(|(happens, _)| *happens).map(|(_, note)| note).collect()
}
