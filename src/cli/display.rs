//! What a person sees during training: a bar on a terminal, plain lines elsewhere.

use afterimage::run::Display;
use afterimage::trainer::{EpochSummary, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Exit code of a run ended by Ctrl-C: 128 + SIGINT, as shells have it.
pub(super) const INTERRUPTED: u8 = 130;

/// Makes the first Ctrl-C end the run after the step in hand and the second end the program.
pub(super) fn handle_ctrl_c() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        tell!("\nstopping after this step and writing the results; press Ctrl-C again to end at once");
    })?;
    Ok(())
}

/// Whether Ctrl-C was pressed.
pub(super) fn stop_requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Between plain lines, so that a log stays readable.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// The display of one run.
pub(super) struct TrainingDisplay {
    output: Output,
    start: Instant,
    last_line: Option<Instant>,
    samples: u64,
    latest: String,
    quality: String,
}

enum Output {
    Quiet,
    Bar(ProgressBar),
    Lines,
}

impl TrainingDisplay {
    pub(super) fn new(quiet: bool) -> Self {
        let output = if quiet {
            Output::Quiet
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:28.cyan/blue} {percent:>3}%  {msg}  ETA {eta}")
                .expect("the template is valid");
            Output::Bar(ProgressBar::new(0).with_style(style))
        } else {
            Output::Lines
        };
        Self {
            output,
            start: Instant::now(),
            last_line: None,
            samples: 0,
            latest: String::new(),
            quality: String::new(),
        }
    }

    fn speed(&self) -> String {
        let per_second = self.samples as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
        match per_second {
            s if s >= 1e6 => format!("{:.1} M samples/s", s / 1e6),
            s => format!("{:.0} k samples/s", s / 1e3),
        }
    }
}

impl Display for TrainingDisplay {
    fn progress(&mut self, progress: &Progress) {
        self.samples += progress.n_samples;
        if let Output::Bar(bar) = &self.output {
            bar.set_length(progress.n_steps);
            bar.set_position(progress.step);
            bar.set_message(format!("{}  {}", self.latest, self.speed()));
        }
    }

    fn epoch(&mut self, summary: &EpochSummary, n_epochs: u64) {
        if summary.epoch == 0 {
            self.start = Instant::now();
        }
        // Between measurements the last one stays in sight.
        if let Some(train) = summary.psnr_train {
            let test = summary.psnr_test.map(|p| format!(" (test {p:.2} dB)")).unwrap_or_default();
            self.quality = format!("  {train:.2} dB{test}");
        }
        self.latest = format!("epoch {}/{n_epochs}{}", summary.epoch, self.quality);
        let last = summary.epoch == n_epochs;
        let due = self.last_line.is_none_or(|t| t.elapsed() >= LINE_INTERVAL) || last;
        if matches!(self.output, Output::Lines) && due {
            self.last_line = Some(Instant::now());
            let left = match summary.epoch {
                0 => String::new(),
                done => {
                    let seconds = self.start.elapsed().as_secs_f64() * (n_epochs - done) as f64 / done as f64;
                    format!("  {}  {seconds:.0} s left", self.speed())
                }
            };
            tell!("{}{left}", self.latest);
        }
    }

    fn finished(&mut self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }

    fn stop_requested(&self) -> bool {
        stop_requested()
    }
}

/// "1 epoch", "2 epochs".
pub(super) fn count(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Makes the first Ctrl-C end the work in hand, which then writes nothing, and the second the
/// program.
pub(super) fn stop_on_ctrl_c() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })?;
    Ok(())
}

/// The display of work on a known number of pixels.
pub(super) struct WorkDisplay {
    output: Output,
    start: Instant,
    last_line: Instant,
    n_pixels: u64,
}

impl WorkDisplay {
    pub(super) fn new(quiet: bool, n_pixels: u64) -> Self {
        let output = if quiet {
            Output::Quiet
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:28.cyan/blue} {percent:>3}%  {msg}  ETA {eta}")
                .expect("the template is valid");
            Output::Bar(ProgressBar::new(n_pixels).with_style(style))
        } else {
            Output::Lines
        };
        let now = Instant::now();
        Self { output, start: now, last_line: now, n_pixels }
    }

    /// Shows that `done` pixels are done; false when someone asked to stop.
    pub(super) fn advance(&mut self, done: u64) -> bool {
        let per_second = done as f64 / self.seconds().max(1e-9);
        match &self.output {
            Output::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(format!("{:.1} M points/s", per_second / 1e6));
            }
            Output::Lines if self.last_line.elapsed() >= LINE_INTERVAL => {
                self.last_line = Instant::now();
                let left = (self.n_pixels - done) as f64 / per_second;
                let percent = 100.0 * done as f64 / self.n_pixels as f64;
                tell!("{percent:.0} %  {:.1} M points/s  {left:.0} s left", per_second / 1e6);
            }
            _ => {}
        }
        !STOP.load(Ordering::Relaxed)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Takes the bar away.
    pub(super) fn close(&mut self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }
}
