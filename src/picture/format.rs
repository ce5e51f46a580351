//! Output formats by file extension, and what each supports.

use super::{Depth, PictureError, Result};
use crate::names::join;
use std::path::Path;

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG, lossy.
    Jpeg,
    /// TIFF, not compressed.
    Tiff,
    /// WebP, lossless.
    WebP,
    /// OpenEXR, linear.
    Exr,
    /// Radiance, linear, 8 bits with a shared exponent.
    Hdr,
    /// Windows bitmap.
    Bmp,
    /// Quite OK Image.
    Qoi,
    /// Portable pixmap, colour.
    Ppm,
    /// Portable graymap, grey.
    Pgm,
    /// PGM or PPM under the extension they share.
    Pnm,
}

/// What a format can hold. Each is read; GIF is not written.
struct Traits {
    format: Option<Format>,
    name: &'static str,
    /// Of files that are written, and read.
    extensions: &'static [&'static str],
    /// Of more files that are read.
    also_read: &'static [&'static str],
    /// Bits a value, the usual one first.
    bits: &'static [u8],
    grey: bool,
    color: bool,
    alpha: bool,
    grey_alpha: bool,
    /// Longest side in pixels.
    max_side: u32,
    /// Memory for each byte of the finished pixels, the pixels themselves included, of an encoder that needs
    /// the whole picture; none for one that writes rows. Upper bounds: at 4000x3000 the process grew by 1.0
    /// times the pixels, 1.2 for QOI, 2.4 for WebP.
    memory_factor: Option<u64>,
}

const NO_LIMIT: u32 = i32::MAX as u32;

#[rustfmt::skip]
const FORMATS: [Traits; 12] = [
    Traits { format: Some(Format::Png), name: "PNG", extensions: &["png"], also_read: &["apng"], bits: &[8, 16], grey: true, color: true, alpha: true, grey_alpha: true, max_side: NO_LIMIT, memory_factor: None },
    Traits { format: Some(Format::Jpeg), name: "JPEG", extensions: &["jpg", "jpeg"], also_read: &["jpe", "jfif", "mpo"], bits: &[8], grey: true, color: true, alpha: false, grey_alpha: false, max_side: 65_535, memory_factor: Some(2) },
    Traits { format: Some(Format::WebP), name: "WebP", extensions: &["webp"], also_read: &[], bits: &[8], grey: true, color: true, alpha: true, grey_alpha: true, max_side: 16_383, memory_factor: Some(5) },
    Traits { format: Some(Format::Tiff), name: "TIFF", extensions: &["tif", "tiff"], also_read: &[], bits: &[8, 16, 32], grey: true, color: true, alpha: true, grey_alpha: false, max_side: NO_LIMIT, memory_factor: None },
    Traits { format: Some(Format::Bmp), name: "BMP", extensions: &["bmp"], also_read: &["dib"], bits: &[8], grey: true, color: true, alpha: false, grey_alpha: false, max_side: 32_767, memory_factor: Some(2) },
    Traits { format: None, name: "GIF", extensions: &[], also_read: &["gif"], bits: &[], grey: false, color: true, alpha: false, grey_alpha: false, max_side: 0, memory_factor: None },
    Traits { format: Some(Format::Ppm), name: "PNM", extensions: &["ppm"], also_read: &[], bits: &[8], grey: false, color: true, alpha: false, grey_alpha: false, max_side: 65_535, memory_factor: Some(3) },
    Traits { format: Some(Format::Pgm), name: "PNM", extensions: &["pgm"], also_read: &[], bits: &[8], grey: true, color: false, alpha: false, grey_alpha: false, max_side: 65_535, memory_factor: Some(3) },
    Traits { format: Some(Format::Pnm), name: "PNM", extensions: &["pnm"], also_read: &["pbm", "pam"], bits: &[8], grey: true, color: true, alpha: false, grey_alpha: false, max_side: 65_535, memory_factor: Some(3) },
    Traits { format: Some(Format::Qoi), name: "QOI", extensions: &["qoi"], also_read: &[], bits: &[8], grey: false, color: true, alpha: true, grey_alpha: false, max_side: 20_000, memory_factor: Some(3) },
    Traits { format: Some(Format::Hdr), name: "HDR", extensions: &["hdr"], also_read: &[], bits: &[32], grey: false, color: true, alpha: false, grey_alpha: false, max_side: 65_535, memory_factor: Some(2) },
    Traits { format: Some(Format::Exr), name: "EXR", extensions: &["exr"], also_read: &[], bits: &[32], grey: false, color: true, alpha: true, grey_alpha: false, max_side: 65_535, memory_factor: Some(3) },
];

fn written() -> impl Iterator<Item = &'static Traits> {
    FORMATS.iter().filter(|t| t.format.is_some())
}

impl Format {
    fn traits(self) -> &'static Traits {
        FORMATS.iter().find(|t| t.format == Some(self)).expect("the table lists every format")
    }

    /// The format for the extension of `path`.
    ///
    /// # Errors
    /// When there is none; the message lists the known extensions.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let found = FORMATS.iter().find(|t| t.extensions.iter().any(|e| Some(*e) == extension.as_deref()));
        let names = || written().map(|t| format!(".{}", t.extensions[0])).collect::<Vec<_>>().join(", ");
        let unknown = || PictureError::UnknownFormat { path: path.to_owned(), known: names() };
        found.and_then(|t| t.format).ok_or_else(unknown)
    }

    /// The names of all formats that are read, as `PNG, JPEG and so on` with `and` or another word.
    pub fn names_read(and: &str) -> String {
        let mut names = FORMATS.each_ref().map(|t| t.name).to_vec();
        names.dedup();
        join(&names, and)
    }

    /// The extensions of all files that are written.
    pub fn extensions_written(or: &str) -> String {
        let extensions = written().flat_map(|t| t.extensions).map(|e| format!(".{e}"));
        join(&extensions.collect::<Vec<_>>(), or)
    }

    /// The names of those that are written row by row.
    pub fn names_streamed(and: &str) -> String {
        let names = written().filter(|t| t.memory_factor.is_none()).map(|t| t.name);
        join(&names.collect::<Vec<_>>(), and)
    }

    /// Whether files with this extension, in small letters, are read.
    pub fn is_read(extension: &str) -> bool {
        FORMATS.iter().any(|t| t.extensions.contains(&extension) || t.also_read.contains(&extension))
    }

    /// Whether files have ICC profiles.
    fn has_profiles(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Tiff | Self::WebP)
    }

    /// The display name.
    pub fn name(self) -> &'static str {
        self.traits().name
    }
}

/// The form in which a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file format.
    pub format: Format,
    /// Values in the file: 8 and 16 bits are sRGB-encoded, 32-bit floats linear.
    pub depth: Depth,
    /// Channels in the file.
    pub channels: usize,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
}

impl Target {
    /// The target for values of `channels` channels and `depth` in `format`: the same depth and
    /// channels if the format has them, else the nearest. `bits` overrides the depth.
    ///
    /// # Errors
    /// When the format has no such depth, or no colours.
    pub fn new(format: Format, (channels, depth): (usize, Depth), bits: Option<u8>) -> Result<Self> {
        let traits = format.traits();
        let bits = match bits {
            Some(bits) if !traits.bits.contains(&bits) => {
                let list = traits.bits.iter().map(u8::to_string).collect::<Vec<_>>().join(" or ");
                return Err(PictureError::NoSuchDepth { format: traits.name, bits, possible: list });
            }
            Some(bits) => bits,
            None if traits.bits.contains(&depth.bits()) => depth.bits(),
            None => traits.bits[0],
        };
        let depth = match bits {
            8 => Depth::U8,
            16 => Depth::U16,
            _ => Depth::F32,
        };
        if channels >= 3 && !traits.color {
            return Err(PictureError::NoColors { extension: traits.extensions[0] });
        }
        let (grey, alpha) = (channels < 3, channels.is_multiple_of(2) && traits.alpha);
        let channels = match (grey, alpha) {
            (true, false) if traits.grey => 1,
            (true, true) if traits.grey_alpha => 2,
            (_, false) => 3,
            (_, true) => 4,
        };
        Ok(Self { format, depth, channels, quality: 92 })
    }

    /// Checks that the format can hold a picture of `width` by `height` and that encoding it fits
    /// into `free_bytes` of memory.
    ///
    /// # Errors
    /// When it does not; the message names the formats without such limits.
    pub fn check(&self, width: u32, height: u32, free_bytes: Option<u64>) -> Result<()> {
        let traits = self.format.traits();
        let too_large = |detail: String| {
            let streamed = Format::names_streamed("and");
            Err(PictureError::TooLargeToWrite { format: traits.name, width, height, detail, streamed })
        };
        if width.max(height) > traits.max_side {
            return too_large(format!("the format allows at most {} pixels a side", traits.max_side));
        }
        let Some(factor) = traits.memory_factor else { return Ok(()) };
        let needed = u64::from(width) * u64::from(height) * self.pixel_bytes() as u64 * factor;
        match free_bytes {
            Some(free) if needed > free => {
                let [needed, free] = [needed, free].map(|bytes| bytes as f64 / f64::from(1 << 30));
                too_large(format!("it needs {needed:.1} GiB of memory and {free:.1} GiB are free"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the file can have the ICC profile of values with `channels` channels, so that their colours need not be
    /// converted.
    pub fn holds_profile(&self, channels: usize) -> bool {
        let as_colour = channels < 3 && (self.channels > 2 || self.format == Format::WebP);
        self.format.has_profiles() && self.depth != Depth::F32 && !as_colour
    }

    /// Bytes of a pixel before encoding.
    pub fn pixel_bytes(&self) -> usize {
        usize::from(self.depth.bits() / 8) * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_the_formats_that_are_read() {
        let sentence = format!("\n{} are read,", Format::names_read("and"));
        assert!(include_str!("../../README.md").contains(&sentence), "{sentence}");
    }
}
