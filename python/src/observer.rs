//! What Python sees of a run while it trains.

use crate::values::array_of;
use afterimage::config::Scale;
use afterimage::picture::Picture;
use afterimage::trainer::{EpochSummary, Observer, Position, Progress, TrainError};
use afterimage::tune::{ScaleTrial, Watch};
use pyo3::prelude::*;
use pyo3::types::PyBool;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// How often Python is asked for signals, and a progress bar moves.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What a callback gets before the first epoch and after each.
#[pyclass(frozen, get_all, module = "afterimage")]
pub(crate) struct Epoch {
    /// Passes done; 0 is the untrained network.
    epoch: u64,
    /// Optimiser steps done.
    step: u64,
    /// Time since the run began.
    seconds: f64,
    /// Learning rate of the epoch's last step.
    lr: f64,
    /// Mean loss of the epoch's steps; None for epoch 0.
    loss: Option<f64>,
    /// PSNR in dB of the training pixels, if it was measured.
    psnr_train: Option<f64>,
    /// PSNR in dB of the held-out pixels, if there are any.
    psnr_test: Option<f64>,
    /// The network's picture as an array, if one was made.
    picture: Option<Py<PyAny>>,
}

#[pymethods]
impl Epoch {
    fn __repr__(&self) -> String {
        let psnr = self.psnr_train.map(|psnr| format!(", psnr_train={psnr:.2}")).unwrap_or_default();
        format!("Epoch(epoch={}, step={}{psnr})", self.epoch, self.step)
    }
}

/// Why a run was asked to stop.
enum Stop {
    /// The callback returned False, or the time is over.
    Asked,
    /// An exception, of a callback or of Ctrl-C.
    Raised(PyErr),
}

/// Python's hooks into a run.
pub(crate) struct Hooks {
    pub(crate) callback: Option<Py<PyAny>>,
    /// Makes a progress bar for a number of steps, like tqdm.
    pub(crate) progress: Option<Py<PyAny>>,
    /// When to stop at the latest.
    pub(crate) deadline: Option<Instant>,
}

/// Passes a run on to Python, and Python's signals to the run.
pub(crate) struct Watcher {
    hooks: Hooks,
    bar: Option<Py<PyAny>>,
    /// Steps that the bar shows, and those done.
    shown: u64,
    done: u64,
    /// A row for each epoch.
    pub(crate) rows: Vec<EpochSummary>,
    stop: RefCell<Option<Stop>>,
    last_look: Cell<Instant>,
}

impl Watcher {
    pub(crate) fn new(hooks: Hooks) -> Self {
        let (stop, last_look) = (RefCell::new(None), Cell::new(Instant::now()));
        Self { hooks, bar: None, shown: 0, done: 0, rows: Vec::new(), stop, last_look }
    }

    /// Makes the progress bar.
    pub(crate) fn begin(&mut self, n_steps: u64) -> PyResult<()> {
        let make = |bar: &Py<PyAny>| Python::attach(|py| bar.call1(py, (n_steps,)));
        self.bar = self.hooks.progress.as_ref().map(make).transpose()?;
        Ok(())
    }

    /// Closes the progress bar. The exception that ended the run, if any.
    pub(crate) fn end(mut self) -> (Vec<EpochSummary>, Option<PyErr>) {
        let closed = Python::attach(|py| {
            self.show(py)?;
            self.bar.as_ref().map(|bar| bar.call_method0(py, "close")).transpose()
        });
        self.note(closed.map(|_| true));
        let raised = match self.stop.into_inner() {
            Some(Stop::Raised(error)) => Some(error),
            _ => None,
        };
        (self.rows, raised)
    }

    /// Stops at the first exception, or if Python says no.
    fn note(&self, go_on: PyResult<bool>) {
        let stop = match go_on {
            Ok(true) => return,
            Ok(false) => Stop::Asked,
            Err(error) => Stop::Raised(error),
        };
        let mut before = self.stop.borrow_mut();
        if !matches!(*before, Some(Stop::Raised(_))) {
            *before = Some(stop);
        }
    }

    /// Whether it is time to look after Python.
    fn is_due(&self) -> bool {
        self.last_look.get().elapsed() >= BETWEEN_LOOKS
    }

    /// Moves the bar to the steps done.
    fn show(&mut self, py: Python<'_>) -> PyResult<()> {
        let moved = self.done as i64 - self.shown as i64;
        if let Some(bar) = self.bar.as_ref().filter(|_| moved != 0) {
            bar.call_method1(py, "update", (moved,))?;
        }
        self.shown = self.done;
        Ok(())
    }

    fn tell(&self, py: Python<'_>, summary: &EpochSummary, picture: Option<Picture>) -> PyResult<bool> {
        if let (Some(bar), Some(psnr)) = (&self.bar, summary.psnr_train) {
            bar.call_method1(py, "set_postfix_str", (format!("{psnr:.2} dB"), false))?;
        }
        let Some(callback) = &self.hooks.callback else { return Ok(true) };
        let picture = picture.map(|picture| array_of(py, picture)).transpose()?;
        let EpochSummary { epoch, step, seconds, lr, loss, psnr_train, psnr_test } = *summary;
        let picture = picture.map(Bound::unbind);
        let epoch = Epoch { epoch, step, seconds, lr, loss, psnr_train, psnr_test, picture };
        let answer = callback.call1(py, (epoch,))?;
        // None, as of a function that returns nothing, means to go on.
        Ok(!answer.bind(py).cast::<PyBool>().is_ok_and(|go_on| !go_on.is_true()))
    }
}

impl Observer for Watcher {
    type Error = TrainError;

    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), TrainError> {
        self.rows.push(summary.clone());
        if self.bar.is_some() || self.hooks.callback.is_some() {
            let told = Python::attach(|py| self.tell(py, summary, snapshot));
            self.note(told);
        }
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        self.done = progress.step;
        if self.bar.is_some() && self.is_due() {
            let shown = Python::attach(|py| self.show(py));
            self.note(shown.map(|()| true));
        }
    }

    fn stop_requested(&self) -> bool {
        if self.hooks.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.note(Ok(false));
        }
        if self.is_due() {
            self.last_look.set(Instant::now());
            self.note(Python::attach(|py| py.check_signals()).map(|()| true));
        }
        self.stop.borrow().is_some()
    }

    fn restarted(&mut self) -> Result<(), TrainError> {
        self.rows.clear();
        Ok(())
    }

    fn rolled_back(&mut self, position: &Position) -> Result<(), TrainError> {
        self.rows.retain(|row| row.epoch <= position.epochs_done);
        Ok(())
    }
}

impl Watch for &Watcher {
    fn trial(&mut self, _: Scale, _: &ScaleTrial) {}

    fn stop_requested(&self) -> bool {
        Observer::stop_requested(*self)
    }
}
