//! The model of a run: of one that has ended, and of one that is not finished, from its checkpoint.

use super::checkpoint::{self, Fingerprint};
use super::folder::{CURRENT, PREVIOUS};
use super::{RunError, RunFolder};
use crate::config::{Config, DeviceConfig, Resolved};
use crate::model_file::ModelFile;
use crate::picture::{self, Depth, Loaded, Picture};
use crate::trainer::{Checkpoint, Evaluation, Outcome};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Whether a file has the name of a checkpoint.
pub fn is_checkpoint(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == CURRENT || name == PREVIOUS)
}

/// The model of the run in `folder` at its last checkpoint, and the number of epochs done. Nothing is locked or changed:
/// the run may be training.
///
/// # Errors
/// When there is no valid checkpoint, or the picture, which says what the network computes, cannot be read.
pub fn model_at_checkpoint(folder: &Path) -> Result<(ModelFile, u64), RunError> {
    of(folder, checkpoint::load)
}

/// The model of a checkpoint in its run's folder.
///
/// # Errors
/// As [`model_at_checkpoint`].
pub fn model_of_checkpoint(path: &Path) -> Result<(ModelFile, u64), RunError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    of(folder, |folder, fingerprint| {
        checkpoint::read(path, fingerprint).map(Some).map_err(|reason| {
            RunError::folder(folder.path(), format!("{} cannot be used: {reason}", path.display()))
        })
    })
}

fn of(
    path: &Path,
    load: impl FnOnce(&RunFolder, &Fingerprint) -> Result<Option<Checkpoint>, RunError>,
) -> Result<(ModelFile, u64), RunError> {
    let unusable = |reason: String| RunError::folder(path, reason);
    let folder = RunFolder::look(path)?;
    let config = Config::read(&folder.file("config.toml")).map_err(|e| unusable(e.to_string()))?;
    let config = config.with_former_defaults();
    let file =
        config.picture.file.clone().ok_or_else(|| unusable("config.toml names no picture".to_owned()))?;
    let file = folder.picture(&file);
    let loaded = picture::read(&file, config.reading())?;
    let resolve = || {
        let Loaded { picture, profile, .. } = config.prepare(loaded)?;
        let run = config.resolve(&picture, config.load_mask()?.as_ref())?.with_profile(profile);
        Ok((picture, run))
    };
    let (picture, run) = resolve().map_err(|e: crate::config::ConfigError| unusable(e.to_string()))?;
    let Some(checkpoint) = load(&folder, &Fingerprint::of(&run, &picture))? else {
        return Err(unusable(format!("there is no model and no {CURRENT} in it yet")));
    };
    let Checkpoint { position, state, .. } = checkpoint;
    let mut metadata = BTreeMap::from([("config".to_owned(), shareable(&run.config).to_toml())]);
    metadata.insert("epochs".to_owned(), position.epochs_done.to_string());
    metadata.insert("steps".to_owned(), state.step.to_string());
    let params = state.into_predicting(&run.options.refinements);
    let shape = (picture.width, picture.height, picture.depth());
    Ok((model(&run, params, shape, metadata), position.epochs_done))
}

/// The model of a run that has ended.
pub(super) fn finished_model(
    run: &Resolved,
    picture: &Picture,
    params: Vec<f32>,
    (outcome, evaluation): (&Outcome, &Evaluation),
) -> ModelFile {
    let entries = [
        ("config", Some(shareable(&run.config).to_toml())),
        ("epochs", Some(outcome.position.epochs_done.to_string())),
        ("steps", Some(outcome.step.to_string())),
        ("psnr_train", Some(evaluation.train.psnr().to_string())),
        ("psnr_test", evaluation.psnr_test().map(|psnr| psnr.to_string())),
    ];
    let metadata = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    model(run, params, (picture.width, picture.height, picture.depth()), metadata)
}

/// The model of a run on `picture` before its first step.
pub(crate) fn untrained_model(run: &Resolved, picture: &Picture) -> ModelFile {
    let metadata = BTreeMap::from([("config".to_owned(), shareable(&run.config).to_toml())]);
    model(run, run.initial_params(), (picture.width, picture.height, picture.depth()), metadata)
}

/// The model file of `run`.
fn model(
    run: &Resolved,
    params: Vec<f32>,
    (width, height, depth): (u32, u32, Depth),
    mut metadata: BTreeMap<String, String>,
) -> ModelFile {
    let profile =
        run.profile.as_deref().map(|icc| (ModelFile::PROFILE.to_owned(), BASE64_STANDARD.encode(icc)));
    metadata.extend(profile);
    let exposure = (run.exposure != 1.0).then(|| (ModelFile::EXPOSURE.to_owned(), run.exposure.to_string()));
    metadata.extend(exposure);
    let (model, coords) = (run.model.clone(), run.coords);
    ModelFile { model, params, coords, width, height, depth, transfer: run.transfer, metadata }.frozen()
}

/// The configuration without machine-specific settings, since models are shared.
fn shareable(config: &Config) -> Config {
    let mut config = config.clone();
    config.picture.file = config.picture.file.and_then(|f| f.file_name().map(PathBuf::from));
    config.picture.mask = config.picture.mask.and_then(|f| f.file_name().map(PathBuf::from));
    config.device = DeviceConfig::default();
    config
}
