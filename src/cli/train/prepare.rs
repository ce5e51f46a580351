//! Prepares a run from the command line: a new one, or one resumed from its folder.

use super::{TrainArgs, sigma};
use afterimage::config::{Config, DeviceConfig, PictureSize};
use afterimage::job::DeviceOptions;
use afterimage::picture::{self, ColorHandling, IccProfile, Loaded, Picture, Transparent};
use afterimage::run::{RunFolder, Session, write_config};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn session(args: &TrainArgs) -> anyhow::Result<Session> {
    match &args.resume {
        Some(dir) => resume(args, dir),
        None => start(args),
    }
}

fn start(args: &TrainArgs) -> anyhow::Result<Session> {
    let base = match (&args.config, args.preset) {
        (Some(path), _) => Config::read(path)?,
        (None, Some(preset)) => preset.config(),
        (None, None) => Config::default(),
    };
    let mut config = args.to_config().or(base);
    check(&config)?;
    let file =
        config.picture.file.clone().context("no picture is given; give one, or a --config that names one")?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&file));
    RunFolder::check(&out, args.force)?;
    let Prepared { picture, notes, profile } = load(&file, &config)?;
    // Absolute, so that the configuration works from any folder.
    let absolute = std::path::absolute(&file)?;
    if absolute.to_str().is_none() {
        bail!("the path {} is not UTF-8, so config.toml cannot name it; rename it", absolute.display());
    }
    config.picture.file = Some(absolute);
    if let Some(mask) = &mut config.picture.mask {
        *mask = std::path::absolute(&*mask)?;
        if mask.to_str().is_none() {
            bail!("the path {} is not UTF-8, so config.toml cannot name it; rename it", mask.display());
        }
    }
    let mask = config.load_mask()?;
    let options = DeviceOptions::from_env()?;
    let chosen = match config.sigma_is_open() {
        true => Some(sigma::choose(&mut config, (&picture, mask.as_ref()), &options, args)?),
        false => None,
    };
    let run = config.resolve(&picture, mask.as_ref())?.on(&options).with_profile(profile);
    let mut session = Session::start(run, picture, (&out, args.force))?;
    session.input_notes = notes;
    if let Some(chosen) = chosen {
        let path = session.folder.file("sigma.csv");
        chosen.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(session)
}

/// The run in `dir`, from its last checkpoint or, without one, from its beginning.
fn resume(args: &TrainArgs, dir: &Path) -> anyhow::Result<Session> {
    let folder = RunFolder::open(dir)?;
    let mut earlier = Config::read(&folder.file("config.toml"))?;
    // What runs of former versions did.
    earlier.picture.color.get_or_insert(ColorHandling::Keep);
    earlier.picture.transparent.get_or_insert(Transparent::Keep);
    let mut typed = args.to_config();
    let config = typed.clone().or(earlier.clone());
    (typed.training.epochs, typed.device) = (None, DeviceConfig::default());
    (typed.output.snapshot_every, typed.output.checkpoint_every) = (None, None);
    if typed != Config::default() {
        bail!(
            "--resume keeps the run's settings: only --epochs, --snapshot-every, --checkpoint-every, --backend, --adapter, --precision and --threads can be given"
        );
    }
    check(&config)?;
    let file = config.picture.file.clone().context("the run's config.toml names no picture")?;
    let Prepared { picture, notes, profile } = load(&file, &config)?;
    let run = config.resolve(&picture, config.load_mask()?.as_ref())?.on(&DeviceOptions::from_env()?);
    let run = run.with_profile(profile);
    let mut session = Session::resume(run, picture, folder)?;
    session.input_notes = notes;
    if session.run.config != earlier {
        write_config(&session.folder, &session.run)?;
    }
    Ok(session)
}

fn check(config: &Config) -> anyhow::Result<()> {
    config.check()?;
    config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
    Ok(())
}

/// `runs/<stem of the picture>`.
fn default_folder(file: &Path) -> PathBuf {
    Path::new("runs").join(file.file_stem().unwrap_or(file.as_os_str()))
}

/// A picture at its training size.
struct Prepared {
    picture: Arc<Picture>,
    /// What to say of its file.
    notes: Vec<String>,
    profile: Option<IccProfile>,
}

fn load(file: &Path, config: &Config) -> anyhow::Result<Prepared> {
    let Loaded { picture, mut notes, profile } = picture::read(file, config.reading())?;
    let mut picture = match config.picture.size {
        Some(PictureSize::Pixels(width, height)) => picture::resize(&picture, width.get(), height.get()),
        Some(PictureSize::Native) | None => picture,
    };
    let hidden = config.picture.transparent.unwrap_or_default().apply(&mut picture);
    notes.extend(hidden.map(|hidden| format!("{hidden} trained on")));
    Ok(Prepared { picture: Arc::new(picture), notes, profile })
}
