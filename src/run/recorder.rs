//! Writes a run's files while it trains, and its results at the end.

use super::checkpoint::Fingerprint;
use super::{MetricsWriter, RunError, RunFolder, SnapshotWriter, Thumbnails};
use crate::config::{CheckpointEvery, Resolved};
use crate::picture::Picture;
use crate::trainer::{Checkpoint, EpochSummary, Observer, Position, Progress};
use std::time::Instant;

/// Displays the progress of training.
pub trait Display {
    /// After each group of steps.
    fn progress(&mut self, progress: &Progress);
    /// After each epoch, and before the first.
    fn epoch(&mut self, summary: &EpochSummary, n_epochs: u64);
    /// After the last epoch, before the results are written.
    fn finished(&mut self) {}
    /// Whether the user asked to stop.
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
    checkpoint_every: CheckpointEvery,
    fingerprint: Fingerprint,
    /// Time and epoch of the last checkpoint.
    last_checkpoint: (Instant, u64),
}

impl<'a> Recorder<'a> {
    /// A recorder of `run` from `position` on. Removes what the folder holds of later epochs.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(
        folder: &'a RunFolder,
        run: &Resolved,
        fingerprint: Fingerprint,
        position: &Position,
        display: &'a mut dyn Display,
    ) -> Result<Self, RunError> {
        let rows = match position.is_beginning() {
            true => Vec::new(),
            false => super::read_metrics(&folder.file("metrics.csv"), position.epochs_done),
        };
        // Keep pictures even if the metrics of their epochs were lost.
        let first_to_come = if position.is_beginning() { 0 } else { position.epochs_done + 1 };
        folder.remove_snapshots(first_to_come)?;
        Ok(Self {
            metrics: MetricsWriter::create(&folder.file("metrics.csv"), &rows)?,
            snapshots: SnapshotWriter::start(Thumbnails::planned(run), run.profile.clone(), run.exposure)?,
            folder,
            display,
            n_epochs: run.epochs,
            rows,
            checkpoint_every: run.checkpoint_every,
            fingerprint,
            last_checkpoint: (Instant::now(), position.epochs_done),
        })
    }

    /// Waits for the last snapshots; returns the metrics, one row per epoch, and the thumbnails.
    ///
    /// # Errors
    /// When a snapshot could not be written.
    pub fn finish(mut self) -> Result<(Vec<EpochSummary>, Thumbnails), RunError> {
        let thumbnails = self.snapshots.finish()?;
        Ok((self.rows, thumbnails))
    }
}

impl Observer for Recorder<'_> {
    type Error = RunError;

    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), RunError> {
        self.metrics.write(summary)?;
        if let Some(picture) = snapshot {
            self.snapshots.write(self.folder, summary.epoch, picture)?;
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

    fn checkpoint_due(&self, position: &Position) -> bool {
        let (time, epoch) = self.last_checkpoint;
        match self.checkpoint_every {
            CheckpointEvery::Never => false,
            CheckpointEvery::Epochs(n) => position.epochs_done >= epoch + n.get(),
            CheckpointEvery::Seconds(n) => time.elapsed().as_secs() >= n.get(),
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), RunError> {
        // A resumed run does not repeat pictures of epochs before its checkpoint.
        self.snapshots.flush()?;
        self.metrics.sync()?;
        super::checkpoint::save(self.folder, checkpoint, &self.fingerprint)?;
        self.last_checkpoint = (Instant::now(), checkpoint.position.epochs_done);
        Ok(())
    }

    fn restarted(&mut self) -> Result<(), RunError> {
        self.discard_from(0)
    }

    fn rolled_back(&mut self, position: &Position) -> Result<(), RunError> {
        self.discard_from(position.epochs_done + 1)
    }
}

impl Recorder<'_> {
    /// Removes the files of `epoch` and later ones.
    fn discard_from(&mut self, epoch: u64) -> Result<(), RunError> {
        self.snapshots.flush()?;
        self.rows.truncate(epoch as usize);
        self.folder.remove_snapshots(epoch)?;
        self.metrics.rewrite(&self.rows)
    }
}
