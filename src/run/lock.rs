//! One process a folder: a lock that the operating system releases when its holder ends, however it ends.
//!
//! The locked file is empty. Windows lets nobody read a locked file, so the holder names itself in a file beside it.
//! Both are removed with the lock; those that a killed process leaves behind mean nothing.

use super::RunError;
use crate::read_file::{open_regular, read_at_most};
use same_file::Handle;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LOCK: &str = ".lock";
const HOLDER: &str = ".lock-holder";

/// A holder names itself within this time of locking.
const NAMING: Duration = Duration::from_millis(50);

/// How often the files are created again if the holder before is just removing them.
const ATTEMPTS: usize = 100;

/// A folder that no other process can lock until this is dropped.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    /// The topmost of the folders made for it: removed again while they are empty.
    made: Option<PathBuf>,
    /// `None` on a file system without locks.
    file: Option<File>,
    /// Whether the folder was acquired. Another process's files are not removed.
    is_ours: bool,
}

/// The process that holds a lock, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number and the time since it locked the folder.
    known: Option<(u32, Duration)>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((pid, since)) = self.known else { return f.write_str("another process is writing to it") };
        let time = match since.as_secs() {
            seconds @ ..120 => format!("{seconds} s"),
            seconds @ 120..7200 => format!("{} min", seconds / 60),
            seconds => format!("{} h", seconds / 3600),
        };
        write!(f, "process {pid} has been writing to it for {time}")
    }
}

impl FolderLock {
    /// Locks the folder at `path`, which is created if it is missing. A folder on a file system without locks is
    /// reported and used all the same.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn acquire(path: &Path) -> Result<Self, RunError> {
        Self::acquire_by(File::try_lock, path)
    }

    fn acquire_by(
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
        path: &Path,
    ) -> Result<Self, RunError> {
        let unwritable = |e: io::Error| RunError::unwritable(path, &e);
        let made = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).last();
        let mut lock =
            Self { folder: path.to_owned(), made: made.map(Path::to_owned), file: None, is_ours: false };
        for _ in 0..ATTEMPTS {
            std::fs::create_dir_all(path).map_err(unwritable)?;
            let file = match open(&path.join(LOCK)) {
                Ok(file) => file,
                // The holder before removes the file or the folder at this moment.
                Err(e) if is_being_removed(&e) => {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
                Err(e) => return Err(unwritable(e)),
            };
            match try_lock(&file) {
                // Otherwise it was locked, removed, and perhaps created again, in between.
                Ok(()) if !is_at(&file, &path.join(LOCK)) => {}
                Ok(()) => {
                    (lock.file, lock.is_ours) = (Some(file), true);
                    lock.name_holder();
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) => {
                    lock.made = None;
                    std::thread::sleep(NAMING);
                    return Err(RunError::InUse { path: path.to_owned(), holder: holder_of(path) });
                }
                Err(TryLockError::Error(e)) => {
                    static SAID: Once = Once::new();
                    SAID.call_once(|| log::warn!("{}", without_lock(path, &e)));
                    lock.is_ours = true;
                    return Ok(lock);
                }
            }
        }
        Err(unwritable(io::Error::other("its lock file keeps disappearing")))
    }

    /// For the message to another process. Without it that only lacks a number.
    fn name_holder(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let path = self.folder.join(HOLDER);
        // A link in an untrusted folder is removed, not followed.
        let _ = std::fs::remove_file(&path);
        let _ = File::create_new(path).and_then(|mut file| writeln!(file, "{} {now}", std::process::id()));
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // In this order, and before the lock is released: another process names itself only once it holds a lock.
        let remove = |name| _ = std::fs::remove_file(self.folder.join(name));
        if self.file.is_some() {
            remove(HOLDER);
        }
        if self.is_ours {
            remove(LOCK);
        }
        // On Windows a removed file is gone only when it is closed.
        drop(self.file.take());
        // Folders with anything in them stay.
        let made = self.made.as_deref();
        let below = self.folder.ancestors().take_while(|folder| made.is_some_and(|m| folder.starts_with(m)));
        let _ = below.map(std::fs::remove_dir).try_for_each(|removed| removed);
    }
}

/// Whether a file in a folder is only there for its lock.
pub(super) fn is_of_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == LOCK || name == HOLDER)
}

/// Whether a process holds, or held, a lock on a folder.
pub(super) fn has_lock(folder: &Path) -> bool {
    folder.join(LOCK).exists()
}

/// Opens the file to be locked; nothing is read from it or written to it, and a link is not followed elsewhere.
fn open(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other(format!("{LOCK} in it is not a file")));
    }
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn is_being_removed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || cfg!(windows) && error.kind() == ErrorKind::PermissionDenied
}

fn is_at(file: &File, path: &Path) -> bool {
    let opened = file.try_clone().and_then(Handle::from_file);
    matches!((opened, Handle::from_path(path)), (Ok(opened), Ok(there)) if opened == there)
}

fn holder_of(folder: &Path) -> Holder {
    let known = || {
        let (file, _) = open_regular(&folder.join(HOLDER)).ok()?;
        let text = String::from_utf8(read_at_most(file, 64).ok()??).ok()?;
        let (pid, since) = text.trim_end().split_once(' ')?;
        let since = UNIX_EPOCH + Duration::from_secs(since.parse().ok()?);
        Some((pid.parse().ok()?, since.elapsed().unwrap_or_default()))
    };
    Holder { known: known() }
}

fn without_lock(folder: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be locked ({error}): make sure that no other process writes to it at the same time",
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::super::RunFolder;
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_its_holder_named() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("new/run");
        let held = FolderLock::acquire(&path).expect("free");
        let error = FolderLock::acquire(&path).expect_err("held").to_string();
        assert!(error.contains(&format!("process {} has been", std::process::id())), "{error}");
        assert!(path.join(LOCK).exists(), "a refusal leaves the holder's files");
        drop(held);
        assert!(!dir.path().join("new").exists(), "folders that stayed empty are removed");
        let _again = FolderLock::acquire(&path).expect("free again");
    }

    #[test]
    fn who_removes_an_earlier_run_holds_its_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // With --force its configuration may be the first to go.
        std::fs::write(dir.path().join("model.safetensors"), "").expect("written");
        let refused = || RunFolder::claim(dir.path(), true).map(|_| ()).expect_err("occupied");
        assert!(!refused().is_in_use());
        let _held = FolderLock::acquire(dir.path()).expect("free");
        assert!(refused().is_in_use(), "{}", refused());
    }

    #[test]
    fn what_a_killed_process_leaves_does_not_matter() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join(LOCK), "").expect("written");
        std::fs::write(dir.path().join(HOLDER), "1 1").expect("written");
        drop(FolderLock::acquire(dir.path()).expect("free"));
        assert_eq!(std::fs::read_dir(dir.path()).expect("it stays").count(), 0);
    }

    // On Windows a removed file may keep its name until it is closed, and no other can take its place.
    #[cfg(not(windows))]
    #[test]
    fn a_removed_lock_file_is_not_mistaken_for_the_lock() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(LOCK);
        let file = open(&path).expect("opened");
        assert!(is_at(&file, &path));
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_at(&file, &path));
        let _other = open(&path).expect("created again");
        assert!(!is_at(&file, &path));
    }

    #[test]
    fn a_file_system_without_locks_is_used_all_the_same() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("run");
        // ENOLCK on Linux.
        let no_lock = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(37)));
        let lock = FolderLock::acquire_by(no_lock, &path).expect("usable");
        assert!(lock.file.is_none() && path.is_dir());
        std::fs::write(path.join("result"), "").expect("written");
        drop(lock);
        assert_eq!(std::fs::read_dir(&path).expect("it stays").count(), 1);
    }

    #[test]
    fn times_are_short() {
        let text = |seconds| Holder { known: Some((7, Duration::from_secs(seconds))) }.to_string();
        assert_eq!(text(5), "process 7 has been writing to it for 5 s");
        assert!(
            text(119).ends_with("119 s") && text(300).ends_with("5 min") && text(10_000).ends_with("2 h")
        );
        assert_eq!(Holder { known: None }.to_string(), "another process is writing to it");
    }
}
