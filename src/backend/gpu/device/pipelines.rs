//! Compiled kernels: shared per device, and cached on disk between runs if the graphics API allows it (Vulkan).

use super::Gpu;
use crate::atomic_write::{Durability, atomic_write};
use crate::read_file::read_whole;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Larger files are not ours: a run's kernels take a few hundred kilobytes.
const MAX_BYTES: u64 = 64 << 20;

/// What a pipeline is compiled from; the key of the cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shader {
    pub(crate) name: String,
    pub(crate) wgsl: String,
    /// Values of override constants.
    pub(crate) constants: Vec<(&'static str, f64)>,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
    is_proven: AtomicBool,
}

impl Pipeline {
    pub(crate) fn new(pipeline: wgpu::ComputePipeline, layout: wgpu::BindGroupLayout) -> Self {
        Self { pipeline, layout, is_proven: AtomicBool::new(false) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    made: Mutex<Vec<(Shader, Arc<Pipeline>)>>,
    disk: Option<OnDisk>,
}

/// The driver's pipeline cache and its file.
#[derive(Debug)]
struct OnDisk {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    /// Checksum of the file's contents.
    written: Mutex<Option<u32>>,
}

impl Pipelines {
    /// Empty, or loaded from `folder` if `device` supports it.
    pub(crate) fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo, folder: Option<&Path>) -> Self {
        let key = wgpu::util::pipeline_cache_key(info);
        let disk = match (folder, key) {
            (Some(folder), Some(key)) if device.features().contains(wgpu::Features::PIPELINE_CACHE) => {
                Some(OnDisk::open(device, folder.join(key)))
            }
            _ => None,
        };
        Self { disk, ..Self::default() }
    }

    /// The driver's cache, to compile with.
    pub(crate) fn cache(&self) -> Option<&wgpu::PipelineCache> {
        self.disk.as_ref().map(|disk| &disk.cache)
    }

    pub(crate) fn add(&self, shader: Shader, pipeline: Pipeline) {
        self.made().push((shader, Arc::new(pipeline)));
    }

    pub(crate) fn is_proven(&self, shader: &Shader) -> bool {
        self.find(shader).is_some_and(|pipeline| pipeline.is_proven.load(Ordering::Relaxed))
    }

    pub(crate) fn set_proven(&self, shader: &Shader) {
        let pipeline = self.find(shader).expect("compiled for its self-test");
        pipeline.is_proven.store(true, Ordering::Relaxed);
    }

    pub(crate) fn find(&self, shader: &Shader) -> Option<Arc<Pipeline>> {
        self.made().iter().find(|(known, _)| known == shader).map(|(_, pipeline)| Arc::clone(pipeline))
    }

    fn made(&self) -> MutexGuard<'_, Vec<(Shader, Arc<Pipeline>)>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnDisk {
    fn open(device: &wgpu::Device, path: PathBuf) -> Self {
        let data = read(&path).inspect_err(|e| log::debug!("{}: {e}", path.display())).ok();
        let written = Mutex::new(data.as_deref().map(crc32fast::hash));
        // SAFETY: the data was written by `Gpu::keep_pipelines` into the user's own cache folder and has a checksum;
        // whoever can write there can replace this program as well. wgpu and the driver compare the headers with the
        // adapter and the driver's version, and start with an empty cache if they differ.
        let cache = unsafe {
            device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                label: Some("pipelines"),
                data: data.as_deref(),
                fallback: true,
            })
        };
        Self { cache, path, written }
    }
}

impl Gpu {
    /// Writes the cache for the next run. A failure is only logged, since runs work without it.
    pub(crate) fn keep_pipelines(&self) {
        let Some(disk) = &self.pipelines.disk else { return };
        let Some(data) = disk.cache.get_data().filter(|data| data.len() as u64 <= MAX_BYTES) else { return };
        let mut written = disk.written.lock().unwrap_or_else(PoisonError::into_inner);
        let crc = crc32fast::hash(&data);
        if *written != Some(crc) {
            match write(&disk.path, &data) {
                Ok(()) => *written = Some(crc),
                Err(e) => log::debug!("{}: {e}", disk.path.display()),
            }
        }
    }
}

/// The driver's data after its checksum: drivers only check the header themselves.
fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_write(path, Durability::Cached, |out| {
        out.write_all(&crc32fast::hash(data).to_le_bytes())?;
        out.write_all(data)
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_whole(path, MAX_BYTES + 4)?;
    let sound = bytes.as_deref().and_then(<[u8]>::split_first_chunk::<4>);
    let sound = sound.filter(|(crc, data)| u32::from_le_bytes(**crc) == crc32fast::hash(data));
    sound.map(|(_, data)| data.to_vec()).ok_or_else(|| io::Error::other("it is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/key");
        write(&path, b"pipelines").unwrap();
        assert_eq!(read(&path).unwrap(), b"pipelines");
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&whole[..7], &whole[..2], b"", b"something else altogether"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_err(), "{damaged:?}");
        }
    }
}
