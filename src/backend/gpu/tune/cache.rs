//! Measurements on this machine, stored between runs in `tuning.json`.

use crate::atomic_write::{Durability, atomic_write};
use crate::backend::gpu::kernel::{KernelConfig, Precision, Storage, TunedTile};
use crate::read_file::read_whole;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Larger files are not ours.
const MAX_BYTES: u64 = 4 << 20;

/// Maximum number of jobs stored; the oldest are dropped.
const MAX_STEPS: usize = 500;

/// The fastest tiles for products of some number of samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tiles {
    pub(super) device: String,
    pub(super) storage: Storage,
    /// Samples of a step, as a power of two.
    pub(super) n_samples: usize,
    pub(super) choices: Vec<TunedTile>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    /// Adapter, API and driver.
    pub(super) device: String,
    /// Encoding, network, loss, optimiser and samples.
    pub(super) job: String,
    pub(super) precision: Precision,
}

/// The fastest configuration for a whole step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fastest {
    #[serde(flatten)]
    pub(super) key: Key,
    pub(super) milliseconds: f64,
    #[serde(rename = "variants")]
    pub(super) config: KernelConfig,
}

/// The file, valid only for this version of the program, since kernels change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TuningCache {
    version: String,
    pub(super) steps: Vec<Fastest>,
    pub(super) tiles: Vec<Tiles>,
}

impl TuningCache {
    /// Reads the file at `path`; empty if it is missing, damaged or of another version.
    pub(super) fn read(path: Option<&Path>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let read = path.and_then(parse).filter(|cache| cache.version == version);
        read.unwrap_or_else(|| Self { version: version.to_owned(), ..Self::default() })
    }

    pub(super) fn fastest(&self, key: &Key) -> Option<&Fastest> {
        self.steps.iter().find(|fastest| fastest.key == *key)
    }

    /// The tiles measured on `device` for this storage.
    pub(super) fn tiles(&mut self, device: &str, storage: Storage, n_samples: usize) -> &mut Vec<TunedTile> {
        let is_same = |t: &Tiles| (t.device.as_str(), t.storage, t.n_samples) == (device, storage, n_samples);
        let index = self.tiles.iter().position(is_same).unwrap_or_else(|| {
            self.tiles.push(Tiles { device: device.to_owned(), storage, n_samples, choices: Vec::new() });
            self.tiles.len() - 1
        });
        &mut self.tiles[index].choices
    }

    pub(super) fn remember(&mut self, fastest: Fastest) {
        self.steps.retain(|known| known.key != fastest.key);
        let surplus = (self.steps.len() + 1).saturating_sub(MAX_STEPS);
        self.steps.drain(..surplus);
        self.steps.push(fastest);
    }

    /// Writes the file. A failure is only logged, since runs work without it.
    pub(super) fn write(&self, path: Option<&Path>) {
        if let Some(path) = path {
            let _ = write(path, self).inspect_err(|e| log::debug!("{}: {e}", path.display()));
        }
    }
}

fn parse(path: &Path) -> Option<TuningCache> {
    let bytes = read_whole(path, MAX_BYTES).ok().flatten()?;
    serde_json::from_slice(&bytes).inspect_err(|e| log::debug!("{}: {e}", path.display())).ok()
}

fn write(path: &Path, cache: &TuningCache) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_write(path, Durability::Cached, |out| {
        serde_json::to_writer_pretty(out, cache).map_err(io::Error::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::gpu::kernel::{MatmulTiling, Operation};

    fn key(job: usize) -> Key {
        Key { device: "a GPU".into(), job: format!("job {job}"), precision: Precision::Auto }
    }

    #[test]
    fn what_was_measured_is_read_again_and_a_damaged_file_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/tuning.json");
        let mut cache = TuningCache::read(Some(&path));
        let choice = TunedTile {
            operation: Operation::BackwardWeights,
            input_width: 256,
            output_width: 3,
            tiling: MatmulTiling::TileWide,
        };
        cache.tiles("a GPU", Storage::F16, 1024).push(choice);
        let config = KernelConfig { fused: Some(false), tuned: vec![choice], ..KernelConfig::default() };
        cache.remember(Fastest { key: key(1), milliseconds: 0.25, config });
        cache.write(Some(&path));
        let mut again = TuningCache::read(Some(&path));
        assert_eq!(again, cache);
        assert_eq!(again.tiles("a GPU", Storage::F16, 1024), &[choice]);
        assert_eq!(again.tiles("a GPU", Storage::F32, 1024), &[]);
        assert_eq!(again.fastest(&key(1)).map(|f| f.config.fused), Some(Some(false)));
        assert_eq!(again.fastest(&Key { precision: Precision::F32, ..key(1) }), None);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(env!("CARGO_PKG_VERSION"), "0.0.0")).unwrap();
        assert_eq!(TuningCache::read(Some(&path)).steps, [], "another version's");
        std::fs::write(&path, "{\"version\": 3").unwrap();
        assert_eq!(TuningCache::read(Some(&path)).steps, []);
        assert_eq!(TuningCache::read(Some(folder.path())).steps, [], "a folder");
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut cache = TuningCache::default();
        for job in 0..MAX_STEPS + 2 {
            cache.remember(Fastest { key: key(job), ..Fastest::default() });
        }
        cache.remember(Fastest { key: key(7), milliseconds: 1.0, ..Fastest::default() });
        assert_eq!(cache.steps.len(), MAX_STEPS);
        assert!(cache.fastest(&key(1)).is_none() && cache.fastest(&key(2)).is_some());
        assert_eq!(cache.fastest(&key(7)).map(|f| f.milliseconds), Some(1.0));
    }
}
