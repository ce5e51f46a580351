//! The size that a picture file claims, checked against limits and the file's length before memory is allocated.

use super::{PictureError, Result};
use image::ImageFormat;
use std::path::Path;

/// Longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 1 << 17;

/// Most pixels of a picture: 200 x 2^20.
pub const MAX_PIXELS: u64 = 200 << 20;

/// Most bytes of the decoded pixels: 200 megapixels of RGBA at 8 bits.
pub const MAX_DECODED_BYTES: u64 = 4 * MAX_PIXELS;

/// No codec here packs more than this many decoded bytes into one byte of file, except WebP,
/// which needs no bytes at all for pixels of one colour. A header that claims more is wrong.
const MAX_COMPRESSION: u64 = 50_000;

/// What a header claims, to be checked before allocating anything for it.
pub(super) struct Claim {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) decoded_bytes: u64,
    pub(super) file_bytes: u64,
}

impl Claim {
    pub(super) fn check(&self, path: &Path, format: ImageFormat) -> Result<()> {
        let Self { width, height, decoded_bytes, file_bytes } = *self;
        if width == 0 || height == 0 {
            let detail = format!("its size is {width}x{height}, which has no pixels");
            return Err(PictureError::damaged(path, detail));
        }
        if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            let most = MAX_PIXELS / 1_000_000;
            let detail = format!("{width}x{height}; at most {most} megapixels and {MAX_SIDE} pixels a side");
            return Err(PictureError::too_large(path, detail));
        }
        if decoded_bytes > MAX_DECODED_BYTES {
            let [found, most] = [decoded_bytes, MAX_DECODED_BYTES].map(|bytes| bytes / 1_000_000);
            let detail = format!("{found} MB of pixels once decoded; at most {most} MB");
            return Err(PictureError::too_large(path, detail));
        }
        if format != ImageFormat::WebP && decoded_bytes / MAX_COMPRESSION > file_bytes {
            let detail = format!("it claims {width}x{height} pixels in a file of {file_bytes} bytes");
            return Err(PictureError::damaged(path, detail));
        }
        Ok(())
    }
}
