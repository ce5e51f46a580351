//! The run folder: what may be created, and what may be replaced.

use super::RunError;
use super::input::{Input, is_input};
use super::lock::{FolderLock, has_lock, is_of_lock};
use crate::atomic_write::is_temporary;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything a run writes. Only these are removed when a run is replaced, in this order: `config.toml`, which
/// identifies a run folder, goes last, so that an interrupted removal can be repeated.
const FILES: [&str; 14] = [
    "metrics.csv",
    "sigma.csv",
    "w0.csv",
    "final.png",
    "final.exr",
    "psnr.svg",
    "psnr.png",
    "strip.png",
    "progress.gif",
    "model.safetensors",
    "run.json",
    CURRENT,
    PREVIOUS,
    "config.toml",
];
const EPOCHS: &str = "epochs";

/// The checkpoint, and the previous one.
pub(super) const CURRENT: &str = "checkpoint.safetensors";
pub(super) const PREVIOUS: &str = "checkpoint.previous.safetensors";

/// A folder that belongs to one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held by those who write.
    lock: Option<Arc<FolderLock>>,
}

impl RunFolder {
    /// Checks, without changing anything, that a run may write to `path`: it does not exist, is an empty folder, or
    /// is a run folder and `force` is set.
    ///
    /// # Errors
    /// Says what is there and what would be right.
    pub fn check(path: &Path, force: bool) -> Result<(), RunError> {
        let occupied = |what: &str| RunError::folder(path, what);
        match std::fs::symlink_metadata(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(occupied(&e.to_string())),
            Ok(_) if !path.is_dir() => return Err(occupied("a file is in the way; choose another --out")),
            Ok(_) => {}
        }
        let mut entries = std::fs::read_dir(path).map_err(|e| occupied(&e.to_string()))?.flatten();
        // A run that ended before it wrote anything leaves an empty folder for its pictures.
        let means_nothing = |path: &Path| is_temporary(path) || is_of_lock(path) || is_empty_epochs(path);
        if entries.all(|entry| means_nothing(&entry.path())) {
            return Ok(());
        }
        let is_run = path.join("config.toml").is_file();
        match (is_run, force) {
            // Nothing is removed that could not be replaced.
            (true, true) => match FILES.iter().find(|name| path.join(name).is_dir()) {
                Some(name) => Err(occupied(&format!(
                    "{name} in it is a folder; move that away, or choose another --out"
                ))),
                None => Ok(()),
            },
            (true, false) => {
                Err(occupied("it already holds a run; give --force to replace it, or another --out"))
            }
            (false, _) => Err(occupied("the folder is not empty and holds no run; choose another --out")),
        }
    }

    /// Locks the folder for a new run and checks it ([`RunFolder::check`]), but changes nothing in it. Until
    /// [`RunFolder::clear`], dropping it leaves everything as it was.
    ///
    /// # Errors
    /// Like [`RunFolder::check`], and when another process writes to it or it cannot be written.
    pub fn claim(path: &Path, force: bool) -> Result<Self, RunError> {
        if let Err(occupied) = Self::check(path, force) {
            // The run there may have begun just now, or be removing the one before.
            let is_run = path.join("config.toml").is_file() || has_lock(path);
            let lock = is_run.then(|| FolderLock::acquire(path));
            return Err(lock.and_then(Result::err).filter(RunError::is_in_use).unwrap_or(occupied));
        }
        let lock = FolderLock::acquire(path)?;
        // Another process may have written a run since.
        Self::check(path, force)?;
        Ok(Self { path: path.to_owned(), lock: Some(Arc::new(lock)) })
    }

    /// Removes the files of an earlier run.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn clear(&self) -> Result<(), RunError> {
        debug_assert!(self.lock.is_some(), "a folder is written by its holder");
        self.create_folders()?;
        self.remove_temporaries()?;
        self.remove_snapshots(0)?;
        let entries = std::fs::read_dir(&self.path).map_err(|e| self.unwritable(&e))?.flatten();
        let inputs = entries.map(|entry| entry.path()).filter(|path| is_input(path));
        for file in inputs.chain(FILES.map(|name| self.path.join(name))) {
            match std::fs::remove_file(file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(self.unwritable(&e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// [`RunFolder::claim`] and [`RunFolder::clear`].
    ///
    /// # Errors
    /// As those.
    pub fn create(path: &Path, force: bool) -> Result<Self, RunError> {
        let folder = Self::claim(path, force)?;
        folder.clear()?;
        Ok(folder)
    }

    /// Locks and opens the folder of an existing run; removes temporary files left by a kill.
    ///
    /// # Errors
    /// When there is no run, or another process writes to it.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        if !path.join("config.toml").is_file() {
            let reason = "there is no run in it (no config.toml); give the folder of an earlier run";
            return Err(RunError::folder(path, reason));
        }
        let lock = Some(Arc::new(FolderLock::acquire(path)?));
        let folder = Self { path: path.to_owned(), lock };
        folder.create_folders()?;
        folder.remove_temporaries()?;
        Ok(folder)
    }

    /// Opens the folder of a run read-only.
    ///
    /// # Errors
    /// When there is no run.
    pub fn look(path: &Path) -> Result<Self, RunError> {
        let folder = Self { path: path.to_owned(), lock: None };
        if path.join("config.toml").is_file() || !folder.snapshots().is_empty() {
            return Ok(folder);
        }
        Err(RunError::folder(path, "there is no run in it (no config.toml); give the folder of a run"))
    }

    /// The folder and the one for its pictures, which must be inside it: files are removed there, and a link in an
    /// untrusted folder may point anywhere.
    fn create_folders(&self) -> Result<(), RunError> {
        let epochs = self.path.join(EPOCHS);
        std::fs::create_dir_all(&epochs).map_err(|e| self.unwritable(&e))?;
        if std::fs::symlink_metadata(&epochs).map_err(|e| self.unwritable(&e))?.is_symlink() {
            return Err(RunError::folder(&self.path, format!("{EPOCHS} in it is a link to another folder")));
        }
        Ok(())
    }

    fn remove_temporaries(&self) -> Result<(), RunError> {
        for dir in [self.path.clone(), self.path.join(EPOCHS)] {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                if is_temporary(&entry.path()) {
                    std::fs::remove_file(entry.path()).map_err(|e| self.unwritable(&e))?;
                }
            }
        }
        Ok(())
    }

    /// Epochs that have a picture, in order.
    pub fn snapshots(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.path.join(EPOCHS)).into_iter().flatten().flatten();
        let mut epochs: Vec<u64> = entries.filter_map(|entry| snapshot_epoch(&entry.path())).collect();
        epochs.sort_unstable();
        epochs
    }

    /// Removes the pictures of epochs from `first` on, and nothing else.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove_snapshots(&self, first: u64) -> Result<(), RunError> {
        for epoch in self.snapshots().into_iter().filter(|&epoch| epoch >= first) {
            std::fs::remove_file(self.snapshot(epoch)).map_err(|e| self.unwritable(&e))?;
        }
        Ok(())
    }

    fn unwritable(&self, error: &std::io::Error) -> RunError {
        RunError::unwritable(&self.path, error)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the run's picture is that its configuration names: if it is no longer there, then perhaps in the folder,
    /// which may have moved with it.
    pub fn picture(&self, named: &Path) -> PathBuf {
        let inside = named.file_name().map(|name| self.path.join(name));
        match inside {
            Some(inside) if !named.exists() && inside.is_file() => inside,
            _ => named.to_owned(),
        }
    }

    /// `file`, if it is in this folder, where [`RunFolder::clear`] might remove it: it has to be kept like one from
    /// standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own_input(&self, file: &Path) -> std::io::Result<Option<Input>> {
        match (file.canonicalize(), self.path.canonicalize()) {
            (Ok(file), Ok(folder)) if file.starts_with(&folder) => Ok(Some(Input::new(std::fs::read(file)?))),
            _ => Ok(None),
        }
    }

    /// Where a picture from standard input is kept.
    pub fn input(&self, input: &Input) -> PathBuf {
        self.path.join(input.name())
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

/// The epoch in a name such as `00012.png`; `None` for other files.
fn snapshot_epoch(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let named = path.extension()? == "png" && stem.len() >= 5 && stem.bytes().all(|b| b.is_ascii_digit());
    named.then(|| stem.parse().ok()).flatten()
}

fn is_empty_epochs(path: &Path) -> bool {
    let is_left_over = |entry: std::fs::DirEntry| is_temporary(&entry.path());
    path.file_name().is_some_and(|name| name == EPOCHS)
        && std::fs::read_dir(path).is_ok_and(|entries| entries.flatten().all(is_left_over))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_cannot_be_removed_whole_is_left_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in ["config.toml", "metrics.csv"] {
            std::fs::write(folder.path().join(file), "").expect("written");
        }
        std::fs::create_dir(folder.path().join("w0.csv")).expect("created");
        let refused = RunFolder::create(folder.path(), true).expect_err("a folder is in the way").to_string();
        assert!(refused.contains("w0.csv in it is a folder"), "{refused}");
        assert!(folder.path().join("metrics.csv").is_file());
        std::fs::remove_dir(folder.path().join("w0.csv")).expect("removed");
        RunFolder::create(folder.path(), true).expect("a run in the way, and force");
        assert!(!folder.path().join("metrics.csv").exists());
    }
}
