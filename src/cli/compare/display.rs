//! What a person sees while a grid is trained: one bar on a terminal, plain lines elsewhere.

use super::super::display::{self as shared, count};
use super::chain;
use afterimage::compare::{Cell, Ending, Plan, Share, State, Watch, work};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between plain lines while no run ends.
const LINE_INTERVAL: Duration = Duration::from_secs(20);

/// Steps of the bar.
const RESOLUTION: u64 = 10_000;

/// The display of one comparison; its cells report from several threads.
pub(super) struct GridDisplay {
    output: Output,
    progress: Mutex<Progress>,
}

enum Output {
    Quiet,
    Bar(ProgressBar),
    Lines,
}

struct Progress {
    /// Work of each cell, and the share of it that is done.
    cells: Vec<(f64, f64)>,
    running: Vec<String>,
    ended: usize,
    pending: usize,
    last_line: Instant,
}

impl Progress {
    /// Share of all work that is done.
    fn share(&self) -> f64 {
        let all: f64 = self.cells.iter().map(|(work, _)| work).sum();
        let done: f64 = self.cells.iter().map(|(work, share)| work * share).sum();
        done / all.max(1.0)
    }
}

impl GridDisplay {
    pub(super) fn new(plan: &Plan, share: Share, quiet: bool) -> Self {
        let pending = plan.pending();
        let skipped = plan.cells.len() - pending;
        if !quiet {
            let skipped = match skipped {
                0 => String::new(),
                n => format!(", {n} done before"),
            };
            let at_a_time = match share.jobs.min(pending) {
                0 => String::new(),
                n => format!(", {n} at a time"),
            };
            tell!("{} to train{skipped}{at_a_time}", count(pending as u64, "run"));
        }
        let output = if quiet || pending == 0 {
            Output::Quiet
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:28.cyan/blue} {percent:>3}%  {msg}  ETA {eta}")
                .expect("the template is valid");
            Output::Bar(ProgressBar::new(RESOLUTION).with_style(style))
        } else {
            Output::Lines
        };
        let weight = |cell: &Cell| if cell.state == State::Done { 0.0 } else { work(cell) };
        let cells = plan.cells.iter().map(|cell| (weight(cell), 0.0)).collect();
        let progress = Progress { cells, running: Vec::new(), ended: 0, pending, last_line: Instant::now() };
        Self { output, progress: Mutex::new(progress) }
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }

    fn update(&self, change: impl FnOnce(&mut Progress)) -> (usize, usize) {
        let mut progress = self.progress.lock().expect("no worker panicked");
        change(&mut progress);
        if let Output::Bar(bar) = &self.output {
            bar.set_position((progress.share() * RESOLUTION as f64) as u64);
            let now = progress.running.first().map_or("", String::as_str);
            bar.set_message(format!("{}/{} runs  {now}", progress.ended, progress.pending));
        }
        if matches!(self.output, Output::Lines) && progress.last_line.elapsed() >= LINE_INTERVAL {
            progress.last_line = Instant::now();
            tell!("{:.0} %", progress.share() * 100.0);
        }
        (progress.ended, progress.pending)
    }

    fn line(&self, text: &str) {
        match &self.output {
            Output::Bar(bar) => bar.println(text),
            Output::Lines => tell!("{text}"),
            Output::Quiet => {}
        }
    }
}

impl Watch for GridDisplay {
    fn started(&self, cell: &Cell) {
        self.update(|progress| progress.running.push(cell.label.clone()));
    }

    fn progress(&self, cell: &Cell, share: f64) {
        self.update(|progress| progress.cells[cell.index].1 = share);
    }

    fn ended(&self, cell: &Cell, ending: &Ending) {
        if matches!(ending, Ending::Skipped) {
            return;
        }
        let (ended, pending) = self.update(|progress| {
            progress.running.retain(|label| *label != cell.label);
            progress.cells[cell.index].1 = 1.0;
            progress.ended += 1;
        });
        match ending {
            Ending::Trained => self.line(&format!("{ended}/{pending}  {}", cell.label)),
            // Said even where nothing else is.
            Ending::Failed(error) => {
                let text = format!("{} failed: {}", cell.label, chain(error));
                match &self.output {
                    Output::Bar(bar) => bar.println(text),
                    _ => tell!("{text}"),
                }
            }
            Ending::Skipped | Ending::Stopped => {}
        }
    }

    fn stop_requested(&self) -> bool {
        shared::stop_requested()
    }
}
