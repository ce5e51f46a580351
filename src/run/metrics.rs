//! `metrics.csv`: one line per epoch.

use super::RunError;
use crate::atomic_write::write_cached;
use crate::read_file::open_regular;
use crate::trainer::EpochSummary;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER: &str = "epoch,step,seconds,lr,loss,psnr_train,psnr_test\n";

/// Appends whole lines to `metrics.csv`.
#[derive(Debug)]
pub struct MetricsWriter {
    /// `None` while the file is replaced, which Windows refuses if it is open.
    file: Option<File>,
    path: PathBuf,
    size_bytes: u64,
}

impl MetricsWriter {
    /// Rewrites the file with `rows`, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, rows: &[EpochSummary]) -> Result<Self, RunError> {
        let mut writer = Self { file: None, path: path.to_owned(), size_bytes: 0 };
        writer.rewrite(rows)?;
        Ok(writer)
    }

    /// Replaces what was written with `rows`, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rewrite(&mut self, rows: &[EpochSummary]) -> Result<(), RunError> {
        self.file = None;
        let text: String = std::iter::once(HEADER.to_owned()).chain(rows.iter().map(line)).collect();
        let replaced = write_cached(&self.path, text.as_bytes());
        // For writing, not only appending: on Windows only then may it be shortened.
        let opened = replaced.and_then(|()| File::options().write(true).open(&self.path));
        let mut file = opened.map_err(|e| self.error(&e))?;
        file.seek(SeekFrom::End(0)).map_err(|e| self.error(&e))?;
        self.size_bytes = text.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Flushes the rows to the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(|e| self.error(&e))
    }

    /// Adds one row.
    ///
    /// # Errors
    /// When it cannot be written; the file then still ends with a complete line.
    pub fn write(&mut self, row: &EpochSummary) -> Result<(), RunError> {
        let line = line(row);
        let Some(file) = &mut self.file else { return Err(self.error(&"it could not be replaced")) };
        if let Err(e) = file.write_all(line.as_bytes()) {
            // A full disk may have truncated the line. Shrinking needs no space.
            let shrunk = file.set_len(self.size_bytes).and_then(|()| file.seek(SeekFrom::End(0)));
            shrunk.map_err(|e| RunError::write(&self.path, &e))?;
            return Err(self.error(&e));
        }
        self.size_bytes += line.len() as u64;
        Ok(())
    }

    fn error(&self, reason: &dyn std::fmt::Display) -> RunError {
        RunError::write(&self.path, reason)
    }
}

/// A row as text. Numbers are written so that they read back exactly; what was not measured is empty.
fn line(row: &EpochSummary) -> String {
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let EpochSummary { epoch, step, seconds, lr, .. } = row;
    let [loss, psnr_train, psnr_test] = [row.loss, row.psnr_train, row.psnr_test].map(optional);
    format!("{epoch},{step},{seconds:.3},{lr:e},{loss},{psnr_train},{psnr_test}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_closed_while_it_is_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("metrics.csv");
        let mut writer = MetricsWriter::create(&path, &[]).expect("written");
        let row = EpochSummary {
            epoch: 0,
            step: 0,
            seconds: 0.0,
            lr: 0.1,
            loss: None,
            psnr_train: Some(9.0),
            psnr_test: None,
        };
        writer.write(&row).expect("written");
        writer.rewrite(std::slice::from_ref(&row)).expect("replaced");
        writer.write(&EpochSummary { epoch: 1, ..row.clone() }).expect("written");
        assert_eq!(read_metrics(&path, 9).len(), 2);
        writer.path = dir.path().join("no folder/metrics.csv");
        assert!(writer.rewrite(&[]).is_err() && writer.file.is_none(), "open while it was replaced");
        assert!(writer.write(&row).is_err());
    }
}
