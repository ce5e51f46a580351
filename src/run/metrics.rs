//! `metrics.csv`: one line an epoch.

use super::RunError;
use crate::trainer::EpochSummary;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const HEADER: &str = "epoch,step,seconds,lr,loss,psnr_train,psnr_test\n";

/// Appends whole lines to `metrics.csv`.
#[derive(Debug)]
pub struct MetricsWriter {
    file: File,
    path: PathBuf,
}

impl MetricsWriter {
    /// Starts a new file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let file = File::create(path).map_err(|e| RunError::write(path, &e))?;
        let mut writer = Self { file, path: path.to_owned() };
        writer.append(HEADER)?;
        Ok(writer)
    }

    /// One row. Numbers are written so that they read back exactly; what was not measured is
    /// left empty.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, row: &EpochSummary) -> Result<(), RunError> {
        let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let line = format!(
            "{},{},{:.3},{:e},{},{},{}\n",
            row.epoch,
            row.step,
            row.seconds,
            row.lr,
            optional(row.loss),
            row.psnr_train,
            optional(row.psnr_test),
        );
        self.append(&line)
    }

    fn append(&mut self, line: &str) -> Result<(), RunError> {
        self.file.write_all(line.as_bytes()).map_err(|e| RunError::write(&self.path, &e))
    }
}
