//! `--sigma auto`: displays the search and records the values tried.

use super::TrainArgs;
use crate::cli::{display, signals};
use afterimage::block_on;
use afterimage::config::{Config, Sigma};
use afterimage::job::DeviceOptions;
use afterimage::picture::Picture;
use afterimage::tune::{SigmaChoice, SigmaTrial, Watch, choose_sigma};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Chooses sigma for the run, sets it in `config`, and reports the cost.
pub(super) fn choose(
    config: &mut Config,
    (picture, mask): (&Arc<Picture>, Option<&Picture>),
    options: &DeviceOptions,
    args: &TrainArgs,
) -> anyhow::Result<SigmaChoice> {
    let start = Instant::now();
    let device = config.device.request().with(options);
    let mut progress = Progress { on_terminal: !args.verbosity.quiet && display::redraws() };
    let choice = block_on(choose_sigma(config, (picture, mask), &device, &mut progress))?;
    if progress.on_terminal {
        let _ = write!(std::io::stderr(), "\x1b[K");
    }
    config.encoding.sigma = Some(Sigma::Fixed(choice.sigma));
    if !args.verbosity.quiet {
        eprint_line!(
            "sigma {:.1}, chosen on held-out pixels: {} short trainings in {:.1} s, {:.0} % of the run's steps",
            choice.sigma,
            choice.trials.len(),
            start.elapsed().as_secs_f64(),
            100.0 * choice.cost,
        );
    }
    Ok(choice)
}

struct Progress {
    on_terminal: bool,
}

impl Watch for Progress {
    fn trial(&mut self, trial: &SigmaTrial) {
        log::info!("sigma {}: loss {:e} on held-out pixels", trial.sigma, trial.held_out_loss);
        if self.on_terminal {
            // A line that the next one overwrites.
            let _ = write!(std::io::stderr(), "\r\x1b[Kchoosing sigma: tried {:.1}\r", trial.sigma);
        }
    }

    fn stop_requested(&self) -> bool {
        signals::stop_requested()
    }
}
