//! Prepares a run from the command line: a new one, or one resumed from its folder.

use super::{TrainArgs, scale};
use crate::cli::{display, signals, stdio};
use afterimage::config::{Config, Preset, Resolved};
use afterimage::job::DeviceOptions;
use afterimage::picture::{self, Loaded, Picture};
use afterimage::run::{Fit, Input, RunFolder, Session, write_config};
use afterimage::tune::TuneError;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Asked to stop before there was anything to keep.
const STOPPED: signals::Stopped = signals::Stopped("stopped before training; nothing was written");

fn stopped(error: anyhow::Error) -> anyhow::Error {
    if matches!(error.downcast_ref(), Some(TuneError::Stopped)) { STOPPED.into() } else { error }
}

/// The run; `deadline` is when the time of a new one is over.
pub(super) fn session(args: &TrainArgs, deadline: Option<Instant>) -> anyhow::Result<Session> {
    match &args.resume {
        Some(dir) => resume(args, dir),
        None => start(args, deadline),
    }
}

fn start(args: &TrainArgs, deadline: Option<Instant>) -> anyhow::Result<Session> {
    let mut config = settings(args.to_config(), args.config.as_deref(), args.preset)?;
    let file =
        config.picture.file.clone().context("no picture is given; give one, or a --config that names one")?;
    refuse_several(&args.images, &file)?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&file));
    // From here on no other process uses it; an error leaves it as it was.
    let folder = RunFolder::claim(&out, args.force)?;
    let is_piped = stdio::is_dash(&file);
    let input = match is_piped {
        true => Some(Input::new(stdio::read_input()?)),
        false => folder.own_input(&file).with_context(|| format!("cannot read {}", file.display()))?,
    };
    let name = if is_piped { Path::new(stdio::INPUT) } else { &file };
    let loaded = match &input {
        Some(input) => picture::load::parse(&input.bytes, name, config.reading())?,
        None => picture::read(&file, config.reading())?,
    };
    let Loaded { picture, mut notes, profile } = config.prepare(loaded)?;
    let picture = Arc::new(picture);
    // A picture from standard input, or from the run that is replaced, is kept in the folder.
    config.picture.file = Some(absolute(&input.as_ref().map_or(file, |input| folder.input(input)))?);
    config.picture.mask = config.picture.mask.as_deref().map(absolute).transpose()?;
    let mask = load_mask(&config, &mut notes)?;
    let options = DeviceOptions::from_env()?;
    let pictures = (&picture, mask.as_ref());
    let open = config.open_scale();
    let choose = |open| scale::choose(open, &mut config, pictures, &options, args).map_err(stopped);
    let chosen = open.map(choose).transpose()?;
    let resolve = |config: &Config| -> anyhow::Result<_> {
        Ok(config.resolve(&picture, mask.as_ref())?.on(&options).with_profile(profile.clone()))
    };
    let run = resolve(&config)?;
    if signals::stop_requested() {
        bail!(STOPPED);
    }
    notes.extend(run.range_note(&picture));
    let mut fit = Fit::start(run, Arc::clone(&picture))?;
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now()).as_secs_f64();
        let n_epochs = fit.epochs_within(left)?;
        notes.push(format!("{} in the time given", display::count(n_epochs, "epoch")));
        (config.training.epochs, config.training.effort) = (Some(n_epochs), None);
        fit.set_run(resolve(&config)?)?;
    }
    let mut session = Session::start(fit, folder, input.as_ref())?;
    session.input_notes = notes;
    if let Some(chosen) = chosen {
        let path = session.folder.file(chosen.scale.file_name());
        chosen.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(session)
}

/// One run has one picture.
fn refuse_several(given: &[PathBuf], file: &Path) -> anyhow::Result<()> {
    if let [first, second, ..] = given {
        let (n, first, second) = (given.len(), first.display(), second.display());
        bail!(
            "train takes one picture and {n} are given; `afterimage compare {first} {second} ...` trains on each of several"
        );
    }
    if file.is_dir() {
        let file = file.display();
        bail!("{file} is a folder; give a picture, or train on all in it with `afterimage compare {file}`");
    }
    Ok(())
}

/// Absolute, so that the configuration works from any folder.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match absolute.to_str() {
        Some(_) => Ok(absolute),
        None => {
            bail!("the path {} is not UTF-8, so config.toml cannot name it; rename it", absolute.display())
        }
    }
}

/// The run in `dir`, from its last checkpoint or, without one, from its beginning.
fn resume(args: &TrainArgs, dir: &Path) -> anyhow::Result<Session> {
    let folder = RunFolder::open(dir)?;
    let written = Config::read(&folder.file("config.toml"))?;
    let earlier = written.clone().with_former_defaults();
    let typed = args.to_config();
    let mut config = typed.clone().or(earlier);
    if typed.kept() != Config::default() {
        bail!(
            "--resume keeps the run's settings: only --epochs, --snapshot-every, --checkpoint-every, --backend, --adapter, --precision and --threads can be given"
        );
    }
    check(&config)?;
    let named = config.picture.file.clone().context("the run's config.toml names no picture")?;
    let moved = args.images.first();
    refuse_several(&args.images, &named)?;
    if moved.is_some_and(|path| stdio::is_dash(path)) {
        bail!("--resume takes the file of the run's picture, not {}", stdio::INPUT);
    }
    let file = if moved.is_some() { named } else { folder.picture(&named) };
    let is_missing = moved.is_none() && !file.exists();
    let loaded = picture::read(&file, config.reading());
    let loaded = match is_missing {
        true => loaded.with_context(|| format!(
            "the run's picture is not where it was; give its new place: `afterimage train --resume {} PICTURE`",
            dir.display()
        ))?,
        false => loaded?,
    };
    config.picture.file = Some(absolute(&file)?);
    let (run, picture, notes) = resolved(&config, loaded)?;
    let mut session = Session::resume(run, picture, folder)?;
    session.input_notes = notes;
    if session.run().config != written {
        write_config(&session.folder, session.run())?;
    }
    Ok(session)
}

/// The run that `config` describes of a picture that was read, with notes for the user.
pub(in crate::cli) fn resolved(
    config: &Config,
    loaded: Loaded,
) -> anyhow::Result<(Resolved, Arc<Picture>, Vec<String>)> {
    let Loaded { picture, mut notes, profile } = config.prepare(loaded)?;
    let mask = load_mask(config, &mut notes)?;
    let run = config.resolve(&picture, mask.as_ref())?.on(&DeviceOptions::from_env()?).with_profile(profile);
    notes.extend(run.range_note(&picture));
    Ok((run, Arc::new(picture), notes))
}

/// The settings that were `typed`, and for the rest those of a file or a preset, if one is given.
pub(in crate::cli) fn settings(
    typed: Config,
    file: Option<&Path>,
    preset: Option<Preset>,
) -> anyhow::Result<Config> {
    let base = file.map(Config::read).transpose()?.or(preset.map(Preset::config)).unwrap_or_default();
    let config = typed.or(base);
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> anyhow::Result<()> {
    config.check()?;
    config.warnings().iter().for_each(|warning| log::warn!("{warning}"));
    Ok(())
}

/// `runs/<stem of the picture>`.
fn default_folder(file: &Path) -> PathBuf {
    let file = if stdio::is_dash(file) { Path::new("stdin") } else { file };
    Path::new("runs").join(file.file_stem().unwrap_or(file.as_os_str()))
}

/// The mask, whose notes are added to the picture's.
fn load_mask(config: &Config, notes: &mut Vec<String>) -> anyhow::Result<Option<Picture>> {
    let mask = config.read_mask()?;
    Ok(mask.map(|mask| {
        notes.extend(mask.notes);
        mask.picture
    }))
}
