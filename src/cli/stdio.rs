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

/// The file that is piped into standard input.
pub(super) fn read_input() -> anyhow::Result<Vec<u8>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("{INPUT} is a terminal; pipe a picture into it, or give a file instead of -");
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(MAX_DECODED_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {INPUT}"))?;
    if bytes.is_empty() {
        bail!("{INPUT} is empty; pipe a picture into it");
    }
    Ok(bytes)
}
