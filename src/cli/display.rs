//! Progress of training: a bar on a terminal, plain lines elsewhere.

use super::signals::stop_requested;
use crate::output::harmless;
use afterimage::run::Display;
use afterimage::trainer::{EpochSummary, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Whether stderr is a terminal whose lines may be redrawn.
pub(super) fn redraws() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        && !is_set("NO_COLOR")
}

/// A progress meter: a bar on a terminal, occasional plain lines elsewhere, nothing if quiet.
pub(super) struct Meter {
    output: Output,
    interval: Duration,
    last_line: Instant,
}

enum Output {
    Quiet,
    Bar(ProgressBar),
    Lines,
}

impl Meter {
    /// `interval` is the time between plain lines, so that a log stays readable.
    pub(super) fn new(quiet: bool, interval: Duration) -> Self {
        let output = if quiet {
            Output::Quiet
        } else if redraws() {
            let style = ProgressStyle::with_template("{bar:28.cyan/blue} {percent:>3}%  {msg}  ETA {eta}")
                .expect("the template is valid");
            Output::Bar(ProgressBar::new(0).with_style(style))
        } else {
            Output::Lines
        };
        Self { output, interval, last_line: Instant::now() }
    }

    /// Advances the bar to `done` of `all`.
    pub(super) fn advance(&self, done: u64, all: u64, message: impl FnOnce() -> String) {
        if let Output::Bar(bar) = &self.output {
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(harmless(&message()).into_owned());
        }
    }

    /// Prints a plain line if there is no bar and the last one is old or this one is `due`.
    pub(super) fn line(&mut self, due: bool, text: impl FnOnce() -> String) {
        if matches!(self.output, Output::Lines) && (due || self.last_line.elapsed() >= self.interval) {
            self.last_line = Instant::now();
            eprint_line!("{}", text());
        }
    }

    /// Prints a line above the bar; if quiet, only when `urgent`.
    pub(super) fn say(&self, urgent: bool, text: &str) {
        match &self.output {
            Output::Bar(bar) => bar.println(harmless(text)),
            Output::Lines => eprint_line!("{text}"),
            Output::Quiet if urgent => eprint_line!("{text}"),
            Output::Quiet => {}
        }
    }

    /// Removes the bar.
    pub(super) fn close(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }
}

const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// The display of one run.
pub(super) struct TrainingDisplay {
    meter: Meter,
    start: Instant,
    samples: u64,
    latest: String,
    quality: String,
    /// When to stop.
    deadline: Option<Instant>,
}

impl TrainingDisplay {
    pub(super) fn new(quiet: bool, deadline: Option<Instant>) -> Self {
        let (latest, quality) = (String::new(), String::new());
        let meter = Meter::new(quiet, LINE_INTERVAL);
        Self { meter, start: Instant::now(), samples: 0, latest, quality, deadline }
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
        self.meter.advance(progress.step, progress.n_steps, || format!("{}  {}", self.latest, self.speed()));
    }

    fn epoch(&mut self, summary: &EpochSummary, n_epochs: u64) {
        if summary.epoch == 0 {
            self.start = Instant::now();
        }
        // Between measurements the last one stays visible.
        if let Some(train) = summary.psnr_train {
            let test = summary.psnr_test.map(|p| format!(" (test {p:.2} dB)")).unwrap_or_default();
            self.quality = format!("  {train:.2} dB{test}");
        }
        let due = self.latest.is_empty() || summary.epoch == n_epochs;
        self.latest = format!("epoch {}/{n_epochs}{}", summary.epoch, self.quality);
        let left = match summary.epoch {
            0 => String::new(),
            done => {
                let seconds = self.start.elapsed().as_secs_f64() * (n_epochs - done) as f64 / done as f64;
                format!("  {}  {seconds:.0} s left", self.speed())
            }
        };
        self.meter.line(due, || format!("{}{left}", self.latest));
    }

    fn finished(&mut self) {
        self.meter.close();
    }

    fn stop_requested(&self) -> bool {
        stop_requested() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// "1 epoch", "2 epochs".
pub(super) fn count(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Progress of work on a known number of pixels.
pub(super) struct WorkDisplay {
    meter: Meter,
    start: Instant,
    n_pixels: u64,
}

impl WorkDisplay {
    pub(super) fn new(quiet: bool, n_pixels: u64) -> Self {
        Self { meter: Meter::new(quiet, LINE_INTERVAL), start: Instant::now(), n_pixels }
    }

    /// Reports that `done` pixels are done; false if asked to stop.
    pub(super) fn advance(&mut self, done: u64) -> bool {
        let per_second = done as f64 / self.seconds().max(1e-9);
        let speed = || format!("{:.1} M points/s", per_second / 1e6);
        self.meter.advance(done, self.n_pixels, speed);
        self.meter.line(false, || {
            let left = (self.n_pixels - done) as f64 / per_second;
            let percent = 100.0 * done as f64 / self.n_pixels as f64;
            format!("{percent:.0} %  {}  {left:.0} s left", speed())
        });
        !stop_requested()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub(super) fn close(&self) {
        self.meter.close();
    }
}

/// Prints a report as JSON, or by `print`.
pub(super) fn report<T: serde::Serialize>(
    json: bool,
    report: &T,
    print: impl FnOnce(&T),
) -> anyhow::Result<()> {
    match json {
        true => print_line!("{}", serde_json::to_string_pretty(report)?),
        false => print(report),
    }
    Ok(())
}

/// How much is printed besides the results.
#[derive(clap::Args)]
pub(super) struct Verbosity {
    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print more about choices made; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Verbosity {
    pub(super) fn log_level(&self) -> &'static str {
        match self.verbose {
            _ if self.quiet => "error",
            0 => "warn",
            1 => "info",
            _ => "debug",
        }
    }
}
