//! Shared by all commands that use a trained model: model file, device, output.

use super::display::count;
use afterimage::config::DeviceConfig;
use afterimage::job::{DeviceOptions, DeviceRequest, Precision};
use afterimage::model_file::ModelFile;
use afterimage::run;
use anyhow::bail;
use std::path::{Path, PathBuf};

/// Where to compute. Pictures are always computed in f32, so `--precision` is not offered.
#[derive(clap::Args, Clone, Debug)]
#[command(about = None, long_about = None, mut_arg("precision", |arg| arg.hide(true)))]
pub(super) struct DeviceArgs {
    #[command(flatten)]
    device: DeviceConfig,
}

impl DeviceArgs {
    pub(super) fn request(&self) -> anyhow::Result<DeviceRequest> {
        if self.device.precision == Some(Precision::Mixed) {
            bail!("pictures are always computed in f32; leave --precision out");
        }
        let request = self.device.request().with(&DeviceOptions::from_env()?);
        Ok(DeviceRequest { precision: Precision::F32, ..request })
    }
}

/// A model and where it came from.
pub(super) struct OpenedModel {
    pub(super) file: PathBuf,
    /// For naming output files: the run's name, or the file's.
    pub(super) name: String,
    pub(super) model: ModelFile,
    /// Size of the model's file.
    pub(super) file_bytes: u64,
}

const IN_RUN: &str = "model.safetensors";

/// Loads the model in `path`: a model file, a run folder, or a checkpoint in one. That it is a checkpoint is said unless
/// `quiet`.
pub(super) fn open(path: &Path, quiet: bool) -> anyhow::Result<OpenedModel> {
    let file = if path.is_dir() { path.join(IN_RUN) } else { path.to_owned() };
    if path.is_dir() && !file.is_file() && !path.join("config.toml").is_file() {
        let path = path.display();
        bail!("there is no model in {path} (no {IN_RUN}); give a model file or the folder of a run");
    }
    let (model, done) = if run::is_checkpoint(path) {
        run::model_of_checkpoint(path).map(|(model, done)| (model, Some(done)))?
    } else if path.is_dir() && !file.is_file() {
        run::model_at_checkpoint(path).map(|(model, done)| (model, Some(done)))?
    } else {
        (ModelFile::load(&file)?, None)
    };
    let Some(done) = done else {
        let file_bytes = std::fs::metadata(&file)?.len();
        return Ok(OpenedModel { name: name_of(&file), file, model, file_bytes });
    };
    if !quiet {
        eprint_line!("{}: the network at the checkpoint after {}", path.display(), count(done, "epoch"));
    }
    let file_bytes = model.file_bytes();
    Ok(OpenedModel { name: name_of(&file), file: path.to_owned(), model, file_bytes })
}

fn name_of(file: &Path) -> String {
    let folder = std::path::absolute(file).ok().and_then(|f| Some(f.parent()?.file_name()?.to_owned()));
    let stem = match folder {
        Some(folder) if run::is_checkpoint(file) || file.file_name().is_some_and(|name| name == IN_RUN) => {
            folder
        }
        _ => file.file_stem().unwrap_or_default().to_owned(),
    };
    stem.to_string_lossy().into_owned()
}

/// Refuses an output that would overwrite one of the `inputs`, or any file unless `force` is given.
pub(super) fn check_output(out: &Path, force: bool, inputs: &[&Path]) -> anyhow::Result<()> {
    let same = |a: &Path, b: &Path| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    if inputs.iter().any(|input| same(input, out)) {
        bail!("{} is an input; give another name for the output", out.display());
    }
    if out.is_dir() {
        bail!("{} is a folder; give the name of a file in it", out.display());
    }
    if out.exists() && !force {
        bail!("{} exists; give --force to replace it, or another --out", out.display());
    }
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            bail!("cannot write {}: there is no folder {}", out.display(), folder.display())
        }
        _ => Ok(()),
    }
}
