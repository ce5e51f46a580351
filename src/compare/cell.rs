//! One run of the grid: what an earlier comparison left of it, and training it to its end.

use super::CompareError;
use super::grid::{EncodingChoice, Size};
use crate::atomic_write::{Durability, atomic_write};
use crate::backend;
use crate::config::{Config, DeviceConfig, OptimizerKind, Resolved};
use crate::picture::{self, Picture};
use crate::read_file::{open_regular, read_at_most};
use crate::run::checkpoint::{self, Fingerprint, picture_checksum};
use crate::run::{Display, Recorder, Results, RunFolder, Timings};
use crate::trainer::{Position, Trainer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// One run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its place among all cells.
    pub index: usize,
    /// Which of the pictures.
    pub picture: usize,
    /// At which size.
    pub size: Size,
    /// With which encoding.
    pub encoding: EncodingChoice,
    /// With which optimiser.
    pub optimizer: OptimizerKind,
    /// Which seed, counted from 0.
    pub seed: u64,
    /// Its run folder.
    pub folder: PathBuf,
    /// Its name for people.
    pub label: String,
    /// The picture at its training size.
    pub prepared: PathBuf,
    /// What is run.
    pub run: Resolved,
    /// How far it is.
    pub state: State,
}

/// How far a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is there, or nothing that stays.
    New,
    /// It was stopped before its end.
    Begun,
    /// Its results are there.
    Done,
}

/// A manifest is some hundred bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

impl Cell {
    /// With the state of what lies in its folder. `changed`: the picture is not the one there.
    pub(super) fn with_state(mut self, changed: bool, force: bool) -> Result<Self, CompareError> {
        RunFolder::check(&self.folder, true)?;
        let config = self.folder.join("config.toml");
        if !config.is_file() {
            return Ok(self);
        }
        let earlier = Config::read(&config).ok().map(comparable);
        let differs = match earlier {
            Some(earlier) if earlier == comparable(self.run.config.clone()) => None,
            Some(_) => Some("other settings"),
            None => Some("settings that cannot be read"),
        };
        let differs = differs.or(changed.then_some("another picture"));
        self.state = match differs {
            Some(_) if force => State::New,
            Some(what) => return Err(CompareError::OtherRun { path: self.folder, what }),
            None if self.is_complete() => State::Done,
            None => State::Begun,
        };
        Ok(self)
    }

    fn manifest(&self) -> Option<serde_json::Value> {
        let (file, _) = open_regular(&self.folder.join("run.json")).ok()?;
        let bytes = read_at_most(file, MAX_MANIFEST_BYTES).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// The epoch whose weights the run ended with, where that is not the last.
    pub(super) fn kept_epoch(&self) -> Option<u64> {
        self.manifest()?["kept_epoch"].as_u64()
    }

    /// Whether the run came to its end and everything that reports need is there.
    fn is_complete(&self) -> bool {
        let complete =
            self.manifest().is_some_and(|m| m["complete"] == true && m["epochs"] == self.run.epochs);
        complete && ["final.png", "metrics.csv"].iter().all(|file| self.folder.join(file).is_file())
    }

    /// Trains it to its end, from where it was stopped; false when it was stopped again.
    ///
    /// # Errors
    /// When training diverges, the device fails or a file cannot be written.
    pub fn train(&self, threads: usize, display: &mut dyn Display) -> Result<bool, CompareError> {
        let start = Instant::now();
        let run = &self.run;
        let picture = Arc::new(picture::load(&self.prepared)?);
        let opened =
            backend::open(&run.device(threads), run.job(Arc::clone(&picture)), || run.initial_params())?;
        let mut backend = opened.backend;
        let fingerprint = fingerprint(run, &picture);
        let (folder, checkpoint) = self.open_folder(fingerprint)?;
        if let Some(checkpoint) = &checkpoint {
            backend.set_state(&checkpoint.state)?;
        }
        let position = checkpoint.as_ref().map_or_else(Position::default, |c| c.position);
        let best = checkpoint.and_then(|c| c.best);
        let startup_seconds = start.elapsed().as_secs_f64();
        let mut counted = Counted { display, samples: 0 };
        let mut recorder = Recorder::new(&folder, run, fingerprint, &position, &mut counted)?;
        let mut trainer = Trainer::new(run, &picture, backend.as_mut(), position).with_best(best);
        let outcome = trainer.run(&mut recorder);
        let metrics = recorder.finish();
        let mut outcome = outcome?;
        let metrics = metrics?;
        if !outcome.complete {
            return Ok(false);
        }
        let evaluation = match outcome.evaluation.take() {
            Some(evaluation) => evaluation,
            None => {
                let mut trainer = Trainer::new(run, &picture, backend.as_mut(), outcome.position);
                trainer.evaluate(true).map_err(crate::run::RunError::from)?
            }
        };
        let trained = outcome.position.seconds - position.seconds;
        let timings = Timings {
            startup_seconds,
            training_seconds: outcome.position.seconds,
            samples_per_second: counted.samples as f64 / trained.max(1e-9),
        };
        let results = Results {
            folder: &folder,
            run,
            picture: &picture,
            evaluation,
            metrics: &metrics,
            outcome: &outcome,
            timings,
        };
        results.write(backend.as_mut())?;
        Ok(true)
    }

    /// The folder, made or opened, and the checkpoint to go on from.
    fn open_folder(
        &self,
        fingerprint: Fingerprint,
    ) -> Result<(RunFolder, Option<crate::trainer::Checkpoint>), CompareError> {
        if self.state == State::New {
            let folder = RunFolder::create(&self.folder, true)?;
            write_config(&folder.file("config.toml"), &self.run)?;
            return Ok((folder, None));
        }
        let folder = RunFolder::open(&self.folder)?;
        let checkpoint = checkpoint::load(&folder, fingerprint)?;
        let belongs = |c: &crate::trainer::Checkpoint| c.position.belongs_to(&self.run, c.state.step);
        if checkpoint.as_ref().is_some_and(|c| !belongs(c)) {
            return Err(CompareError::OtherRun {
                path: self.folder.clone(),
                what: "a checkpoint that does not belong to it",
            });
        }
        Ok((folder, checkpoint))
    }
}

/// A configuration without what does not change a run's result beyond rounding: where the
/// picture's file lies (its pixels are compared), how often the state is kept, and the device.
fn comparable(mut config: Config) -> Config {
    config.picture.file = None;
    config.output.checkpoint_every = None;
    config.device = DeviceConfig::default();
    config
}

fn fingerprint(run: &Resolved, picture: &Picture) -> Fingerprint {
    Fingerprint {
        picture: picture_checksum(picture),
        n_params: run.model.layout().n_params(),
        n_moments: run.optimizer.n_moments(),
    }
}

fn write_config(path: &Path, run: &Resolved) -> Result<(), CompareError> {
    atomic_write(path, Durability::Flushed, |out| out.write_all(run.config.to_toml().as_bytes()))
        .map_err(|e| CompareError::file(path, e))
}

/// Passes everything on, and counts samples.
struct Counted<'a> {
    display: &'a mut dyn Display,
    samples: u64,
}

impl Display for Counted<'_> {
    fn progress(&mut self, progress: &crate::trainer::Progress) {
        self.samples += progress.n_samples;
        self.display.progress(progress);
    }

    fn epoch(&mut self, summary: &crate::trainer::EpochSummary, n_epochs: u64) {
        self.display.epoch(summary, n_epochs);
    }

    fn stop_requested(&self) -> bool {
        self.display.stop_requested()
    }
}
