//! `afterimage eval`: how close a model is to a picture.

pub(super) mod aim;

use super::display::{self, WorkDisplay};
use super::model::{self, DeviceArgs, OpenedModel};
use super::{compressed, signals, stdio};
use afterimage::backend::open_predictor;
use afterimage::block_on;
use afterimage::model::{Holdout, PixelFilter, SampleSet};
use afterimage::picture::{
    self, ColorHandling, Format, Loaded, Picture, Reading, SquaredError, Transparent, save_png, ssim_visible,
};
use afterimage::render::{Measurement, RenderError, Samples, Size, View, measure};
use afterimage::report::{Decibels, labelled_error_map};
use anyhow::bail;
use serde::Serialize;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage eval runs/astronaut assets/astronaut.png
  afterimage eval runs/photo photo.jpg --error-map errors.png
  afterimage eval runs/small photo.jpg --fit model --json   # the model enlarged to the picture";

/// Measure how close a model is to a picture
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvalArgs {
    /// model.safetensors, the folder of a run, a checkpoint in it, or a compressed picture (.aim)
    pub(super) model: PathBuf,
    /// The picture to compare with; - reads it from standard input
    pub(super) image: PathBuf,
    /// What to do if the sizes differ and the model was not trained on a resized picture
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) fit: Option<Fit>,
    /// Also write a map of the errors
    #[arg(long, value_name = "FILE.png")]
    pub(super) error_map: Option<PathBuf>,
    /// Which picture of a file with several, counted from 1 [default: the largest or first]
    #[arg(long, value_name = "N")]
    page: Option<NonZeroU32>,
    /// Colours of other spaces than sRGB [default: as in training]
    #[arg(long)]
    color: Option<ColorHandling>,
    /// Colours where the picture's alpha is 0 [default: as in training]
    #[arg(long)]
    transparent: Option<Transparent>,
    /// Replace the error map if it exists
    #[arg(long)]
    force: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Which of the two is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Fit {
    /// Resize the picture to the model's size (Lanczos)
    Picture,
    /// Render the model at the picture's size
    Model,
}

/// The measurements. PSNR is "inf" if the pictures are equal.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) model: PathBuf,
    pub(super) image: PathBuf,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether the picture is in linear light.
    #[serde(skip)]
    pub(super) is_hdr: bool,
    /// Whether the picture was resized to the model's size.
    pub(super) resized: bool,
    /// The value that errors are relative to: 1, or the largest of a picture in linear light.
    pub(super) peak: f32,
    pub(super) psnr: Option<Decibels>,
    pub(super) psnr_train: Option<Decibels>,
    pub(super) psnr_test: Option<Decibels>,
    pub(super) psnr_8bit: Option<Decibels>,
    pub(super) ssim: f64,
    pub(super) max_error: f64,
    pub(super) max_error_at: [u32; 2],
    pub(super) n_params: usize,
    pub(super) file_bytes: u64,
    pub(super) bits_per_pixel: f64,
}

pub(super) fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    signals::handle(None)?;
    let compressed = compressed::open(&args.model)?;
    if let Some(out) = &args.error_map {
        if Format::of(out).ok() != Some(Format::Png) {
            bail!("an error map is written as PNG; give {} a name that ends in .png", out.display());
        }
        model::check_output(out, args.force, &[&args.model, &args.image])?;
    }
    if let Some(picture) = compressed {
        return aim::eval(args, &picture);
    }
    let opened = model::open(&args.model, false)?;
    let transparent = args.transparent.unwrap_or_else(|| opened.model.transparent());
    let (image, page, color, fit) = (&args.image, args.page, args.color, args.fit);
    let (picture, resized) = read(&opened, &Compared { image, page, color, fit, transparent })?;
    let view = View::new(Size { width: picture.width, height: picture.height }, None, Samples::Auto)?;
    let params = opened.model.params_for(&view, PixelFilter::Box);
    let mut device = block_on(open_predictor(&args.device.request()?, &opened.model.model, &params))?;
    if let Some(note) = &device.note {
        eprint_line!("{note}");
    }
    let grid = opened.model.grid(&view);
    let holdout = match opened.model.setting("picture", "holdout").as_deref() {
        Some("every-other") if view.size() == opened.model.size() => Holdout::EveryOther,
        _ => Holdout::None,
    };
    let samples = SampleSet { width: picture.width, height: picture.height, holdout, masked: None };
    let mut display = WorkDisplay::new(args.json, grid.points.n_pixels());
    let mut watch = |done| display.advance(done);
    let measured = block_on(measure(
        device.predictor.as_mut(),
        (&grid, opened.model.transfer),
        (&picture, transparent),
        samples,
        &mut watch,
    ));
    display.close();
    let measured = match measured {
        Err(RenderError::Stopped) => bail!(signals::NOTHING_WRITTEN),
        measured => measured?,
    };
    if !measured.all.mse().is_finite() {
        bail!("{} gives values that are not finite numbers; it cannot be measured", args.model.display());
    }
    let exposure = picture.exposure();
    let [shown, truth] = [&measured.prediction, &picture].map(|of| of.shown(exposure));
    if let Some(out) = &args.error_map {
        save_png(&labelled_error_map((&shown, &truth), transparent, None), out)?;
    }
    let (shown, truth) = (shown.to_display(), truth.to_display());
    let rounded = SquaredError::between_visible(&shown, &truth, truth.hidden(transparent));
    let report = Report::new(args, &opened, (&picture, transparent, resized), (&measured, rounded));
    display::report(args.json, &report, Report::print)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn load(image: &Path, reading: Reading) -> anyhow::Result<Loaded> {
    Ok(match stdio::is_dash(image) {
        true => picture::load::parse(&stdio::read_input()?, stdio::INPUT.as_ref(), reading)?,
        false => picture::read(image, reading)?,
    })
}

/// A picture to compare a model with, and how to read it.
pub(super) struct Compared<'a> {
    pub(super) image: &'a Path,
    pub(super) page: Option<NonZeroU32>,
    pub(super) color: Option<ColorHandling>,
    pub(super) fit: Option<Fit>,
    pub(super) transparent: Transparent,
}

/// The picture to compare with, as it was prepared for training, and whether it was resized.
pub(super) fn read(opened: &OpenedModel, args: &Compared<'_>) -> anyhow::Result<(Picture, bool)> {
    let name = stdio::name_of(args.image);
    let color = args.color.unwrap_or_else(|| opened.model.color());
    let reading = Reading { page: args.page, color };
    let Loaded { picture, mut notes, profile } = load(args.image, reading)?;
    // Formats without grey hold three equal colours.
    let picture = if opened.model.channels() < 3 { picture.grey_if_equal() } else { picture };
    let same_profile = profile.as_deref() == opened.model.profile().as_deref();
    let (mut picture, resized) = fitted(&picture, opened, args)?;
    notes.extend(args.transparent.apply(&mut picture).map(|hidden| format!("{hidden} measured")));
    if !same_profile {
        notes.push(format!("{name} is not in the model's colour space, and values are compared as they are"));
    }
    notes.iter().for_each(|note| eprint_line!("{note}"));
    Ok((picture, resized))
}

/// The picture at the size to compare it at, and whether it was resized.
fn fitted(picture: &Picture, opened: &OpenedModel, args: &Compared<'_>) -> anyhow::Result<(Picture, bool)> {
    let name = stdio::name_of(args.image);
    let model = &opened.model;
    let (size, found) = (model.size(), Size { width: picture.width, height: picture.height });
    let channels = ["grey", "grey with alpha", "RGB", "RGBA"];
    if picture.channels != model.channels() {
        let [found, needed] = [picture.channels, model.channels()].map(|n| channels[n - 1]);
        bail!("{name} is {found} and the model {needed}; give the picture it was trained on");
    }
    if picture.is_hdr() != (model.depth == picture::Depth::F32) {
        let kind = |hdr: bool| if hdr { "linear light (HDR)" } else { "sRGB" };
        let [found, needed] = [picture.is_hdr(), !picture.is_hdr()].map(kind);
        bail!("{name} is in {found} and the model in {needed}; give the picture it was trained on");
    }
    // A run with `--size` records the size it resized to.
    let trained_resized = model.setting("picture", "size").is_some_and(|text| text == size.to_string());
    match args.fit {
        _ if size == found => Ok((picture.clone(), false)),
        Some(Fit::Model) => Ok((picture.clone(), false)),
        fit if fit == Some(Fit::Picture) || trained_resized => {
            Ok((picture::resize(picture, size.width, size.height), true))
        }
        _ => bail!(
            "{name} has {found} pixels and the model was trained on {size}; give --fit picture to resize the picture, or --fit model to render the model at its size"
        ),
    }
}

impl Report {
    fn new(
        args: &EvalArgs,
        opened: &OpenedModel,
        (picture, transparent, resized): (&Picture, Transparent, bool),
        (measured, rounded): (&Measurement, SquaredError),
    ) -> Self {
        let file_bytes = opened.file_bytes;
        let db = |error: SquaredError| Decibels::of(error.psnr());
        let split = |error: SquaredError| db(error).filter(|_| measured.test.count > 0);
        Self {
            model: opened.file.clone(),
            image: args.image.clone(),
            width: picture.width,
            height: picture.height,
            resized,
            is_hdr: picture.is_hdr(),
            peak: picture.peak(),
            psnr: db(measured.all),
            psnr_train: split(measured.train),
            psnr_test: split(measured.test),
            psnr_8bit: db(rounded),
            ssim: ssim_visible(&measured.prediction, picture, picture.hidden(transparent)),
            max_error: measured.max.value,
            max_error_at: [measured.max.x, measured.max.y],
            n_params: opened.model.model.layout().n_params(),
            file_bytes,
            bits_per_pixel: 8.0 * file_bytes as f64 / picture.n_pixels() as f64,
        }
    }

    /// Prints the report.
    pub(super) fn print(&self) {
        let db = |psnr: Option<Decibels>| match psnr.map_or(f64::NAN, Decibels::value) {
            f64::INFINITY => "exact".to_owned(),
            psnr => format!("{psnr:.3} dB"),
        };
        let [x, y] = self.max_error_at;
        let resized = if self.resized { ", the picture resized as it was for training" } else { "" };
        let peak = if self.is_hdr {
            format!(", relative to the picture's peak of {}", self.peak)
        } else {
            String::new()
        };
        print_line!("PSNR           {}  at {}x{}{resized}{peak}", db(self.psnr), self.width, self.height);
        if let (Some(train), Some(test)) = (self.psnr_train, self.psnr_test) {
            print_line!("  trained on   {}", db(Some(train)));
            print_line!("  held out     {}", db(Some(test)));
        }
        let as_shown = if self.is_hdr { "  as a screen shows it" } else { "" };
        print_line!("PSNR at 8 bits {}{as_shown}", db(self.psnr_8bit));
        print_line!("SSIM           {:.5}  (mean of the channels)", self.ssim);
        let unit = match self.is_hdr {
            true => " of the peak".to_owned(),
            false => format!("  ({:.1} of 255)", self.max_error * 255.0),
        };
        print_line!("largest error  {:.4}{unit} at pixel ({x}, {y})", self.max_error);
        print_line!("weights        {}", self.n_params);
        print_line!("file           {} bytes, {:.3} bits per pixel", self.file_bytes, self.bits_per_pixel);
    }
}
