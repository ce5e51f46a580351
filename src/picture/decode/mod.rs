//! Decoding of files. Which decoder is used follows from the first bytes; `image`'s own are used directly where they
//! read all that their format has.

mod animation;
mod exr;
mod jpeg;
mod jpeg_segments;
mod orientation;
mod patched;
mod plain;
mod radiance;
mod sniff;
mod tiff;
mod tiff_directories;
mod tiff_samples;
mod webp;

use super::alpha::Stored;
use super::error::{AS_FLOATS, AS_INTEGERS};
use super::profile::Described;
use super::{ColorHandling, Picture, PictureError, Result};
use std::io::{self, BufRead, Seek};
use std::num::NonZeroU32;
use std::path::Path;

/// A file to decode.
pub(super) struct Source<'a, R> {
    /// For messages, and the extension of files that have no magic number.
    pub(super) path: &'a Path,
    pub(super) reader: R,
    pub(super) size_bytes: u64,
    /// Which of several pictures.
    pub(super) page: Option<NonZeroU32>,
}

/// What a decoder makes of a file: its samples as they are stored, turned upright.
pub(super) struct Decoded {
    pub(super) picture: Picture,
    pub(super) stored: Stored,
    /// What the file says of its colours.
    pub(super) described: Described,
    /// What was done that a user might not expect.
    pub(super) notes: Vec<String>,
}

impl Decoded {
    /// A picture with straight alpha, if any, of which the file says nothing else.
    fn plain(picture: Picture) -> Self {
        Self { picture, stored: Stored::Straight, described: Described::default(), notes: Vec::new() }
    }
}

/// Decodes the file, whatever its format. CMYK is converted by its profile, unless `color` keeps that.
pub(super) fn decode<R: BufRead + Seek>(mut source: Source<'_, R>, color: ColorHandling) -> Result<Decoded> {
    use image::ImageFormat;
    match sniff::format_of(&mut source)? {
        ImageFormat::Jpeg => jpeg::decode(source, color),
        ImageFormat::Tiff => tiff::decode(source, color),
        ImageFormat::OpenExr => exr::decode(source),
        ImageFormat::Hdr => radiance::decode(source),
        format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::WebP) => {
            animation::decode(source, format)
        }
        ImageFormat::Qoi => {
            source.only_picture()?;
            plain::decode_qoi(source)
        }
        format => {
            source.only_picture()?;
            plain::decode(source, format)
        }
    }
}

impl<R> Source<'_, R> {
    fn unsupported(&self, what: impl Into<String>, instead: &'static str) -> PictureError {
        PictureError::unsupported(self.path, what, instead)
    }

    fn damaged(&self, detail: impl Into<String>) -> PictureError {
        PictureError::damaged(self.path, detail)
    }

    fn too_large(&self, detail: impl Into<String>) -> PictureError {
        PictureError::too_large(self.path, detail)
    }

    fn read_error(&self, source: io::Error) -> PictureError {
        read_error(self.path, source)
    }

    /// The picture to take of `n_pictures`, counted from 0, and what to say of that.
    fn choose(&self, n_pictures: usize, default: Taken) -> Result<(usize, Vec<String>)> {
        if let Some(page) = self.page {
            let index = usize::try_from(page.get() - 1).unwrap_or(usize::MAX);
            if index >= n_pictures {
                return Err(PictureError::NoSuchPage {
                    path: self.path.to_owned(),
                    page,
                    n_pages: n_pictures,
                });
            }
            return Ok((index, Vec::new()));
        }
        let (index, which) = match default {
            Taken::First => (0, "the first".to_owned()),
            Taken::Largest(index) => (index, format!("the largest, number {},", index + 1)),
        };
        let path = self.path.display();
        let note = || format!("{path} has {n_pictures} pictures; {which} is used, --page N takes another");
        Ok((index, (n_pictures > 1).then(note).into_iter().collect()))
    }

    /// Refuses any page but the first, in formats that hold one picture.
    fn only_picture(&self) -> Result<()> {
        self.choose(1, Taken::First).map(|_| ())
    }
}

/// Which of several pictures is taken if none is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    First,
    /// By its index.
    Largest(usize),
}

/// A file that ends early is damaged; otherwise it is the system that failed.
fn read_error(path: &Path, source: io::Error) -> PictureError {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => PictureError::damaged(path, "it ends too early"),
        _ => PictureError::Read { path: path.to_owned(), source },
    }
}
