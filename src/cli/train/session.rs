//! Everything a run needs before its first step: new, or found in the folder of an earlier one.

use super::TrainArgs;
use afterimage::atomic_write::{Durability, atomic_write};
use afterimage::backend::{self, Backend, BackendError, Opened};
use afterimage::config::{Config, DeviceConfig, OutputConfig, PictureSize, Resolved};
use afterimage::picture::{self, Picture};
use afterimage::run::RunFolder;
use afterimage::run::checkpoint::{self, Fingerprint, picture_checksum};
use afterimage::trainer::Checkpoint;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run about to train.
pub(super) struct Session {
    pub(super) folder: RunFolder,
    pub(super) run: Resolved,
    pub(super) picture: Arc<Picture>,
    pub(super) backend: Box<dyn Backend>,
    /// Where to go on; none for a new run.
    pub(super) checkpoint: Option<Checkpoint>,
    /// One line for the person.
    pub(super) note: Option<String>,
}

impl Session {
    pub(super) fn prepare(args: &TrainArgs) -> anyhow::Result<Self> {
        match &args.resume {
            Some(dir) => Self::resume(args, dir),
            None => Self::start(args),
        }
    }

    /// A new run. The folder is made last, so that whatever is wrong leaves none behind.
    fn start(args: &TrainArgs) -> anyhow::Result<Self> {
        let base = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let mut config = args.to_config().or(base);
        config.check()?;
        let file = config
            .picture
            .file
            .clone()
            .context("which picture? give one, or --config with a picture in it")?;
        let out = args.out.clone().unwrap_or_else(|| default_folder(&file));
        RunFolder::check(&out, args.force)?;
        let picture = load(&file, config.picture.size)?;
        // Absolute, so that the configuration repeats the run from any folder.
        let absolute = std::path::absolute(&file)?;
        if absolute.to_str().is_none() {
            bail!("the path {} is not UTF-8, so config.toml cannot name it; rename it", absolute.display());
        }
        config.picture.file = Some(absolute);
        let chosen = match config.sigma_is_open() {
            true => Some(super::sigma::choose(&mut config, &picture, args)?),
            false => None,
        };
        let run = config.resolve(&picture)?;
        let opened = open(&run, &picture, args.threads.into())?;
        let folder = RunFolder::create(&out, args.force)?;
        write_config(&folder, &run)?;
        if let Some(chosen) = chosen {
            super::sigma::save(&folder, &chosen)?;
        }
        Ok(Self { folder, run, picture, backend: opened.backend, checkpoint: None, note: opened.note })
    }

    /// The run in `dir`, from its last checkpoint or, where it has none yet, from its beginning.
    fn resume(args: &TrainArgs, dir: &Path) -> anyhow::Result<Self> {
        let folder = RunFolder::open(dir)?;
        let earlier = Config::read(&folder.file("config.toml"))?;
        let mut typed = args.to_config();
        let config = typed.clone().or(earlier.clone());
        (typed.training.epochs, typed.output, typed.device) =
            (None, OutputConfig::default(), DeviceConfig::default());
        if typed != Config::default() {
            bail!(
                "with --resume the run stays what it was: only --epochs, --snapshot-every, --checkpoint-every, --backend, --adapter and --threads can be given"
            );
        }
        config.check()?;
        let file = config.picture.file.clone().context("the run's config.toml names no picture")?;
        let picture = load(&file, config.picture.size)?;
        let run = config.resolve(&picture)?;
        // The device first: it refuses a network that does not fit, before as much is read.
        let mut opened = open(&run, &picture, args.threads.into())?;
        let checkpoint = checkpoint::load(&folder, fingerprint(&run, &picture))?;
        let done = checkpoint.as_ref().map_or(0, |c| c.position.epochs_done);
        if done > run.epochs {
            bail!(
                "the run has {done} epochs behind it, more than --epochs {}; give {done} or more",
                run.epochs
            );
        }
        if let Some(checkpoint) = &checkpoint {
            if !checkpoint.position.belongs_to(&run, checkpoint.state.step) {
                bail!(
                    "the checkpoint does not belong to the run in config.toml; begin anew with `afterimage train PICTURE --out DIR --force`"
                );
            }
            opened.backend.set_state(&checkpoint.state)?;
        }
        if run.config != earlier {
            write_config(&folder, &run)?;
        }
        Ok(Self { folder, run, picture, backend: opened.backend, checkpoint, note: opened.note })
    }

    /// Opens the device again and puts the last good state on it.
    pub(super) fn reopen(&mut self, threads: usize) -> Result<(), BackendError> {
        let opened = open(&self.run, &self.picture, threads)?;
        if opened.backend.info().device != self.backend.info().device {
            opened.note.iter().for_each(|note| tell!("{note}"));
        }
        self.backend = opened.backend;
        if let Some(checkpoint) = &self.checkpoint {
            self.backend.set_state(&checkpoint.state)?;
        }
        Ok(())
    }
}

fn open(run: &Resolved, picture: &Arc<Picture>, threads: usize) -> Result<Opened, BackendError> {
    let job = run.job(Arc::clone(picture));
    backend::open(&run.device(threads), job, || run.initial_params())
}

/// What a checkpoint of this run must fit.
pub(super) fn fingerprint(run: &Resolved, picture: &Picture) -> Fingerprint {
    Fingerprint {
        picture: picture_checksum(picture),
        n_params: run.model.layout().n_params(),
        n_moments: run.optimizer.n_moments(),
    }
}

fn write_config(folder: &RunFolder, run: &Resolved) -> anyhow::Result<()> {
    let path = folder.file("config.toml");
    atomic_write(&path, Durability::Flushed, |out| out.write_all(run.config.to_toml().as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// `runs/<stem of the picture>`.
fn default_folder(file: &Path) -> PathBuf {
    Path::new("runs").join(file.file_stem().unwrap_or(file.as_os_str()))
}

/// The picture at its training size.
fn load(file: &Path, size: Option<PictureSize>) -> anyhow::Result<Arc<Picture>> {
    let picture = picture::load(file)?;
    Ok(Arc::new(match size {
        Some(PictureSize::Pixels(width, height)) => picture::resize(&picture, width.get(), height.get()),
        Some(PictureSize::Native) | None => picture,
    }))
}
