//! Compressed pictures (.aim) where other commands take models.

use afterimage::compress::{CompressedPicture, MAGIC};
use afterimage::picture::load::MAX_DECODED_BYTES;
use afterimage::render::Size;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The compressed picture at `path`; none if the file is of another kind.
pub(super) fn open(path: &Path) -> anyhow::Result<Option<CompressedPicture>> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    let mut read = |n: u64| file.by_ref().take(n).read_to_end(&mut bytes);
    let n = read(MAGIC.len() as u64).with_context(|| format!("cannot read {}", path.display()))?;
    if n < 3 || bytes[..3] != MAGIC[..3] {
        return Ok(None);
    }
    file.take(MAX_DECODED_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    CompressedPicture::parse(&bytes).map(Some).with_context(|| format!("cannot read {}", path.display()))
}

/// Refuses a compressed picture where only a model will do.
pub(super) fn refuse(path: &Path, what: &str) -> anyhow::Result<()> {
    if open(path)?.is_some() {
        bail!("{} is a compressed picture, of which there is no {what}; give a model", path.display());
    }
    Ok(())
}

/// Its columns and rows.
pub(super) fn size_of(picture: &CompressedPicture) -> Size {
    Size { width: picture.shape().width, height: picture.shape().height }
}

/// Bits of its file for each pixel.
pub(super) fn bits_per_pixel(picture: &CompressedPicture) -> f64 {
    let size = size_of(picture);
    8.0 * picture.file_bytes() as f64 / (f64::from(size.width) * f64::from(size.height))
}
