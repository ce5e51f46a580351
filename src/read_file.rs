//! Reading untrusted files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Opens a file to be parsed and returns it with its length. A folder, pipe or device is refused before it is opened:
/// instead of a checkpoint it would block or never end.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    Ok((file, size_bytes))
}

/// All of a file; `None` if it is more than `max_bytes`.
pub(crate) fn read_whole(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    read_at_most(open_regular(path)?.0, max_bytes)
}

/// The rest of `file`; `None` if it is more than `max_bytes`. The file system's length is not trusted: a file may
/// grow, and a device has none.
pub(crate) fn read_at_most(file: File, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max_bytes).then_some(bytes))
}
