//! `afterimage train`: one picture, one network, one run folder.

mod args;
mod prepare;
pub(super) use prepare::{resolved, settings};
mod scale;

use super::display::{self, TrainingDisplay};
use super::signals;
use afterimage::run::{Finished, Session};
use afterimage::trainer::Outcome;
use anyhow::bail;
pub(super) use args::TrainArgs;
use std::process::ExitCode;
use std::time::Instant;

/// PSNR in dB that a picture must lose to be called worse than before training.
const WORSE: f64 = 0.5;

pub(super) fn run(args: TrainArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    signals::handle((!args.verbosity.quiet).then_some(signals::STOPPING))?;
    let deadline = args.time.map(|time| start + time);
    let mut session = prepare::session(&args, deadline)?;
    let notes = session.input_notes.iter().chain(&session.note);
    notes.filter(|_| !args.verbosity.quiet).for_each(|note| eprint_line!("{note}"));
    let finished = session.train(start, &mut TrainingDisplay::new(args.verbosity.quiet, deadline))?;
    if !args.verbosity.quiet {
        summarise(&session, &finished);
    }
    if let Some(kept) = finished.evaluation.highlights.lost() {
        let share = 100.0 * kept;
        log::warn!(
            "the brightest pixels keep {share:.1} % of their light: train longer, or with the default hash grid"
        );
    }
    let Outcome { position, complete, .. } = finished.outcome;
    if let Some(until) = session.run().until.filter(|_| complete && !position.reached) {
        log::warn!("{until} dB were not reached: train longer, or with a larger network");
    }
    if let Some(failure) = finished.failure {
        bail!("{failure}");
    }
    let (before, after) = (finished.psnr_untrained, finished.evaluation.train.psnr());
    if let Some(before) = before.filter(|before| complete && after < before - WORSE) {
        log::warn!(
            "the picture is worse than before the first step ({before:.2} dB): give a lower --lr (with muon, --muon-lr)"
        );
    }
    if !complete && !signals::stop_requested() {
        log::warn!("the time was over before the last epoch, at which the learning rate ends");
    }
    // 0 unless a signal came.
    Ok(if complete { ExitCode::SUCCESS } else { signals::exit_code() })
}

/// A short summary of the results and where they are.
fn summarise(session: &Session, finished: &Finished) {
    let Finished { outcome, evaluation, psnr_spline, failure, .. } = finished;
    let Outcome { position, complete, step, kept_epoch, .. } = outcome;
    let folder = session.folder.path().display();
    let test = match evaluation.test.count {
        0 => String::new(),
        _ => {
            let spline = psnr_spline.map(|db| format!(" (a cubic spline {db:.2})")).unwrap_or_default();
            format!(", {:.2} dB on held-out pixels{spline}", evaluation.test.psnr())
        }
    };
    let kept = kept_epoch.map(|e| format!(", kept from epoch {e}")).unwrap_or_default();
    let done = match (complete, failure) {
        (false, _) => "stopped",
        (true, Some(_)) => "ended",
        (true, None) => "done",
    };
    let (psnr, seconds) = (evaluation.train.psnr(), position.seconds);
    let epochs = display::count(position.epochs_done, "epoch");
    print_line!("{done}: {psnr:.2} dB{test}{kept} after {epochs} ({step} steps) in {seconds:.1} s");
    print_line!("  {folder}/final.png          the picture as the network remembers it");
    print_line!("  {folder}/strip.png          beside the original; progress.gif shows the progress");
    print_line!("  {folder}/psnr.svg           quality over time; metrics.csv has the numbers");
    if !complete {
        print_line!("  afterimage train --resume {folder}   resumes from here");
    }
    print_line!("  {folder}/model.safetensors  the network; config.toml repeats the run");
}
