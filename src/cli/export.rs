//! `afterimage export`: a trained model in the language of another program.

mod aim;

use super::eval::{self, Compared, Fit};
use super::model::{self, OpenedModel};
use super::{compressed, stdio};
use crate::output::written;
use afterimage::atomic_write::{Durability, atomic_write};
use afterimage::backend::Predict;
use afterimage::backend::cpu::CpuPredictor;
use afterimage::block_on;
use afterimage::export::{Exported, Extras, Precision, Program, Target, export};
use afterimage::picture::{Picture, SquaredError};
use afterimage::render::{Samples, Size, View};
use anyhow::{Context, anyhow, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage export runs/astronaut --to html                      # astronaut.html: a page to zoom into, with no network
  afterimage export runs/astronaut --to html --original photo.png # with the original behind a slider
  afterimage export runs/astronaut --to glsl                      # astronaut.glsl, and astronaut.bin with its grid
  afterimage export runs/astronaut --to wgsl --precision u8       # a quarter of the size
  afterimage export runs/fourier --to shadertoy                   # to paste; Fourier features and small grids
  afterimage export runs/astronaut --to onnx                      # uv (N, 2) to colours (N, 3)
  afterimage export runs/astronaut --to numpy                     # a Python file that needs only NumPy
  afterimage export photo.aim --to html                           # a page that decodes a compressed picture; also numpy

uv is (0, 0) at the top left and (1, 1) at the bottom right. docs/EXPORT.md has sizes and limits.";

/// Write a trained model as a shader, a web page, an ONNX graph or a Python file
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// model.safetensors, the folder of a run, a checkpoint in it, or a compressed picture (.aim)
    model: PathBuf,
    /// What to write
    #[arg(long, value_enum, value_name = "TARGET")]
    to: Target,
    /// How exactly weights are written [default: f32 for onnx and numpy, otherwise f16]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// The picture it was trained on, for a slider in a page
    #[arg(long, value_name = "IMAGE")]
    original: Option<PathBuf>,
    /// The file; - writes it to standard output [default: NAME with the target's ending, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    if args.original.is_some() && args.to != Target::Html {
        bail!("--original is the slider of a page; give --to html, or leave it out");
    }
    if let Some((picture, file)) = compressed::read(&args.model)? {
        return aim::export(args, &picture, &file);
    }
    let opened = model::open(&args.model, args.quiet)?;
    let precision = args.precision.unwrap_or_else(|| args.to.usual_precision());
    let refused = refused(args);
    let program = Program::new(&opened.model, &opened.name, precision).map_err(&refused)?;
    let output = Output::new(args, &opened.name, &opened.file)?;
    let quality = Quality::of(&opened, &program, args.original.as_deref())?;
    let extras = Extras { quality: quality.words(), original: quality.original.clone() };
    let exported = export(&program, args.to, &extras).map_err(&refused)?;
    output.write(&exported, &format!(", weights {precision}{}", quality.rounding()))?;
    Ok(ExitCode::SUCCESS)
}

/// The error of what cannot be exported.
fn refused(args: &ExportArgs) -> impl Fn(String) -> anyhow::Error {
    |reason| anyhow!("{} cannot be exported: {reason}", args.model.display())
}

/// Where the files go.
struct Output<'a> {
    args: &'a ExportArgs,
    path: PathBuf,
    inputs: Vec<&'a Path>,
}

impl<'a> Output<'a> {
    /// Of the model called `name` in `file`. Checks all that can be before work is done.
    fn new(args: &'a ExportArgs, name: &str, file: &'a Path) -> anyhow::Result<Self> {
        let path = args.out.clone().unwrap_or_else(|| format!("{name}.{}", args.to.extension()).into());
        let inputs = [Some(file), args.original.as_deref()].into_iter().flatten().collect();
        let output = Self { args, path, inputs };
        if !stdio::is_dash(&output.path) {
            model::check_output(&output.path, args.force, &output.inputs)?;
        }
        Ok(output)
    }

    /// Writes the files and says so, with a few words `about` the first.
    fn write(&self, exported: &Exported, about: &str) -> anyhow::Result<()> {
        if stdio::is_dash(&self.path) {
            if exported.table.is_some() {
                bail!(
                    "it has a second file for its grid, which standard output has no place for; give --out FILE"
                );
            }
            written(std::io::stdout().lock().write_all(&exported.file));
            return Ok(());
        }
        let beside = write(exported, &self.path, self.args.force, &self.inputs)?;
        if self.args.quiet {
            return Ok(());
        }
        let kilobytes = |bytes: &[u8]| format!("{:.1} kB", bytes.len() as f64 / 1000.0);
        print_line!("{}  {}{about}", self.path.display(), kilobytes(&exported.file));
        if let (Some(beside), Some(table)) = (beside, &exported.table) {
            print_line!("{}  {}, the grid, which the shader reads", beside.display(), kilobytes(table));
        }
        Ok(())
    }
}

/// Writes the files and returns the name of the second.
fn write(exported: &Exported, path: &Path, force: bool, inputs: &[&Path]) -> anyhow::Result<Option<PathBuf>> {
    let save = |path: &Path, bytes: &[u8]| {
        atomic_write(path, Durability::Cached, |out| out.write_all(bytes))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    let beside = exported.table.as_ref().map(|table| (path.with_extension("bin"), table));
    if let Some((beside, table)) = &beside {
        if beside == path {
            bail!("{} is the name of the grid's file; give --out another ending", path.display());
        }
        model::check_output(beside, force, inputs)?;
        save(beside, table)?;
    }
    save(path, &exported.file)?;
    Ok(beside.map(|(path, _)| path))
}

/// How good the exported model is.
struct Quality {
    original: Option<Picture>,
    /// Against the original: measured, or as it was at the end of training with the error of rounding added.
    psnr: Option<f64>,
    /// Against the model as it was trained; none if nothing was rounded.
    rounding: Option<f64>,
}

/// Most pixels that rounding is measured on.
const MAX_MEASURED: f64 = 1e6;

impl Quality {
    fn of(opened: &OpenedModel, program: &Program, original: Option<&Path>) -> anyhow::Result<Self> {
        let model = opened.model.clone().frozen();
        let size = model.size();
        let pixels = f64::from(size.width) * f64::from(size.height);
        let measured =
            if pixels > MAX_MEASURED { size.scaled((MAX_MEASURED / pixels).sqrt())? } else { size };
        let values = |params: &[f32], size: Size| -> anyhow::Result<Vec<f32>> {
            let points = model.grid(&View::new(size, None, Samples::PerSide(1))?).points;
            let mut values = vec![0.0; points.n_pixels() as usize * model.channels()];
            let mut predictor = CpuPredictor::<f32>::new(model.model.clone(), params, 0)?;
            block_on(predictor.predict(&points, 0, &mut values))?;
            if !program.colors.is_linear {
                values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
            }
            Ok(values)
        };
        let rounded = program.rounded_params();
        let mut rounding = SquaredError::default();
        if program.precision != Precision::F32 {
            rounding.add(&values(&rounded, measured)?, &values(&model.params, measured)?);
        }
        let original = original.map(|image| {
            let (page, color, fit, transparent) = (None, None, Some(Fit::Picture), model.transparent());
            eval::read(opened, &Compared { image, page, color, fit, transparent })
        });
        let original = original.transpose()?.map(|(picture, _)| picture);
        let trained = model.metadata.get("psnr_train").and_then(|text| text.parse::<f64>().ok());
        let psnr = match &original {
            Some(picture) if !program.colors.is_linear => {
                let truth: Vec<f32> = (0..picture.pixels.len()).map(|i| picture.pixels.value(i)).collect();
                let mut error = SquaredError::default();
                error.add(&values(&rounded, size)?, &truth);
                Some(error.psnr())
            }
            // Rounding errors are independent of those of training.
            _ => trained.map(|db| -10.0 * libm::log10(libm::exp10(-db / 10.0) + rounding.mse())),
        };
        let rounding = (program.precision != Precision::F32).then(|| rounding.psnr());
        Ok(Self { original, psnr, rounding })
    }

    fn words(&self) -> Option<String> {
        self.psnr.filter(|db| db.is_finite()).map(|db| format!("{db:.1} dB"))
    }

    fn rounding(&self) -> String {
        let words = |db: f64| format!(": {db:.1} dB from the picture of those trained");
        self.rounding.filter(|db| db.is_finite()).map_or(String::new(), words)
    }
}
