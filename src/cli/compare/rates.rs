//! `afterimage compare --rates`: compressed pictures beside those of other codecs.

use super::{CompareArgs, signals};
use crate::cli::display::Meter;
use afterimage::backend::cpu::thread_pool;
use afterimage::compress::{DEFAULT_STEPS, Effort};
use afterimage::picture::Reading;
use afterimage::rates::{self, Codec, Means, Point, Progress, Rates, RatesError, Request};
use anyhow::bail;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Options of grids of runs, none of which has a meaning here.
pub(super) const NOT_WITH_RATES: [&str; 19] = [
    "sizes",
    "encodings",
    "presets",
    "optimizers",
    "seeds",
    "protocol",
    "config",
    "holdout",
    "color",
    "transparent",
    "epochs",
    "snapshot_every",
    "measure_every",
    "keep",
    "checkpoint_every",
    "jobs",
    "backend",
    "adapter",
    "precision",
];

/// Compresses all pictures and writes the reports. Exit code 1 when a picture or a rate is left out, the signal's when it
/// was stopped.
pub(super) fn run(args: &CompareArgs, bits: &[f64]) -> anyhow::Result<ExitCode> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let name = args.images[0].file_stem().unwrap_or_default().to_string_lossy();
            format!("runs/rates-{}", if name.is_empty() { "pictures" } else { &name }).into()
        }
    };
    if out.join("config.toml").is_file() || out.join("results.csv").is_file() {
        bail!("{} holds other runs; choose another --out", out.display());
    }
    let rates = Rates::new(Request {
        images: args.images.clone(),
        rates: bits.to_vec(),
        effort: Effort { steps: args.steps.unwrap_or(DEFAULT_STEPS), seed: args.seed.unwrap_or(0) },
        out,
        force: args.force,
        reading: Reading { page: args.page, ..Reading::default() },
    })?;
    if !args.verbosity.quiet {
        rates.notes.iter().for_each(|note| eprint_line!("{note}"));
    }
    for failure in &rates.failures {
        eprint_line!("{} is left out: {}", failure.name, failure.reason);
    }
    let mut meter = Meter::new(args.verbosity.quiet, Duration::from_secs(5));
    // Files that were there already take no time.
    let (start, mut first) = (Instant::now(), None);
    let mut watch = |progress: Progress<'_>| {
        let Progress { picture, rate, done, all, stage } = progress;
        let part = f64::from(stage.step) / f64::from(stage.steps);
        let first = *first.get_or_insert(done);
        let words =
            || format!("{picture} at {rate}: {:.3} bits a pixel, {:.2} dB", stage.bits_per_pixel, stage.psnr);
        meter.advance((1000.0 * (done as f64 + part)) as u64, 1000 * all as u64, words);
        meter.line(false, || {
            let trained = (done - first) as f64 + part;
            let left = start.elapsed().as_secs_f64() * ((all - first) as f64 / trained.max(1e-3) - 1.0);
            format!("{done}/{all}  {}  {left:.0} s left", words())
        });
        !signals::stop_requested()
    };
    let ending = thread_pool(args.threads())?.install(|| rates::run(&rates, &mut watch));
    meter.close();
    let (points, notes) = match ending {
        Err(RatesError::Stopped) => bail!(signals::Stopped("stopped; run the same command to go on")),
        ending => ending?,
    };
    notes.iter().for_each(|note| eprint_line!("{note}"));
    if !args.verbosity.quiet {
        summarise(&rates, &points);
    }
    let lacks = points.iter().any(|point| point.codec == Codec::Afterimage && point.file.is_none());
    Ok(ExitCode::from(u8::from(lacks || !rates.failures.is_empty())))
}

/// The main table for a terminal, and where the rest is.
fn summarise(rates: &Rates, points: &[Point]) {
    let means = Means::of(points);
    let several = if rates.sources.len() > 1 { "mean PSNR in dB" } else { "PSNR in dB" };
    print_line!("{several} within so many bits a pixel");
    let names: String = means.codecs.iter().map(|codec| format!("  {:>10}", codec.name())).collect();
    print_line!("  {:>6}{names}", "");
    for &rate in &rates.request.rates {
        let cell =
            |&codec: &Codec| means.psnr(codec, rate).map_or("-".to_owned(), |psnr| format!("{psnr:.2}"));
        let cells: String = means.codecs.iter().map(|codec| format!("  {:>10}", cell(codec))).collect();
        print_line!("  {rate:>6}{cells}");
    }
    let out = rates.request.out.display();
    print_line!("  {out}/report.html   everything, with pictures");
    print_line!("  {out}/rates.csv     the numbers");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// No option of grids is taken and not used.
    #[test]
    fn every_option_has_a_meaning_or_is_refused() {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: CompareArgs,
        }
        const USED: [&str; 10] =
            ["images", "out", "force", "quiet", "verbose", "rates", "steps", "page", "seed", "threads"];
        for arg in Only::command().get_arguments() {
            let id = arg.get_id().as_str();
            assert!(USED.contains(&id) != NOT_WITH_RATES.contains(&id), "{id}");
        }
    }
}
