//! `afterimage compress`: a picture as a small file, a model in fewer bits.

mod network;

use super::display::{Meter, count};
use super::{model, signals, stdio};
use afterimage::atomic_write::{Durability, atomic_write};
use afterimage::backend::cpu::thread_pool;
use afterimage::backend::free_memory;
use afterimage::compress::{
    BYTES_PER_PIXEL, CompressError, DEFAULT_STEPS, Effort, Stage, Wish, compress, loss,
};
use afterimage::picture::{self, Loaded, Picture, Reading};
use anyhow::{Context, anyhow, bail};
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  afterimage compress photo.png --bpp 0.3                # photo.aim: at most 0.3 bits a pixel, every byte counted
  afterimage compress photo.png --psnr 32 --out small.aim # at least 32 dB, as small as it gets
  afterimage compress photo.png --bpp 1 --steps 500      # in less time, not as good
  afterimage render small.aim --out small.png            # and back; eval, inspect and film take such files too
  afterimage compress runs/photo --bits 8                # photo-8bit.safetensors: the run's network in a quarter of the bytes

The file holds integers and two small networks that are trained for this picture alone. It decodes to the same values on
every machine. docs/FORMAT.md has the format and results.";

/// Write a picture as a small file, or a model in fewer bits
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES, group(clap::ArgGroup::new("wish").required(true)))]
pub(super) struct CompressArgs {
    /// The picture, or a model: model.safetensors or the folder of a run; - reads a picture from standard input
    #[arg(value_name = "PICTURE|MODEL")]
    input: PathBuf,
    /// At most this many bits for each pixel
    #[arg(long, value_name = "BITS", group = "wish", value_parser = bits, allow_negative_numbers = true)]
    bpp: Option<f64>,
    /// At least this PSNR, in dB
    #[arg(long, value_name = "DB", group = "wish", value_parser = decibels, allow_negative_numbers = true)]
    psnr: Option<f64>,
    /// Of a model: its weights in 8 bits instead of 32, trained on for a little so that less is lost
    #[arg(long, value_name = "N", group = "wish", value_parser = ["8"])]
    bits: Option<String>,
    /// The file [default: NAME.aim here, or NAME-8bit.safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Steps of training: more give a better file and take longer [default: 1500; with --bits 200]
    #[arg(long, value_name = "N", value_parser = steps_parser())]
    steps: Option<u32>,
    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "bits")]
    seed: u64,
    /// CPU threads, 0 for all cores; changes no result
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Which picture of a file with several, counted from 1 [default: the largest or first]
    #[arg(long, value_name = "N", conflicts_with = "bits")]
    page: Option<NonZeroU32>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

fn within(text: &str, range: std::ops::RangeInclusive<f64>, what: &str) -> Result<f64, String> {
    let (low, high) = (range.start(), range.end());
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("give {what} from {low} to {high}, not `{text}`"))
}

/// Steps of training that make sense.
pub(super) fn steps_parser() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(20..=1_000_000)
}

/// A number of bits a pixel.
pub(super) fn bits(text: &str) -> Result<f64, String> {
    within(text, 0.001..=24.0, "a number of bits")
}

fn decibels(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("dB").unwrap_or(text).trim_end();
    within(number, 10.0..=60.0, "a PSNR in dB")
}

/// The picture, or what the model shows, and notes on how it was read.
fn read(args: &CompressArgs, name: &str) -> anyhow::Result<(Picture, Vec<String>)> {
    let reading = Reading { page: args.page, ..Reading::default() };
    if stdio::is_dash(&args.input) {
        let Loaded { picture, notes, .. } =
            picture::load::parse(&stdio::read_input()?, stdio::INPUT.as_ref(), reading)?;
        return Ok((picture, notes));
    }
    if network::is_model(&args.input) {
        if args.page.is_some() {
            bail!("--page is for files with several pictures, and {name} is a model; leave it out");
        }
        let note = format!("{name} is a model: what it shows at the size it was trained at is compressed");
        return Ok((network::shown(&args.input, args.quiet)?, vec![note]));
    }
    let Loaded { picture, notes, .. } = picture::read(&args.input, reading)
        .with_context(|| format!("{name} is not a picture to compress"))?;
    Ok((picture, notes))
}

pub(super) fn run(args: &CompressArgs) -> anyhow::Result<ExitCode> {
    signals::handle(None)?;
    if args.bits.is_some() {
        return network::round_weights(args);
    }
    let name = stdio::name_of(&args.input);
    if super::compressed::open(&args.input)?.is_some() {
        bail!("{name} is compressed already");
    }
    let (picture, mut notes) = read(args, &name)?;
    notes.extend(loss(&picture).map(str::to_owned));
    let stem = if stdio::is_dash(&args.input) { Some("picture".as_ref()) } else { args.input.file_stem() };
    let named = format!("{}.aim", stem.unwrap_or_default().to_string_lossy());
    let out = args.out.clone().unwrap_or_else(|| named.into());
    let to_stdout = stdio::is_dash(&out);
    if !to_stdout {
        model::check_output(&out, args.force, &[&args.input])?;
    }
    let needed = BYTES_PER_PIXEL * picture.n_pixels();
    if free_memory().is_some_and(|free| needed > free) {
        bail!(
            "{name} needs {} MB of memory, more than is free; compress a smaller picture",
            needed / 1_000_000
        );
    }
    if !args.quiet {
        notes.iter().for_each(|note| eprint_line!("{note}"));
    }
    let wish = args.bpp.map(Wish::BitsPerPixel).or(args.psnr.map(Wish::Psnr)).expect("clap requires one");
    let (start, mut meter) = (Instant::now(), Meter::new(args.quiet, Duration::from_secs(5)));
    let mut watch = |stage: Stage| {
        let words = || format!("{:.3} bits a pixel, {:.2} dB", stage.bits_per_pixel, stage.psnr);
        meter.advance(u64::from(stage.step), u64::from(stage.steps), words);
        meter.line(false, || {
            let left =
                start.elapsed().as_secs_f64() * (f64::from(stage.steps) / f64::from(stage.step + 1) - 1.0);
            format!("step {}/{}  {}  {left:.0} s left", stage.step, stage.steps, words())
        });
        !signals::stop_requested()
    };
    let effort = Effort { steps: args.steps.unwrap_or(DEFAULT_STEPS), seed: args.seed };
    let compressed = thread_pool(args.threads)?.install(|| compress(&picture, wish, effort, &mut watch));
    meter.close();
    let compressed = match compressed {
        Err(CompressError::Stopped) => bail!(signals::NOTHING_WRITTEN),
        compressed => compressed.map_err(|error| anyhow!("{name}: {error}"))?,
    };
    if to_stdout {
        crate::output::written(std::io::stdout().lock().write_all(&compressed.file));
        return Ok(ExitCode::SUCCESS);
    }
    atomic_write(&out, Durability::Cached, |file| file.write_all(&compressed.file))
        .with_context(|| format!("cannot write {}", out.display()))?;
    if !args.quiet {
        let (out, bytes) = (out.display(), count(compressed.file.len() as u64, "byte"));
        let (bits, psnr) = (compressed.bits_per_pixel, compressed.psnr);
        let seconds = start.elapsed().as_secs_f64();
        print_line!("{out}  {bytes}, {bits:.4} bits a pixel, {psnr:.2} dB  {seconds:.0} s");
    }
    Ok(ExitCode::SUCCESS)
}
