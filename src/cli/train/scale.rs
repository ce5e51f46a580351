//! `--sigma auto` and `--tune`: displays the search and records the values tried.

use super::TrainArgs;
use crate::cli::{display, signals};
use afterimage::block_on;
use afterimage::config::{Config, Scale};
use afterimage::job::DeviceOptions;
use afterimage::picture::Picture;
use afterimage::tune::{ScaleChoice, ScaleTrial, Watch, choose_scale};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Chooses `scale` for the run, sets it in `config`, and reports the cost.
pub(super) fn choose(
    scale: Scale,
    config: &mut Config,
    (picture, mask): (&Arc<Picture>, Option<&Picture>),
    options: &DeviceOptions,
    args: &TrainArgs,
) -> anyhow::Result<ScaleChoice> {
    let start = Instant::now();
    let device = config.device.request().with(options);
    let mut progress = Progress { on_terminal: !args.verbosity.quiet && display::redraws() };
    let choice = block_on(choose_scale(scale, config, (picture, mask), &device, &mut progress))?;
    if progress.on_terminal {
        let _ = write!(std::io::stderr(), "\x1b[K");
    }
    scale.set(config, Some(choice.value));
    if !args.verbosity.quiet {
        let (name, n, seconds) = (scale.name(), choice.trials.len(), start.elapsed().as_secs_f64());
        let (value, percent) = (choice.value, 100.0 * choice.cost);
        eprint_line!(
            "{name} {value:.1}, chosen on held-out pixels: {n} short trainings in {seconds:.1} s, {percent:.0} % of the run's steps"
        );
    }
    Ok(choice)
}

struct Progress {
    on_terminal: bool,
}

impl Watch for Progress {
    fn trial(&mut self, scale: Scale, trial: &ScaleTrial) {
        let (name, value) = (scale.name(), trial.value);
        log::info!("{name} {value}: loss {:e} on held-out pixels", trial.held_out_loss);
        if self.on_terminal {
            // A line that the next one overwrites.
            let _ = write!(std::io::stderr(), "\r\x1b[Kchoosing {name}: tried {value:.1}\r");
        }
    }

    fn stop_requested(&self) -> bool {
        signals::stop_requested()
    }
}
