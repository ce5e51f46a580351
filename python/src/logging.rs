//! The library's log, passed on to Python's module `logging`, to the logger `afterimage`.

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;

struct ToPython;

impl Log for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Logs of graphics drivers and wgpu are only useful to their developers.
        metadata.target().starts_with("afterimage")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let method = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        let said = Python::attach(|py| -> PyResult<()> {
            let logger = py.import("logging")?.call_method1("getLogger", ("afterimage",))?;
            logger.call_method1(method, ("%s", record.args().to_string()))?;
            Ok(())
        });
        if let Err(error) = said {
            eprintln!("{}: {error}", record.args());
        }
    }

    fn flush(&self) {}
}

/// Begins to pass the log on. Not done by importing the package, whose command has a log of its own.
pub(crate) fn pass_on() {
    if log::set_logger(&ToPython).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
