//! One run of the grid: finding its earlier results, and training it.

use super::grid::Size;
use super::method::Method;
use super::{CompareError, Result};
use crate::block_on;
use crate::config::{Config, DeviceConfig, OptimizerKind, PictureConfig, Resolved, Scale, Sigma};
use crate::job::DeviceOptions;
use crate::names::Named;
use crate::picture::{self, Picture};
use crate::read_file::read_whole;
use crate::run::{Display, Fit, RunError, RunFolder, Session};
use crate::trainer::FailureKind;
use crate::tune::{self, ScaleTrial, TuneError, choose_scale};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// One run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its index among all cells.
    pub index: usize,
    pub(crate) picture: usize,
    pub(crate) size: Size,
    pub(crate) method: Method,
    pub(crate) optimizer: OptimizerKind,
    /// The seed, counted from 0.
    pub(crate) seed: u64,
    pub(crate) folder: PathBuf,
    /// Its display name.
    pub label: String,
    /// The picture at its training size.
    pub(crate) prepared: PathBuf,
    /// The run; with the default scale of frequencies until that is chosen.
    pub(crate) run: Resolved,
    /// The scale that is chosen for the picture, and the settings without it.
    pub(crate) open: Option<(Scale, Config)>,
    /// Its state.
    pub state: State,
    /// Whether its folder holds a run that is to be replaced.
    pub replaces: bool,
}

/// The state of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is there, or nothing to keep.
    New,
    /// It was stopped early.
    Begun,
    /// It is complete.
    Done,
}

/// A manifest is a few hundred bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

impl Cell {
    /// With the state of its folder. `changed`: the picture differs from the one there.
    pub(super) fn with_state(mut self, changed: bool, force: bool) -> Result<Self> {
        RunFolder::check(&self.folder, true)?;
        let config = self.folder.join("config.toml");
        if !config.is_file() {
            return Ok(self);
        }
        let mut earlier = Config::read(&config).ok().map(comparable);
        if let Some(earlier) = &mut earlier {
            // Former versions had no such settings. What they do to the picture is found by comparing it.
            let PictureConfig { color, transparent, .. } = self.run.config.picture;
            earlier.picture.color = earlier.picture.color.or(color);
            earlier.picture.transparent = earlier.picture.transparent.or(transparent);
        }
        let differs = match earlier {
            Some(earlier) if earlier == comparable(self.run.config.clone()) => None,
            Some(_) => Some("other settings"),
            None => Some("settings that cannot be read"),
        };
        // A scale that was given is not one that was chosen.
        let is_given = |(scale, _): &(Scale, Config)| chosen(*scale, &self.folder).is_none();
        let differs = differs.or(self.open.as_ref().filter(|open| is_given(open)).map(|_| "other settings"));
        let differs = differs.or(changed.then_some("another picture"));
        self.state = match differs {
            Some(_) if force => {
                self.replaces = true;
                State::New
            }
            Some(what) => return Err(CompareError::OtherRun { path: self.folder, what }),
            None if self.is_complete() => State::Done,
            None => State::Begun,
        };
        Ok(self)
    }

    fn manifest(&self) -> Option<serde_json::Value> {
        let bytes = read_whole(&self.folder.join("run.json"), MAX_MANIFEST_BYTES).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// The epoch whose weights the run ended with, if not the last.
    pub(super) fn kept_epoch(&self) -> Option<u64> {
        self.manifest()?["kept_epoch"].as_u64()
    }

    /// Why the complete run failed, if it did.
    pub(super) fn failure(&self) -> Option<FailureKind> {
        FailureKind::named(self.manifest()?["failure"].as_str()?)
    }

    /// The sigma it was trained with, if its encoding has one.
    pub(super) fn sigma(&self) -> Option<Sigma> {
        match self.open {
            Some(_) => chosen(Scale::Sigma, &self.folder).map(Sigma::Fixed),
            None => self.run.config.encoding.sigma,
        }
    }

    /// The w0 of its sines, if it was given or chosen.
    pub(super) fn w0(&self) -> Option<f32> {
        chosen(Scale::W0, &self.folder).or(self.run.config.network.w0)
    }

    /// Whether the run is complete and everything that reports need is there.
    fn is_complete(&self) -> bool {
        let complete =
            self.manifest().is_some_and(|m| m["complete"] == true && m["epochs"] == self.run.epochs);
        complete && ["final.png", "metrics.csv"].iter().all(|file| self.folder.join(file).is_file())
    }

    /// Trains it to its end, resuming if it was stopped, on `threads` CPU threads, 0 for all; false if it was stopped
    /// again.
    pub(crate) fn train(
        &self,
        (threads, options): (usize, &DeviceOptions),
        display: &mut dyn Display,
    ) -> Result<bool> {
        let start = Instant::now();
        let mut run = self.run.clone().on(options);
        // A share of the cores; it does not change the run.
        run.device.threads = threads;
        let picture = Arc::new(picture::read(&self.prepared, self.run.config.reading())?.picture);
        let session = match self.state {
            State::New => self.start(run, picture, display),
            _ => {
                let folder = RunFolder::open(&self.folder)?;
                Ok(Session::resume(run, picture, folder)?)
            }
        };
        match session {
            Ok(mut session) => Ok(session.train(start, display)?.outcome.complete),
            Err(CompareError::Tune(TuneError::Stopped)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A new run, after choosing its scale of frequencies if needed.
    fn start(&self, run: Resolved, picture: Arc<Picture>, display: &dyn Display) -> Result<Session> {
        // Refused if another process has trained it since the plan was made.
        let folder = RunFolder::claim(&self.folder, self.replaces)?;
        let Some((scale, mut config)) = self.open.clone() else {
            return Ok(Session::start(Fit::start(run, picture).map_err(RunError::from)?, folder, None)?);
        };
        let mask = config.load_mask()?;
        let pictures = (&picture, mask.as_ref());
        let choice = block_on(choose_scale(scale, &config, pictures, &run.device, &mut &*display))?;
        scale.set(&mut config, Some(choice.value));
        let resolved = config.resolve(&picture, mask.as_ref())?;
        let run = Resolved { device: run.device, profile: run.profile, ..resolved };
        let fit = Fit::start(run, picture).map_err(RunError::from)?;
        let session = Session::start(fit, folder, None)?;
        let path = session.folder.file(scale.file_name());
        choice.save(&path).map_err(|e| CompareError::file(&path, e))?;
        Ok(session)
    }
}

/// A search is stopped like a run.
impl tune::Watch for &dyn Display {
    fn trial(&mut self, _: Scale, _: &ScaleTrial) {}

    fn stop_requested(&self) -> bool {
        (**self).stop_requested()
    }
}

/// The value of a scale that was chosen for the run in `folder`; none if it was given.
pub(super) fn chosen(scale: Scale, folder: &Path) -> Option<f32> {
    let config = Config::read(&folder.join("config.toml")).ok()?;
    scale.of(&config).filter(|_| folder.join(scale.file_name()).is_file())
}

/// A configuration without what does not change a run's result beyond rounding: the path of the picture's file (its
/// pixels are compared), the checkpoint interval, and the device.
fn comparable(mut config: Config) -> Config {
    config.picture.file = None;
    config.output.checkpoint_every = None;
    config.device = DeviceConfig::default();
    config
}
