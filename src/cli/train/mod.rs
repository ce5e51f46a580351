//! `afterimage train`: one picture, one network, one run folder.

mod args;
mod session;
mod sigma;

use super::display::{self, TrainingDisplay};
use afterimage::backend::BackendError;
use afterimage::run::{Recorder, Results, RunError, Timings};
use afterimage::trainer::{Outcome, Position, TrainError, Trainer};
use anyhow::bail;
pub(super) use args::TrainArgs;
use session::Session;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a run goes on with a fresh device after losing one.
const MAX_DEVICE_LOSSES: usize = 3;

pub(super) fn run(args: TrainArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let mut session = Session::prepare(&args)?;
    if let Some(note) = session.note.take().filter(|_| !args.quiet) {
        tell!("{note}");
    }
    display::handle_ctrl_c()?;
    let mut losses = 0;
    loop {
        match train(&args, &mut session, start) {
            Err(Interrupted::Run(error)) => return Err(error.into()),
            Err(Interrupted::DeviceLost(reason)) => recover(&args, &mut session, reason, &mut losses)?,
            Ok(code) => return Ok(code),
        }
    }
}

/// Why a run did not come to its end.
enum Interrupted {
    DeviceLost(String),
    Run(RunError),
}

impl From<RunError> for Interrupted {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Train(TrainError::Backend(BackendError::DeviceLost(reason))) => {
                Self::DeviceLost(reason)
            }
            error => Self::Run(error),
        }
    }
}

/// Opens a lost device anew, with the last good state on it, unless it was lost too often.
fn recover(
    args: &TrainArgs,
    session: &mut Session,
    mut reason: String,
    losses: &mut usize,
) -> anyhow::Result<()> {
    let folder = session.folder.path().display().to_string();
    let advice = format!("`afterimage train --resume {folder}` goes on, also with --backend cpu");
    while *losses < MAX_DEVICE_LOSSES {
        *losses += 1;
        let epoch = session.checkpoint.as_ref().map_or(0, |c| c.position.epochs_done);
        tell!("the GPU stopped answering ({reason}): opening it anew and going on from epoch {epoch}");
        match session.reopen(args.threads.into()) {
            Ok(()) => return Ok(()),
            Err(BackendError::DeviceLost(again)) => reason = again,
            Err(error) => bail!("the GPU could not be opened again: {error}; {advice}"),
        }
        // A driver that restarts needs a moment.
        std::thread::sleep(Duration::from_secs(1));
    }
    bail!("the GPU stopped answering {} times ({reason}); {advice}", MAX_DEVICE_LOSSES + 1)
}

/// From the session's position to the end; on an error the session holds the last good state.
fn train(args: &TrainArgs, session: &mut Session, start: Instant) -> Result<ExitCode, Interrupted> {
    let startup_seconds = start.elapsed().as_secs_f64();
    let Session { folder, run, picture, backend, checkpoint, .. } = session;
    let position = checkpoint.as_ref().map_or_else(Position::default, |c| c.position);
    let fingerprint = session::fingerprint(run, picture);
    let mut display = TrainingDisplay::new(args.quiet);
    let mut recorder = Recorder::new(folder, run, fingerprint, &position, &mut display)?;
    let best = checkpoint.as_ref().and_then(|c| c.best.clone());
    let mut trainer = Trainer::new(run, picture, backend.as_mut(), position).with_best(best);
    let outcome = trainer.run(&mut recorder);
    let metrics = recorder.finish();
    display.close();
    let good = trainer.into_last_good();
    // None where the device failed before the run began: what was known before still holds.
    if good.is_some() {
        checkpoint.clone_from(&good);
    }
    let (outcome, diverged) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(error) => {
            match (error, good) {
                // What was learned before it went wrong is still worth having.
                (RunError::Train(error @ TrainError::Diverged { .. }), Some(good)) => {
                    backend.set_state(&good.state).map_err(|e| RunError::from(TrainError::from(e)))?;
                    let (position, step) = (good.position, good.state.step);
                    (
                        Outcome { position, complete: false, step, evaluation: None, kept_epoch: None },
                        Some(error),
                    )
                }
                (error, _) => return Err(error.into()),
            }
        }
    };
    let evaluation = match outcome.evaluation.clone() {
        Some(evaluation) => evaluation,
        None => {
            let mut trainer = Trainer::new(run, picture, backend.as_mut(), outcome.position);
            trainer.evaluate(true).map_err(RunError::from)?
        }
    };
    let trained = outcome.position.seconds - position.seconds;
    let results = Results {
        folder,
        run,
        picture,
        evaluation,
        metrics: &metrics?,
        outcome: &outcome,
        timings: Timings {
            startup_seconds,
            training_seconds: outcome.position.seconds,
            samples_per_second: display.samples() as f64 / trained.max(1e-9),
        },
    };
    results.write(backend.as_mut())?;
    if let Some(error) = diverged {
        return Err(RunError::from(error).into());
    }
    if !args.quiet {
        summarise(&results);
    }
    Ok(if outcome.complete { ExitCode::SUCCESS } else { ExitCode::from(display::INTERRUPTED) })
}

/// A few lines about what came out and where it lies.
fn summarise(results: &Results) {
    let Outcome { position, complete, step, .. } = results.outcome;
    let folder = results.folder.path().display();
    let test = match results.evaluation.test.count {
        0 => String::new(),
        _ => format!(", {:.2} dB on the pixels it never saw", results.evaluation.test.psnr()),
    };
    let kept = results.outcome.kept_epoch.map(|e| format!(", kept from epoch {e}")).unwrap_or_default();
    let done = if *complete { "done" } else { "stopped" };
    show!(
        "{done}: {:.2} dB{test}{kept} after {} ({step} steps) in {:.1} s",
        results.evaluation.train.psnr(),
        display::count(position.epochs_done, "epoch"),
        position.seconds,
    );
    show!("  {folder}/final.png          the picture as the network remembers it");
    show!("  {folder}/strip.png          beside the original; progress.gif shows how it came");
    show!("  {folder}/psnr.svg           quality over time; metrics.csv has the numbers");
    if !complete {
        show!("  afterimage train --resume {folder}   goes on from here");
    }
    show!("  {folder}/model.safetensors  the network; config.toml repeats the run");
}
