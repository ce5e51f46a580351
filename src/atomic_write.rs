//! Files that are written completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Prefix of temporary files, by which those left by a kill are recognised and removed.
const TEMPORARY_PREFIX: &str = ".afterimage-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Whether a file is one that a kill left behind, if nobody writes to its folder.
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
}

/// Whether a file must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Flushed whenever the operating system does: pictures and reports, which can be made again.
    Cached,
    /// File and folder are flushed to the disk before returning: models and checkpoints.
    Flushed,
}

/// Writes `path` through a temporary file in the same folder, renamed when `write` is done, so that a reader never
/// sees half a file and a failure leaves the old one unchanged.
///
/// # Errors
/// Whatever `write` returns, or when the folder does not exist or is not writable.
pub fn atomic_write(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = parent(path);
    // Temporary files are private by default; the final file should have the usual permissions.
    let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
    let temporary = temporary_name(folder, open)?;
    let mut out = BufWriter::with_capacity(1 << 16, temporary.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    if durability == Durability::Flushed {
        temporary.as_file().sync_all()?;
    }
    // Kept while it is tried again, and removed if that fails.
    let mut temporary = Some(temporary);
    replacing(path, || match temporary.take().map(|file| file.persist(path)) {
        Some(Err(failed)) => {
            temporary = Some(failed.file);
            Err(failed.error)
        }
        _ => Ok(()),
    })?;
    if durability == Durability::Flushed {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Writes a file that can be made again, whole or not at all.
///
/// # Errors
/// As [`atomic_write`].
pub(crate) fn write_cached(path: &Path, bytes: &[u8]) -> io::Result<()> {
    atomic_write(path, Durability::Cached, |out| out.write_all(bytes))
}

/// Keeps the file at `path` as `kept`, in the same folder, before `path` is replaced. `path` never stops being there:
/// the file has both names until then.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn keep_as(path: &Path, kept: &Path) -> io::Result<()> {
    let link = match temporary_name(parent(path), |name| std::fs::hard_link(path, name)) {
        Ok(link) => link.into_temp_path(),
        // Some disks and network drives know no second name.
        Err(_) => return replacing(kept, || std::fs::rename(path, kept)),
    };
    // Renaming a link over another link to the same file does nothing; `link` is removed either way.
    replacing(kept, || std::fs::rename(&link, kept))
}

/// How long a file that another program holds open is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does `replace`, which renames a file to `path`. On Windows that fails while another program has the file there open,
/// as virus scanners, indexers and viewers have for a moment: then it is tried again for two seconds.
///
/// # Errors
/// The last error of `replace`.
pub(crate) fn replacing(path: &Path, replace: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    /// Access denied, sharing violation, lock violation.
    const HELD: [i32; 3] = [5, 32, 33];
    let is_held = |error: &io::Error| {
        cfg!(windows) && path.is_file() && error.raw_os_error().is_some_and(|code| HELD.contains(&code))
    };
    retrying(is_held, PATIENCE, replace)
}

/// Repeats `replace` while it fails because a file `is_held`, for as long as `patience`.
fn retrying(
    is_held: impl Fn(&io::Error) -> bool,
    patience: Duration,
    mut replace: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match replace() {
            Err(error) if is_held(&error) && start.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) if is_held(&error) => {
                let text = format!("it is open in another program, which has to close it first ({error})");
                return Err(io::Error::new(error.kind(), text));
            }
            done => return done,
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A name in `folder` that `make` found free. `tempfile`'s errors name the temporary file and hide the operating
/// system's error, which is all the caller needs: it names the file itself.
fn temporary_name<T>(
    folder: &Path,
    mut make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<tempfile::NamedTempFile<T>> {
    let mut code = None;
    let mut builder = tempfile::Builder::new();
    let made = builder
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .make_in(folder, |path| make(path).inspect_err(|e| code = e.raw_os_error()));
    made.map_err(|error| code.map_or(error, io::Error::from_raw_os_error))
}

/// The rename is only durable once the folder is flushed. Windows has no such call.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = atomic_write(&folder.path().join("missing/a"), Durability::Cached, |_| Ok(()));
        let text = error.unwrap_err().to_string();
        assert!(!text.contains(TEMPORARY_PREFIX), "{text}");
    }

    #[test]
    fn a_held_file_is_waited_for() {
        let held = || io::Error::from_raw_os_error(32);
        let is_held = |error: &io::Error| error.raw_os_error() == Some(32);
        let mut tries = 0;
        let replaced = retrying(is_held, PATIENCE, || {
            tries += 1;
            if tries < 3 { Err(held()) } else { Ok(()) }
        });
        assert!(replaced.is_ok() && tries == 3);
        let error = retrying(is_held, Duration::from_millis(30), || Err(held())).unwrap_err();
        assert!(error.to_string().starts_with("it is open in another program"), "{error}");
        let mut tries = 0;
        let other = retrying(is_held, PATIENCE, || {
            tries += 1;
            Err(io::Error::other("disk full"))
        });
        assert_eq!((other.unwrap_err().to_string().as_str(), tries), ("disk full", 1));
    }

    #[test]
    fn a_kept_file_has_both_names_until_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("a"), folder.path().join("b"));
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        for (before, new) in [("1", "2"), ("2", "3")] {
            std::fs::write(&path, before).unwrap();
            // Twice: as after a kill between the two names.
            for _ in 0..2 {
                keep_as(&path, &kept).unwrap();
                assert_eq!((read(&path), read(&kept)), (before.to_owned(), before.to_owned()));
            }
            atomic_write(&path, Durability::Cached, |out| out.write_all(new.as_bytes())).unwrap();
            assert_eq!((read(&path), read(&kept)), (new.to_owned(), before.to_owned()));
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
        }
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        atomic_write(&path, Durability::Flushed, |out| out.write_all(b"old")).unwrap();
        let failed = atomic_write(&path, Durability::Cached, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
