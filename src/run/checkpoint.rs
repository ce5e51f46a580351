//! Checkpoints: everything needed to resume after a crash, a kill or a full disk.
//!
//! `checkpoint.safetensors` holds the tensors `params` and `moments.N`, f32, and in its metadata the position within
//! the run, its settings and a checksum of all of it. With `--keep best`, the best state is stored as `best.params` and
//! `best.moments.N`. With `--sampling error`, `starts`, u32, has the first sample of each block. For a run on a GPU
//! the metadata include its kernel configuration, so that it resumes to the bit. The previous checkpoint stays beside
//! it as `checkpoint.previous.safetensors`, so that a damaged file costs a few epochs, not the run.

use super::RunError;
use super::folder::{CURRENT, PREVIOUS, RunFolder};
use crate::atomic_write::{Durability, atomic_write, keep_as};
use crate::config::{Config, Resolved};
use crate::model::{Importance, Mask, SampleSet, Sampling, TrainingState};
use crate::picture::{Picture, Pixels};
use crate::read_file::{open_regular, read_at_most};
use crate::trainer::{Best, Checkpoint, Position};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FORMAT: &str = "afterimage checkpoint 1";
/// Maximum size of the header; the size of the values follows from the network.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// The picture and the settings a checkpoint belongs to, and the network it must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// CRC-32 of the training picture's values.
    pub picture: u32,
    /// Weights and biases.
    pub n_params: usize,
    /// Optimiser moments.
    pub n_moments: usize,
    /// The training pixels, with `--sampling error`.
    pub by_error: Option<SampleSet>,
    /// The run's settings.
    pub settings: Config,
}

impl Fingerprint {
    /// What a checkpoint of `run` must match.
    pub fn of(run: &Resolved, picture: &Picture) -> Self {
        Self {
            picture: picture_checksum(picture, run.options.mask.as_deref()),
            n_params: run.model.layout().n_params(),
            n_moments: TrainingState::n_moments(run.optimizer, &run.options.refinements),
            by_error: (run.options.sampling == Sampling::Error).then_some(run.samples),
            settings: run.config.clone().kept(),
        }
    }

    /// Of a checkpoint with a best state beside the current one.
    fn max_value_bytes(&self) -> u64 {
        let starts = self.by_error.map_or(0, |samples| Importance::n_blocks(samples) + 1);
        (size_of::<f32>() * (2 * self.n_params * (1 + self.n_moments) + starts)) as u64
    }
}

/// Why a checkpoint is not used, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A setting of the run has been edited since.
    Edited(String),
    /// It is damaged, or of another run.
    Other(String),
}

impl From<String> for Unusable {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Edited(reason) | Self::Other(reason)) = self;
        f.write_str(reason)
    }
}

/// Writes a checkpoint and keeps the previous one.
///
/// # Errors
/// When the folder cannot be written; the earlier checkpoints are then still there.
pub fn save(folder: &RunFolder, checkpoint: &Checkpoint, fingerprint: &Fingerprint) -> Result<(), RunError> {
    let bytes = serialise(checkpoint, fingerprint);
    let (current, previous) = (folder.file(CURRENT), folder.file(PREVIOUS));
    atomic_write(&current, Durability::Flushed, |out| {
        out.write_all(&bytes)?;
        out.flush()?;
        // The new one is complete before the one before the last is given up, and there is a current one at any time.
        if current.exists() {
            out.get_ref().sync_all()?;
            keep_as(&current, &previous)?;
        }
        Ok(())
    })
    .map_err(|e| RunError::write(&current, &e))
}

/// The newest valid checkpoint; `None` if there is none. A damaged one is logged and the previous one is used.
///
/// # Errors
/// When there are checkpoints but all are invalid.
pub fn load(folder: &RunFolder, fingerprint: &Fingerprint) -> Result<Option<Checkpoint>, RunError> {
    let mut damaged: Vec<(PathBuf, String)> = Vec::new();
    for name in [CURRENT, PREVIOUS] {
        let path = folder.file(name);
        if !path.exists() {
            continue;
        }
        match read(&path, fingerprint) {
            Ok(checkpoint) => {
                for (path, reason) in &damaged {
                    log::warn!("{} cannot be used: {reason}; {name} is taken instead", path.display());
                }
                return Ok(Some(checkpoint));
            }
            // Neither damaged nor of another run: an earlier one would go on with the edited setting too.
            Err(Unusable::Edited(change)) => {
                let reason = format!(
                    "{change}; set it back, or start over with `afterimage train PICTURE --out DIR --force`"
                );
                return Err(RunError::folder(folder.path(), reason));
            }
            Err(Unusable::Other(reason)) => damaged.push((path, reason)),
        }
    }
    if damaged.is_empty() {
        return Ok(None);
    }
    // What both have is said once.
    damaged.dedup_by(|(_, reason), (_, before)| reason == before);
    let all = damaged.iter().map(|(path, reason)| format!("{} cannot be used: {reason}", path.display()));
    let all = all.collect::<Vec<_>>().join(", and ");
    let reason = format!("{all}; start over with `afterimage train PICTURE --out DIR --force`");
    Err(RunError::folder(folder.path(), reason))
}

/// Prefix of the tensors of the best state.
const BEST: &str = "best.";

/// The tensor of the first samples of blocks.
const STARTS: &str = "starts";

/// The tensors of a state by name, in the order they are checksummed.
fn tensors<'a>(prefix: &str, state: &'a TrainingState) -> Vec<(String, &'a [f32])> {
    let moments = state.moments.iter().enumerate();
    std::iter::once((format!("{prefix}params"), state.params.as_slice()))
        .chain(moments.map(|(n, m)| (format!("{prefix}moments.{n}"), m.as_slice())))
        .collect()
}

fn serialise(checkpoint: &Checkpoint, fingerprint: &Fingerprint) -> Vec<u8> {
    let position = serde_json::to_string(&checkpoint.position).expect("a position is plain data");
    let mut metadata = HashMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("position".to_owned(), position),
        ("step".to_owned(), checkpoint.state.step.to_string()),
        ("picture".to_owned(), fingerprint.picture.to_string()),
        ("version".to_owned(), VERSION.to_owned()),
    ]);
    let settings = fingerprint.settings.to_toml();
    metadata.insert(SETTINGS_CRC.to_owned(), crc32fast::hash(settings.as_bytes()).to_string());
    metadata.insert(SETTINGS.to_owned(), settings);
    if let Some(method) = &checkpoint.method {
        let method = serde_json::to_string(method).expect("a method is plain data");
        metadata.insert("method".to_owned(), method);
    }
    let mut all = tensors("", &checkpoint.state);
    if let Some(best) = &checkpoint.best {
        all.extend(tensors(BEST, &best.state));
        metadata.insert("best.epoch".to_owned(), best.epoch.to_string());
        metadata.insert("best.psnr_test".to_owned(), best.psnr_test.to_string());
        metadata.insert("best.step".to_owned(), best.state.step.to_string());
    }
    if let Some(importance) = &checkpoint.importance {
        all.push((STARTS.to_owned(), bytemuck::cast_slice(importance.starts())));
    }
    let crc = checksum(&metadata, all.iter().map(|(_, values)| *values));
    metadata.insert(CRC.to_owned(), crc.to_string());
    let views = all.iter().map(|(name, values)| {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let dtype = if name == STARTS { Dtype::U32 } else { Dtype::F32 };
        let view = TensorView::new(dtype, vec![values.len()], bytes).expect("the length is the slice's");
        (name.as_str(), view)
    });
    safetensors::serialize(views, Some(metadata)).expect("names are unique and shapes match")
}

const CRC: &str = "crc32";
const SETTINGS: &str = "settings";
const SETTINGS_CRC: &str = "settings.crc32";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first setting that is no longer as it was when the checkpoint was written, in a sentence.
fn edited(metadata: &HashMap<String, String>, fingerprint: &Fingerprint) -> Option<String> {
    // Former versions wrote none. If they are damaged, the checksum of all of it says so.
    let settings = metadata.get(SETTINGS)?;
    if metadata.get(SETTINGS_CRC)?.parse() != Ok(crc32fast::hash(settings.as_bytes())) {
        return None;
    }
    let is_of_this_version = metadata.get("version").is_some_and(|version| version == VERSION);
    let was = Config::parse(settings).ok()?;
    let change = fingerprint.settings.first_change(&was, is_of_this_version)?;
    Some(format!("in its config.toml, {change}"))
}

/// CRC-32 of all fields but itself, by name, and of the tensors.
fn checksum<'a>(metadata: &HashMap<String, String>, tensors: impl Iterator<Item = &'a [f32]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let fields: BTreeMap<_, _> = metadata.iter().filter(|(name, _)| *name != CRC).collect();
    for (name, value) in fields {
        hasher.update(name.as_bytes());
        hasher.update(value.as_bytes());
    }
    for values in tensors {
        hasher.update(bytemuck::cast_slice(values));
    }
    hasher.finalize()
}

/// Reads a file that may be damaged or hostile: its size is checked first.
pub(super) fn read(path: &Path, fingerprint: &Fingerprint) -> Result<Checkpoint, Unusable> {
    let (file, size_bytes) = open_regular(path).map_err(|e| e.to_string())?;
    let max_bytes = fingerprint.max_value_bytes() + MAX_HEADER_BYTES;
    let too_long = || format!("it has {size_bytes} bytes, more than this network's state");
    if size_bytes > max_bytes {
        return Err(too_long().into());
    }
    let bytes = read_at_most(file, max_bytes).map_err(|e| e.to_string())?;
    parse(&bytes.ok_or_else(too_long)?, fingerprint)
}

/// Parses a checkpoint.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8], fingerprint: &Fingerprint) -> Result<Checkpoint, Unusable> {
    let metadata = metadata_of(bytes)?;
    if let Some(change) = edited(&metadata, fingerprint) {
        return Err(Unusable::Edited(change));
    }
    Ok(parse_tensors(bytes, &metadata, fingerprint)?)
}

fn damaged() -> String {
    "it is damaged or cut short".to_owned()
}

fn metadata_of(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let header_bytes = bytes.first_chunk::<8>().map_or(u64::MAX, |length| u64::from_le_bytes(*length));
    if header_bytes > MAX_HEADER_BYTES {
        return Err(damaged());
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| damaged())?;
    let metadata = header.metadata().clone().ok_or_else(damaged)?;
    match metadata.get("format") {
        None => Err("it has no `format`".to_owned()),
        Some(format) if format != FORMAT => Err(format!("it is not in the format `{FORMAT}`")),
        Some(_) => Ok(metadata),
    }
}

fn parse_tensors(
    bytes: &[u8],
    metadata: &HashMap<String, String>,
    fingerprint: &Fingerprint,
) -> Result<Checkpoint, String> {
    let sampling_changed = || "the sampling has changed since".to_owned();
    let field = |name: &str| metadata.get(name).ok_or_else(|| format!("it has no `{name}`"));
    if field("picture")?.parse() != Ok(fingerprint.picture) {
        return Err("the picture has changed since".to_owned());
    }
    let number = |name: &str| field(name)?.parse::<u64>().map_err(|_| damaged());
    let file = SafeTensors::deserialize(bytes).map_err(|_| damaged())?;
    let has_best = metadata.contains_key("best.epoch");
    if file.names().contains(&STARTS) != fingerprint.by_error.is_some() {
        return Err(sampling_changed());
    }
    let n_states = 1 + usize::from(has_best);
    if file.len() != n_states * (1 + fingerprint.n_moments) + usize::from(fingerprint.by_error.is_some()) {
        return Err("the optimiser has changed since".to_owned());
    }
    let state = read_state(&file, "", number("step")?, fingerprint)?;
    let best = match has_best {
        false => None,
        true => Some(Best {
            epoch: number("best.epoch")?,
            psnr_test: field("best.psnr_test")?.parse().map_err(|_| damaged())?,
            state: read_state(&file, BEST, number("best.step")?, fingerprint)?,
        }),
    };
    let best_tensors = best.iter().flat_map(|best| tensors(BEST, &best.state));
    let starts = fingerprint.by_error.map(|_| read_starts(&file)).transpose()?;
    let starts_tensor = starts.iter().map(|starts| (STARTS.to_owned(), bytemuck::cast_slice(starts)));
    let all: Vec<_> = tensors("", &state).into_iter().chain(best_tensors).chain(starts_tensor).collect();
    if field(CRC)?.parse() != Ok(checksum(metadata, all.iter().map(|(_, values)| *values))) {
        return Err("its checksum does not match: it is damaged".to_owned());
    }
    let position: Position = serde_json::from_str(field("position")?).map_err(|_| damaged())?;
    // A checksum only detects accidents; the file may be hostile.
    let finite = |state: &TrainingState| state.params.iter().all(|w| w.is_finite());
    let plausible = position.is_plausible()
        && finite(&state)
        && best.as_ref().is_none_or(|best| finite(&best.state) && best.epoch <= position.epochs_done);
    if !plausible {
        return Err("it holds numbers that no run can reach".to_owned());
    }
    let importance = fingerprint.by_error.zip(starts).map(|(samples, starts)| {
        Importance::from_starts(samples, starts).map(Arc::new).ok_or_else(sampling_changed)
    });
    let importance = importance.transpose()?;
    // Whatever else it may be, a run goes on without.
    let method = metadata.get("method").and_then(|method| serde_json::from_str(method).ok());
    Ok(Checkpoint { position, state, best, importance, method })
}

fn read_starts(file: &SafeTensors<'_>) -> Result<Vec<u32>, String> {
    let tensor = file.tensor(STARTS).ok().filter(|tensor| tensor.dtype() == Dtype::U32);
    let tensor = tensor.ok_or("the sampling has changed since")?;
    Ok(bytemuck::pod_collect_to_vec(tensor.data()))
}

/// The state whose tensors begin with `prefix`.
fn read_state(
    file: &SafeTensors<'_>,
    prefix: &str,
    step: u64,
    fingerprint: &Fingerprint,
) -> Result<TrainingState, String> {
    let values = |name: &str| -> Result<Vec<f32>, String> {
        let name = format!("{prefix}{name}");
        let tensor = file.tensor(&name).map_err(|_| format!("it has no `{name}`"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [fingerprint.n_params] {
            return Err("the network has changed since".to_owned());
        }
        Ok(bytemuck::pod_collect_to_vec(tensor.data()))
    };
    let moments = (0..fingerprint.n_moments).map(|n| values(&format!("moments.{n}")));
    Ok(TrainingState { step, params: values("params")?, moments: moments.collect::<Result<_, _>>()? })
}

/// CRC-32 of a picture's values, to detect that the picture's file was replaced.
pub fn picture_checksum(picture: &Picture, mask: Option<&Mask>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(match &picture.pixels {
        Pixels::U8(v) => v,
        Pixels::U16(v) => bytemuck::cast_slice(v),
        Pixels::F32(v) => bytemuck::cast_slice(v),
    });
    if let Some(mask) = mask {
        hasher.update(bytemuck::cast_slice(mask.pixels()));
    }
    hasher.finalize()
}
