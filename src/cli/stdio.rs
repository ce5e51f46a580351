//! `-` in the place of a file: standard input, or standard output.

use afterimage::picture::load::MAX_DECODED_BYTES;
use anyhow::{Context, bail};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// What messages call standard input.
pub(super) const INPUT: &str = "standard input";

/// Whether `-` was given.
pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What messages call the file at `path`.
pub(super) fn name_of(path: &Path) -> String {
    if is_dash(path) { INPUT.to_owned() } else { path.display().to_string() }
}

/// The file that is piped into standard input.
pub(super) fn read_input() -> anyhow::Result<Vec<u8>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("{INPUT} is a terminal; pipe a picture into it, or give a file instead of -");
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(MAX_DECODED_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {INPUT}"))?;
    if bytes.is_empty() {
        bail!("{INPUT} is empty; pipe a picture into it");
    }
    if bytes.len() as u64 > MAX_DECODED_BYTES {
        bail!("{INPUT} has more than {} MB; give a file instead of -", MAX_DECODED_BYTES / 1_000_000);
    }
    Ok(bytes)
}
