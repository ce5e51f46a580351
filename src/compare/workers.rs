//! All cells of a plan, side by side.

use super::cell::{Cell, State};
use super::{CompareError, Comparison};
use crate::config::Config;
use crate::job::DeviceOptions;
use crate::run::Display;
use crate::trainer::{EpochSummary, Progress};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How the machine is divided among cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Cells trained at a time.
    pub jobs: usize,
    /// CPU threads per cell, 0 for all cores.
    pub(crate) threads: usize,
}

impl Share {
    /// For `pending` cells. A GPU takes one cell after another unless `jobs` says otherwise. On the CPU as many cells
    /// as cores run side by side, and fewer cells share the cores: results do not depend on the number of threads.
    pub fn new(pending: usize, jobs: Option<usize>, gpu: bool, cores: usize) -> Self {
        let jobs = jobs.unwrap_or(if gpu { 1 } else { cores }).clamp(1, pending.max(1));
        Self { jobs, threads: (cores / jobs).max(1) }
    }

    /// For `pending` runs of `config` on this machine's cores, or on as many as it allows.
    pub fn on_this_machine(pending: usize, jobs: Option<usize>, config: &Config, gpu: bool) -> Self {
        let cores = match config.device.request().threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        Self::new(pending, jobs, gpu, cores)
    }
}

/// Observes a comparison, from several threads at once.
pub trait Watch: Sync {
    /// A cell began, or is skipped because it is done.
    fn started(&self, cell: &Cell);
    /// `share` of a cell's epochs are done, 0 to 1.
    fn progress(&self, cell: &Cell, share: f64);
    /// A cell ended.
    fn ended(&self, cell: &Cell, ending: &Ending);
    /// Whether to stop after the current step.
    fn stop_requested(&self) -> bool;
}

/// How a cell ended.
#[derive(Debug)]
pub enum Ending {
    /// It was already done.
    Skipped,
    /// It is done now.
    Trained,
    /// It was stopped, and resumes next time.
    Stopped,
    /// It failed; the others go on.
    Failed(CompareError),
}

/// Work of a cell in floating-point operations, for progress and ordering.
pub fn work(cell: &Cell) -> f64 {
    let run = &cell.run;
    let steps = run.epochs as f64 * f64::from(run.steps_per_epoch());
    // A step of one sample is dominated by reading the weights.
    steps * run.model.network.training_flop((run.batch_size as usize).max(8))
}

/// Trains all cells that are not done, on devices opened with `options`. The longest come first, so that none is left
/// running alone at the end. Returns how each cell ended, in order, and marks the finished ones as done.
pub fn run(plan: &mut Comparison, share: Share, options: &DeviceOptions, watch: &dyn Watch) -> Vec<Ending> {
    let mut order: Vec<&Cell> = plan.cells.iter().collect();
    order.sort_by(|a, b| work(b).total_cmp(&work(a)));
    let next = AtomicUsize::new(0);
    let endings: Mutex<Vec<Option<Ending>>> = Mutex::new(plan.cells.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..share.jobs {
            scope.spawn(|| {
                while let Some(cell) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ending = end(cell, (share.threads, options), watch);
                    watch.ended(cell, &ending);
                    endings.lock().expect("no worker panicked")[cell.index] = Some(ending);
                }
            });
        }
    });
    let endings = endings.into_inner().expect("no worker panicked");
    let endings: Vec<Ending> = endings.into_iter().map(|e| e.expect("every cell was taken")).collect();
    for (cell, ending) in plan.cells.iter_mut().zip(&endings) {
        cell.state = match ending {
            Ending::Skipped | Ending::Trained => State::Done,
            Ending::Stopped | Ending::Failed(_) => State::Begun,
        };
    }
    endings
}

fn end(cell: &Cell, machine: (usize, &DeviceOptions), watch: &dyn Watch) -> Ending {
    if cell.state == State::Done {
        return Ending::Skipped;
    }
    if watch.stop_requested() {
        return Ending::Stopped;
    }
    watch.started(cell);
    match cell.train(machine, &mut CellDisplay { cell, watch }) {
        Ok(true) => Ending::Trained,
        Ok(false) => Ending::Stopped,
        Err(error) => Ending::Failed(error),
    }
}

struct CellDisplay<'a> {
    cell: &'a Cell,
    watch: &'a dyn Watch,
}

impl Display for CellDisplay<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.watch.progress(self.cell, progress.step as f64 / progress.n_steps.max(1) as f64);
    }

    fn epoch(&mut self, _: &EpochSummary, _: u64) {}

    fn stop_requested(&self) -> bool {
        self.watch.stop_requested()
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn cores_are_shared_by_cells() {
        let cpu = |pending, jobs| Share::new(pending, jobs, false, 8);
        assert_eq!(cpu(20, None), Share { jobs: 8, threads: 1 });
        assert_eq!(cpu(3, None), Share { jobs: 3, threads: 2 });
        assert_eq!(cpu(20, Some(2)), Share { jobs: 2, threads: 4 });
        assert_eq!(cpu(0, None), Share { jobs: 1, threads: 8 });
        assert_eq!(Share::new(20, None, true, 8), Share { jobs: 1, threads: 8 });
        assert_eq!(Share::new(20, Some(3), true, 8).jobs, 3);
    }
}
