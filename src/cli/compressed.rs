//! Compressed pictures (.aim) where other commands take models.

use afterimage::compress::{CompressedPicture, MAGIC};
use afterimage::picture::load::MAX_DECODED_BYTES;
use afterimage::render::Size;
use anyhow::Context;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The compressed picture at `path`; none if the file is of another kind.
pub(super) fn open(path: &Path) -> anyhow::Result<Option<CompressedPicture>> {
    Ok(read(path)?.map(|(picture, _)| picture))
}

/// The compressed picture at `path`, and the bytes of its file; none if the file is of another kind.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<(CompressedPicture, Vec<u8>)>> {
    if !path.is_file() {
        return Ok(None);
    }
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut bytes = Vec::new();
    let mut read = |n: u64| file.by_ref().take(n).read_to_end(&mut bytes);
    let n = read(MAGIC.len() as u64).with_context(failed)?;
    if n < 3 || bytes[..3] != MAGIC[..3] {
        return Ok(None);
    }
    file.take(MAX_DECODED_BYTES).read_to_end(&mut bytes).with_context(failed)?;
    let picture = CompressedPicture::parse(&bytes).with_context(failed)?;
    Ok(Some((picture, bytes)))
}

/// Its columns and rows.
pub(super) fn size_of(picture: &CompressedPicture) -> Size {
    Size { width: picture.shape().width, height: picture.shape().height }
}
