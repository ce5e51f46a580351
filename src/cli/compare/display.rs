//! Progress of a grid: one bar on a terminal, plain lines elsewhere.

use super::super::display::{Meter, count};
use super::super::signals;
use afterimage::causes::with_causes;
use afterimage::compare::{Cell, Comparison, Ending, Share, State, Watch, work};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Interval between plain lines while no run ends.
const LINE_INTERVAL: Duration = Duration::from_secs(20);

/// Steps of the bar.
const RESOLUTION: u64 = 10_000;

/// The display of one comparison; its cells report from several threads.
pub(super) struct GridDisplay {
    progress: Mutex<Progress>,
}

struct Progress {
    meter: Meter,
    /// The work of each cell, and the share done.
    cells: Vec<(f64, f64)>,
    running: Vec<String>,
    ended: usize,
    pending: usize,
}

impl Progress {
    /// The share of all work that is done.
    fn share(&self) -> f64 {
        let all: f64 = self.cells.iter().map(|(work, _)| work).sum();
        let done: f64 = self.cells.iter().map(|(work, share)| work * share).sum();
        done / all.max(1.0)
    }

    fn show(&mut self) {
        let share = self.share();
        let now = self.running.first().map_or("", String::as_str);
        let message = || format!("{}/{} runs  {now}", self.ended, self.pending);
        self.meter.advance((share * RESOLUTION as f64) as u64, RESOLUTION, message);
        self.meter.line(false, || format!("{:.0} %", share * 100.0));
    }
}

impl GridDisplay {
    pub(super) fn new(plan: &Comparison, share: Share, quiet: bool) -> Self {
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
            eprint_line!("{} to train{skipped}{at_a_time}", count(pending as u64, "run"));
        }
        let weight = |cell: &Cell| if cell.state == State::Done { 0.0 } else { work(cell) };
        let cells = plan.cells.iter().map(|cell| (weight(cell), 0.0)).collect();
        let meter = Meter::new(quiet || pending == 0, LINE_INTERVAL);
        let progress = Progress { meter, cells, running: Vec::new(), ended: 0, pending };
        Self { progress: Mutex::new(progress) }
    }

    pub(super) fn close(&self) {
        self.lock().meter.close();
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("no worker panicked")
    }
}

impl Watch for GridDisplay {
    fn started(&self, cell: &Cell) {
        let mut progress = self.lock();
        progress.running.push(cell.label.clone());
        progress.show();
    }

    fn progress(&self, cell: &Cell, share: f64) {
        let mut progress = self.lock();
        progress.cells[cell.index].1 = share;
        progress.show();
    }

    fn ended(&self, cell: &Cell, ending: &Ending) {
        if matches!(ending, Ending::Skipped) {
            return;
        }
        let mut progress = self.lock();
        progress.running.retain(|label| *label != cell.label);
        progress.cells[cell.index].1 = 1.0;
        progress.ended += 1;
        progress.show();
        let (ended, pending) = (progress.ended, progress.pending);
        match ending {
            Ending::Trained => progress.meter.say(false, &format!("{ended}/{pending}  {}", cell.label)),
            Ending::Failed(error) => {
                progress.meter.say(true, &format!("{} failed: {}", cell.label, with_causes(error)));
            }
            Ending::Skipped | Ending::Stopped => {}
        }
    }

    fn stop_requested(&self) -> bool {
        signals::stop_requested()
    }
}
