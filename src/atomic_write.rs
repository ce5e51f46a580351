//! Files that are written completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Prefix of temporary files, by which those left by a kill are recognised and removed.
pub(crate) const TEMPORARY_PREFIX: &str = ".afterimage-";
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

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
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = temporary_in(folder)?;
    let mut out = BufWriter::with_capacity(1 << 16, temporary.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    if durability == Durability::Flushed {
        temporary.as_file().sync_all()?;
    }
    temporary.persist(path).map_err(|e| e.error)?;
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

/// `tempfile`'s errors name the temporary file and hide the operating system's error, which is all the caller needs:
/// it names the file itself.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut code = None;
    // Temporary files are private by default; the final file should have the usual permissions.
    let mut open = |path: &Path| {
        let opened = File::options().read(true).write(true).create_new(true).open(path);
        opened.inspect_err(|e| code = e.raw_os_error())
    };
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX).make_in(folder, &mut open);
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
