//! `afterimage render`: a trained model as a picture of any size.

use super::display::{self, WorkDisplay};
use super::model::{self, DeviceArgs};
use afterimage::backend::open_predictor;
use afterimage::block_on;
use afterimage::model::PixelFilter;
use afterimage::model_file::ModelFile;
use afterimage::picture::{Converter, Depth, Format, Target};
use afterimage::render::{Crop, RenderError, Samples, Size, View, render_to_file};
use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage render runs/astronaut                               # as large as the original
  afterimage render runs/astronaut --scale 4 --out large.png
  afterimage render model.safetensors --size 16384x16384 --bits 16
  afterimage render runs/photo --scale 8 --crop 2048,1024,800,600 --out detail.tif
  afterimage render runs/photo --size 128x128 --out icon.webp    # smaller, without aliasing";

fn after_help() -> String {
    let streamed = Format::names_streamed("and");
    format!(
        "{EXAMPLES}\n\n{streamed} are written row by row in little memory at any size; the other formats take the whole\n\
         picture into memory."
    )
}

fn out_help() -> String {
    format!(
        "The picture: {} [default: NAME-WxH.png here; NAME-WxH.exr for an HDR model]",
        Format::extensions_written("or")
    )
}

/// Render a trained model at any size
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = after_help())]
pub(super) struct RenderArgs {
    /// model.safetensors, or the folder of a run
    model: PathBuf,
    /// Size of the whole picture in pixels [default: the size it was trained at]
    #[arg(long, value_name = "WxH", conflicts_with = "scale")]
    size: Option<Size>,
    /// Size of the whole picture as a multiple of the size it was trained at
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    scale: Option<f64>,
    /// Only this part, in pixels of the whole picture at the requested size
    #[arg(long, value_name = "X,Y,W,H")]
    crop: Option<Crop>,
    #[arg(long, value_name = "FILE", help = out_help())]
    out: Option<PathBuf>,
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
    quiet: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let opened = model::open(&args.model)?;
    let model = &opened.model;
    let whole = match (args.size, args.scale) {
        (Some(size), _) => size,
        (None, Some(scale)) => model.size().scaled(scale)?,
        (None, None) => model.size(),
    };
    let view = View::new(whole, args.crop, args.samples)?;
    let size = view.size();
    let extension = if model.depth == Depth::F32 && args.bits.is_none() { "exr" } else { "png" };
    let out = args.out.clone().unwrap_or_else(|| format!("{}-{size}.{extension}", opened.name).into());
    let bits = args.bits.as_ref().map(|bits| bits.parse().expect("clap knows the values"));
    let target = Target::new(Format::of(&out)?, (model.channels(), model.depth), bits)?;
    let target = Target { quality: args.quality, ..target };
    target.check(size.width, size.height, model::free_memory())?;
    model::check_output(&out, args.force, &[&opened.file])?;

    let params = model.params_for(&view, args.filter);
    let mut device = block_on(open_predictor(&args.device.request()?, &model.model, &params))?;
    let mut notes: Vec<String> = device.note.take().into_iter().collect();
    let profile = model.profile();
    notes.extend(changes(model, profile.is_some(), target));
    if !args.quiet {
        notes.iter().for_each(|note| eprint_line!("{note}"));
    }
    display::handle_ctrl_c(None)?;
    let grid = model.grid(&view);
    let mut display = WorkDisplay::new(args.quiet, grid.points.n_pixels());
    let rendered = render_to_file(
        device.predictor.as_mut(),
        &grid,
        (model.channels(), model.depth, profile.as_deref()),
        (&out, target),
        &mut |done| display.advance(done),
    );
    display.close();
    if let Err(RenderError::Stopped) = rendered {
        eprint_line!("{}", RenderError::Stopped);
        return Ok(ExitCode::from(display::INTERRUPTED));
    }
    rendered.with_context(|| format!("no picture of {} was rendered", args.model.display()))?;
    if !args.quiet {
        print_line!("{}  {size}  {:.1} s", out.display(), display.seconds());
    }
    Ok(ExitCode::SUCCESS)
}

/// What a file of `target` cannot hold of the model's picture, and what becomes of it.
fn changes(model: &ModelFile, has_profile: bool, target: Target) -> Vec<String> {
    let format = target.format.name();
    let converter = Converter::new(model.channels(), model.depth, target);
    let clips = converter.clips().then(|| {
        format!(
            "{format} stores only the displayable range of this HDR model; .exr, .hdr and --bits 32 .tif store all of it"
        )
    });
    let flattens = converter
        .flattens()
        .then(|| format!("{format} has no transparency: the picture is blended with white"));
    let converts = (has_profile && !target.holds_profile(model.channels()))
        .then(|| format!("{format} has no colour profile here: colours are converted to sRGB"));
    clips.into_iter().chain(flattens).chain(converts).collect()
}
