//! Checkpoints: everything needed to go on after a crash, a kill or a full disk.
//!
//! `checkpoint.safetensors` holds the tensors `params` and `moments.N`, f32, and in its metadata
//! the position within the run and a checksum of all of it. The one before stays beside it as
//! `checkpoint.previous.safetensors`, so that a damaged file costs a few epochs, not the run.

use super::{RunError, RunFolder};
use crate::atomic_write::{Durability, atomic_write};
use crate::model::TrainingState;
use crate::read_file::{open_regular, read_at_most};
use crate::trainer::{Checkpoint, Position};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

pub(super) const CURRENT: &str = "checkpoint.safetensors";
pub(super) const PREVIOUS: &str = "checkpoint.previous.safetensors";

const FORMAT: &str = "afterimage checkpoint 1";
/// Room for the header beside the values, whose size follows from the network.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// Which picture a checkpoint belongs to, and what network it must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// CRC-32 of the training picture's values.
    pub picture: u32,
    /// Weights and biases.
    pub n_params: usize,
    /// Optimiser moments.
    pub n_moments: usize,
}

impl Fingerprint {
    fn value_bytes(&self) -> u64 {
        (self.n_params * (1 + self.n_moments) * size_of::<f32>()) as u64
    }
}

/// Writes a checkpoint beside the one before.
///
/// # Errors
/// When the folder cannot be written; the earlier checkpoints are then still there.
pub fn save(folder: &RunFolder, checkpoint: &Checkpoint, fingerprint: Fingerprint) -> Result<(), RunError> {
    let bytes = serialise(checkpoint, fingerprint);
    let (current, previous) = (folder.file(CURRENT), folder.file(PREVIOUS));
    atomic_write(&current, Durability::Flushed, |out| {
        out.write_all(&bytes)?;
        out.flush()?;
        // The new one is whole before the old one moves. A kill between the two renames leaves
        // the old one under its second name, which is read as well.
        if current.exists() {
            out.get_ref().sync_all()?;
            std::fs::rename(&current, &previous)?;
        }
        Ok(())
    })
    .map_err(|e| RunError::write(&current, &e))
}

/// The newest checkpoint that is whole; none where there is none. A damaged one is named in the
/// log and the one before is used.
///
/// # Errors
/// When there are checkpoints and none of them can be used.
pub fn load(folder: &RunFolder, fingerprint: Fingerprint) -> Result<Option<Checkpoint>, RunError> {
    let mut damaged = Vec::new();
    for name in [CURRENT, PREVIOUS] {
        let path = folder.file(name);
        if !path.exists() {
            continue;
        }
        match read(&path, fingerprint) {
            Ok(checkpoint) => {
                for problem in &damaged {
                    log::warn!("{problem}; going on from {name}");
                }
                return Ok(Some(checkpoint));
            }
            Err(reason) => damaged.push(format!("{} cannot be used: {reason}", path.display())),
        }
    }
    match damaged.is_empty() {
        true => Ok(None),
        false => Err(RunError::Folder {
            path: folder.path().to_owned(),
            reason: format!(
                "{}; begin anew with `afterimage train PICTURE --out DIR --force`",
                damaged.join(", and ")
            ),
        }),
    }
}

fn serialise(checkpoint: &Checkpoint, fingerprint: Fingerprint) -> Vec<u8> {
    let tensors: Vec<(String, &[f32])> =
        std::iter::once(("params".to_owned(), checkpoint.state.params.as_slice()))
            .chain(
                checkpoint
                    .state
                    .moments
                    .iter()
                    .enumerate()
                    .map(|(n, m)| (format!("moments.{n}"), m.as_slice())),
            )
            .collect();
    let position = serde_json::to_string(&checkpoint.position).expect("a position is plain data");
    let crc = checksum(&position, checkpoint.state.step, tensors.iter().map(|(_, values)| *values));
    let metadata = HashMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("position".to_owned(), position),
        ("step".to_owned(), checkpoint.state.step.to_string()),
        ("picture".to_owned(), fingerprint.picture.to_string()),
        ("crc32".to_owned(), crc.to_string()),
    ]);
    let views = tensors.iter().map(|(name, values)| {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).expect("the length is the slice's");
        (name.as_str(), view)
    });
    safetensors::serialize(views, Some(metadata)).expect("names are unique and shapes match")
}

fn checksum<'a>(position: &str, step: u64, tensors: impl Iterator<Item = &'a [f32]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(position.as_bytes());
    hasher.update(&step.to_le_bytes());
    for values in tensors {
        hasher.update(bytemuck::cast_slice(values));
    }
    hasher.finalize()
}

/// Reads a file that may be damaged or hostile: its size is known before it is read.
fn read(path: &Path, fingerprint: Fingerprint) -> Result<Checkpoint, String> {
    let (file, size_bytes) = open_regular(path).map_err(|e| e.to_string())?;
    let max_bytes = fingerprint.value_bytes() + MAX_HEADER_BYTES;
    let too_long = || format!("it has {size_bytes} bytes, more than this network's state");
    if size_bytes > max_bytes {
        return Err(too_long());
    }
    let bytes = read_at_most(file, max_bytes).map_err(|e| e.to_string())?;
    parse(&bytes.ok_or_else(too_long)?, fingerprint)
}

/// The checkpoint in `bytes`.
///
/// # Errors
/// One sentence about what is wrong with it.
pub fn parse(bytes: &[u8], fingerprint: Fingerprint) -> Result<Checkpoint, String> {
    let damaged = || "it is damaged or cut short".to_owned();
    let header_bytes = bytes.first_chunk::<8>().map_or(u64::MAX, |length| u64::from_le_bytes(*length));
    if header_bytes > MAX_HEADER_BYTES {
        return Err(damaged());
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| damaged())?;
    let metadata = header.metadata().clone().ok_or_else(damaged)?;
    let field = |name: &str| metadata.get(name).ok_or_else(|| format!("it has no `{name}`"));
    if field("format")? != FORMAT {
        return Err(format!("it is not in the format `{FORMAT}`"));
    }
    if field("picture")?.parse() != Ok(fingerprint.picture) {
        return Err("the picture has changed since".to_owned());
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|_| damaged())?;
    if tensors.len() != 1 + fingerprint.n_moments {
        return Err("the optimiser has changed since".to_owned());
    }
    let values = |name: &str| -> Result<Vec<f32>, String> {
        let tensor = tensors.tensor(name).map_err(|_| format!("it has no `{name}`"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [fingerprint.n_params] {
            return Err("the network has changed since".to_owned());
        }
        Ok(bytemuck::pod_collect_to_vec(tensor.data()))
    };
    let params = values("params")?;
    let moments =
        (0..fingerprint.n_moments).map(|n| values(&format!("moments.{n}"))).collect::<Result<Vec<_>, _>>()?;
    let step = field("step")?.parse().map_err(|_| damaged())?;
    let crc = checksum(
        field("position")?,
        step,
        std::iter::once(params.as_slice()).chain(moments.iter().map(Vec::as_slice)),
    );
    if field("crc32")?.parse() != Ok(crc) {
        return Err("its checksum does not match: it is damaged".to_owned());
    }
    let position: Position = serde_json::from_str(field("position")?).map_err(|_| damaged())?;
    // A checksum only tells of accidents; whoever made the file may have meant it.
    if !position.is_plausible() || params.iter().any(|w| !w.is_finite()) {
        return Err("it holds numbers that no run can come to".to_owned());
    }
    Ok(Checkpoint { position, state: TrainingState { step, params, moments } })
}

/// CRC-32 of a picture's values, to notice when the file behind a run was exchanged.
pub fn picture_checksum(picture: &crate::picture::Picture) -> u32 {
    use crate::picture::Pixels;
    crc32fast::hash(match &picture.pixels {
        Pixels::U8(v) => v,
        Pixels::U16(v) => bytemuck::cast_slice(v),
        Pixels::F32(v) => bytemuck::cast_slice(v),
    })
}
