//! Writes a run down while it happens, and sums it up at its end.

use super::{MetricsWriter, RunError, RunFolder, SnapshotWriter};
use crate::picture::Picture;
use crate::trainer::{EpochSummary, Observer, Progress};

/// Shows a person how far training has come.
pub trait Display {
    /// After each group of steps.
    fn progress(&mut self, progress: &Progress);
    /// After each epoch, and before the first.
    fn epoch(&mut self, summary: &EpochSummary, n_epochs: u64);
    /// Whether the person asked to stop.
    fn stop_requested(&self) -> bool;
}

/// The observer of a run with a folder.
pub struct Recorder<'a> {
    folder: &'a RunFolder,
    metrics: MetricsWriter,
    snapshots: SnapshotWriter,
    display: &'a mut dyn Display,
    n_epochs: u64,
    rows: Vec<EpochSummary>,
    snapshot_epochs: Vec<u64>,
}

impl<'a> Recorder<'a> {
    /// A recorder for a new run of `n_epochs` epochs.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        folder: &'a RunFolder,
        n_epochs: u64,
        display: &'a mut dyn Display,
    ) -> Result<Self, RunError> {
        Ok(Self {
            metrics: MetricsWriter::create(&folder.file("metrics.csv"))?,
            snapshots: SnapshotWriter::start()?,
            folder,
            display,
            n_epochs,
            rows: Vec::new(),
            snapshot_epochs: Vec::new(),
        })
    }

    /// Waits for the last snapshots and returns what was recorded: the metrics, and the epochs
    /// that have a picture.
    ///
    /// # Errors
    /// When a snapshot could not be written.
    pub fn finish(mut self) -> Result<(Vec<EpochSummary>, Vec<u64>), RunError> {
        self.snapshots.finish()?;
        Ok((self.rows, self.snapshot_epochs))
    }
}

impl Observer for Recorder<'_> {
    type Error = RunError;

    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), RunError> {
        self.metrics.write(summary)?;
        if let Some(picture) = snapshot {
            self.snapshots.write(self.folder.snapshot(summary.epoch), picture)?;
            self.snapshot_epochs.push(summary.epoch);
        }
        self.display.epoch(summary, self.n_epochs);
        self.rows.push(summary.clone());
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        self.display.progress(progress);
    }

    fn stop_requested(&self) -> bool {
        self.display.stop_requested()
    }
}
