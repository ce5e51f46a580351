//! The run folder: what may be created, and what may be replaced.

use super::RunError;
use std::path::{Path, PathBuf};

/// Everything a run writes. Only these are removed when a run is replaced.
const FILES: [&str; 10] = [
    "config.toml",
    "metrics.csv",
    "final.png",
    "final.exr",
    "psnr.svg",
    "psnr.png",
    "strip.png",
    "progress.gif",
    "model.safetensors",
    "run.json",
];
const EPOCHS: &str = "epochs";

/// A folder that belongs to one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Checks, without touching anything, that a run may write to `path`: it does not exist, is
    /// an empty folder, or is a run's folder and `force` is set.
    ///
    /// # Errors
    /// Says what stands there and what would be right.
    pub fn check(path: &Path, force: bool) -> Result<(), RunError> {
        let occupied = |what: &str| RunError::Folder { path: path.to_owned(), reason: what.to_owned() };
        match std::fs::symlink_metadata(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(occupied(&e.to_string())),
            Ok(_) if !path.is_dir() => return Err(occupied("a file is in the way; choose another --out")),
            Ok(_) => {}
        }
        let mut entries = std::fs::read_dir(path).map_err(|e| occupied(&e.to_string()))?;
        if entries.next().is_none() {
            return Ok(());
        }
        let is_run = path.join("config.toml").is_file() && path.join("metrics.csv").is_file();
        match (is_run, force) {
            (true, true) => Ok(()),
            (true, false) => {
                Err(occupied("it already holds a run; give --force to replace it, or another --out"))
            }
            (false, _) => Err(occupied("the folder is not empty and holds no run; choose another --out")),
        }
    }

    /// Makes the folder, removing an earlier run's files from it.
    ///
    /// # Errors
    /// As [`RunFolder::check`], and when the folder cannot be written.
    pub fn create(path: &Path, force: bool) -> Result<Self, RunError> {
        Self::check(path, force)?;
        let folder = Self { path: path.to_owned() };
        std::fs::create_dir_all(path).map_err(|e| folder.unwritable(&e))?;
        for file in FILES {
            match std::fs::remove_file(path.join(file)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(folder.unwritable(&e)),
                _ => {}
            }
        }
        folder.remove_snapshots()?;
        std::fs::create_dir_all(path.join(EPOCHS)).map_err(|e| folder.unwritable(&e))?;
        Ok(folder)
    }

    /// Removes the numbered pictures of an earlier run, and nothing else.
    fn remove_snapshots(&self) -> Result<(), RunError> {
        let Ok(entries) = std::fs::read_dir(self.path.join(EPOCHS)) else { return Ok(()) };
        for entry in entries.flatten() {
            if is_snapshot(&entry.path()) {
                std::fs::remove_file(entry.path()).map_err(|e| self.unwritable(&e))?;
            }
        }
        Ok(())
    }

    fn unwritable(&self, error: &std::io::Error) -> RunError {
        RunError::Folder { path: self.path.clone(), reason: format!("it cannot be written ({error})") }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        debug_assert!(FILES.contains(&name), "{name} would not be removed with --force");
        self.path.join(name)
    }

    /// The picture after `epoch`: `epochs/00012.png`.
    pub fn snapshot(&self, epoch: u64) -> PathBuf {
        self.path.join(EPOCHS).join(format!("{epoch:05}.png"))
    }
}

fn is_snapshot(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    path.extension().is_some_and(|e| e == "png")
        && !stem.is_empty()
        && stem.bytes().all(|b| b.is_ascii_digit())
}
