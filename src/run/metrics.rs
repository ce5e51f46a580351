//! `metrics.csv`: one line per epoch.

use super::RunError;
use crate::atomic_write::{Durability, atomic_write};
use crate::read_file::open_regular;
use crate::trainer::EpochSummary;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

const HEADER: &str = "epoch,step,seconds,lr,loss,psnr_train,psnr_test\n";

/// Appends whole lines to `metrics.csv`.
#[derive(Debug)]
pub struct MetricsWriter {
    file: File,
    path: PathBuf,
    size_bytes: u64,
}

impl MetricsWriter {
    /// Rewrites the file with `rows`, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, rows: &[EpochSummary]) -> Result<Self, RunError> {
        let error = |e: std::io::Error| RunError::write(path, &e);
        let text: String = std::iter::once(HEADER.to_owned()).chain(rows.iter().map(line)).collect();
        atomic_write(path, Durability::Cached, |out| out.write_all(text.as_bytes())).map_err(error)?;
        let file = File::options().append(true).open(path).map_err(error)?;
        Ok(Self { file, path: path.to_owned(), size_bytes: text.len() as u64 })
    }

    /// Flushes the rows to the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(|e| RunError::write(&self.path, &e))
    }

    /// Adds one row.
    ///
    /// # Errors
    /// When it cannot be written; the file then still ends with a complete line.
    pub fn write(&mut self, row: &EpochSummary) -> Result<(), RunError> {
        let line = line(row);
        if let Err(e) = self.file.write_all(line.as_bytes()) {
            // A full disk may have truncated the line. Shrinking needs no space.
            self.file.set_len(self.size_bytes).map_err(|e| RunError::write(&self.path, &e))?;
            return Err(RunError::write(&self.path, &e));
        }
        self.size_bytes += line.len() as u64;
        Ok(())
    }
}

/// A row as text. Numbers are written so that they read back exactly; what was not measured is empty.
fn line(row: &EpochSummary) -> String {
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    format!(
        "{},{},{:.3},{:e},{},{},{}\n",
        row.epoch,
        row.step,
        row.seconds,
        row.lr,
        optional(row.loss),
        optional(row.psnr_train),
        optional(row.psnr_test),
    )
}

/// Maximum line length. A number as small as 1e-308 is written with all its zeros, so seven of them may take 2 KiB.
const MAX_LINE_BYTES: u64 = 4096;

/// The rows of epochs up to `last_epoch` in an earlier run's file. Reading stops at the first line that is incomplete
/// or out of order, as a kill or a full disk may leave; so a file that is something else, or endless, is not read
/// further.
pub fn read_metrics(path: &Path, last_epoch: u64) -> Vec<EpochSummary> {
    let Ok((file, _)) = open_regular(path) else { return Vec::new() };
    let mut lines = BufReader::new(file);
    let mut rows = Vec::new();
    if whole_line(&mut lines).is_none() {
        return rows;
    }
    while let Some(row) = whole_line(&mut lines).as_deref().and_then(parse) {
        if row.epoch != rows.len() as u64 || row.epoch > last_epoch {
            break;
        }
        rows.push(row);
    }
    rows
}

/// The next line without its end; `None` if it is unterminated.
fn whole_line(lines: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    lines.take(MAX_LINE_BYTES).read_line(&mut line).ok()?;
    line.ends_with('\n').then(|| line.trim_end_matches('\n').to_owned())
}

fn parse(line: &str) -> Option<EpochSummary> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[epoch, step, seconds, lr, loss, psnr_train, psnr_test] = fields.as_slice() else { return None };
    let optional = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    Some(EpochSummary {
        epoch: epoch.parse().ok()?,
        step: step.parse().ok()?,
        seconds: seconds.parse().ok()?,
        lr: lr.parse().ok()?,
        loss: optional(loss)?,
        psnr_train: optional(psnr_train)?,
        psnr_test: optional(psnr_test)?,
    })
}
