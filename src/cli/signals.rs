//! Signals that ask to stop: the first one lets the work end with everything written, the second ends the program.

#[cfg_attr(not(windows), path = "signals/unix.rs")]
#[cfg_attr(windows, path = "signals/windows.rs")]
mod system;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

/// The exit code that the first signal asks for: 128 and its number, as in shells. 0 before.
static CODE: AtomicU8 = AtomicU8::new(0);

/// What is said when training is stopped.
pub(super) const STOPPING: &str =
    "\nstopping after this step and writing the results; press Ctrl-C again to end at once";

/// The error of a command that ends because a signal came: what is said then.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Stopped(pub(super) &'static str);

/// Of a command that keeps nothing.
pub(super) const NOTHING_WRITTEN: Stopped = Stopped("stopped; nothing was written");

/// Handles Ctrl-C, requests to terminate, and the loss of the terminal, unless they are ignored as under `nohup`. The
/// first prints `notice`, if any.
pub(super) fn handle(notice: Option<&'static str>) -> anyhow::Result<()> {
    Ok(system::handle(notice)?)
}

/// Whether a signal came.
pub(super) fn stop_requested() -> bool {
    CODE.load(Ordering::Relaxed) != 0
}

/// The exit code of a program stopped by the signal that came.
pub(super) fn exit_code() -> ExitCode {
    ExitCode::from(CODE.load(Ordering::Relaxed))
}

/// Notes a signal; false if one came before.
fn note(code: u8) -> bool {
    CODE.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
