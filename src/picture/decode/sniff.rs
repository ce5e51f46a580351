//! Telling formats by their first bytes: those that are read, and the others by their names.

use super::{AS_FLOATS, AS_INTEGERS, Source};
use crate::picture::{Format, PictureError, Result};
use image::ImageFormat;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes that are looked at.
const N_BYTES: u64 = 1024;

/// What to do with raw files of cameras.
pub(super) const DEVELOP: &str =
    "develop it with a raw converter and save it as PNG or TIFF with 16 bits a value";

/// Extensions of raw files, also of those that are TIFF files.
const RAW_EXTENSIONS: [&str; 24] = [
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "mrw", "nef",
    "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf", "srw",
];

/// Detects a format that is read. Leaves the reader at the start.
///
/// # Errors
/// For all other files, with what they are as far as that can be told.
pub(super) fn format_of<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<ImageFormat> {
    let mut start = Vec::with_capacity(N_BYTES as usize);
    let mut read = || {
        source.reader.by_ref().take(N_BYTES).read_to_end(&mut start)?;
        source.reader.rewind()
    };
    read().map_err(|e| source.read_error(e))?;
    if let Some((what, instead)) = unsupported(&start) {
        return Err(source.unsupported(what, instead));
    }
    if start.starts_with(b"#?") {
        return Ok(ImageFormat::Hdr);
    }
    // Stray bytes may follow the first marker of a JPEG, and `image` does not know BigTIFF's version.
    let begins = |magic: &[u8]| start.starts_with(magic);
    let guessed = match image::guess_format(&start) {
        Ok(format) => Some(format),
        Err(_) if begins(b"\xff\xd8") => Some(ImageFormat::Jpeg),
        Err(_) if begins(b"II+\0") || begins(b"MM\0+") => Some(ImageFormat::Tiff),
        Err(_) => None,
    };
    let format = guessed.filter(|format| {
        use ImageFormat::{Bmp, Gif, Jpeg, OpenExr, Png, Pnm, Qoi, Tiff, WebP};
        [Png, Jpeg, WebP, Tiff, Bmp, Gif, Pnm, Qoi, OpenExr].contains(format)
    });
    match format {
        Some(ImageFormat::Tiff) if has_extension(source.path, &RAW_EXTENSIONS) => {
            Err(source.unsupported("is a camera's raw file", DEVELOP))
        }
        Some(format) => Ok(format),
        None if is_tga(source, &start) => Err(source.unsupported("is a TGA picture", AS_INTEGERS)),
        None => {
            Err(PictureError::NotAPicture { path: source.path.to_owned(), found: something_else(&start) })
        }
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|e| extensions.contains(&e.as_str()))
}

const FRAME: &str = "save one frame of it as PNG";
const UNPACK: &str = "unpack it first";
const DRAW: &str = "export it as PNG at the size you want";
const FLAT: &str = "export it as PNG or TIFF with 16 bits a value, its layers merged";

/// Pictures, and files that may hold some, of formats that are not supported: where their magic number begins, the
/// number, what they are, and what to do.
#[rustfmt::skip]
const MAGIC: [(usize, &[u8], &str, &str); 41] = [
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL picture", AS_INTEGERS),
    (0, b"\xff\x0a", "is a JPEG XL picture", AS_INTEGERS),
    (16, b"ftypjph ", "is an HTJ2K picture (high-throughput JPEG 2000)", AS_INTEGERS),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "is a JPEG 2000 picture", AS_INTEGERS),
    (0, b"\xff\x4f\xff\x51", "is a JPEG 2000 picture", AS_INTEGERS),
    (0, b"\xff\xd8\xff\xf7", "is a JPEG-LS picture", AS_INTEGERS),
    (0, b"II\xbc\x01", "is a JPEG XR picture", AS_INTEGERS),
    (0, b"8BPS\0\x01", "is a Photoshop document (PSD)", FLAT),
    (0, b"8BPS\0\x02", "is a Photoshop document (PSB)", FLAT),
    (0, b"gimp xcf", "is a GIMP picture (XCF)", FLAT),
    (0, b"DDS ", "is a DDS texture", AS_INTEGERS),
    (0, b"\xabKTX ", "is a KTX texture", AS_INTEGERS),
    (0, b"farbfeld", "is a farbfeld picture", AS_INTEGERS),
    (0, b"FLIF", "is a FLIF picture", AS_INTEGERS),
    (0, b"BPG\xfb", "is a BPG picture", AS_INTEGERS),
    (0, b"SIMPLE  =", "is a FITS file", AS_FLOATS),
    (0, b"\x93NUMPY", "is a NumPy array", "save it with an imaging library as PNG, or as OpenEXR if it holds floats"),
    (0, b"PF\n", "is a PFM picture", AS_FLOATS),
    (0, b"Pf\n", "is a PFM picture", AS_FLOATS),
    (0, b"\x89HDF", "is an HDF5 file", AS_FLOATS),
    (128, b"DICM", "is a DICOM file", AS_INTEGERS),
    (0, b"\x8aMNG", "is an MNG animation", FRAME),
    (0, b"\x01\xda\x01", "is an SGI picture", AS_INTEGERS),
    (0, b"\x59\xa6\x6a\x95", "is a Sun raster picture", AS_INTEGERS),
    (0, b"IIRO", "is a camera's raw file (ORF)", DEVELOP),
    (0, b"IIRS", "is a camera's raw file (ORF)", DEVELOP),
    (0, b"MMOR", "is a camera's raw file (ORF)", DEVELOP),
    (0, b"IIU\0", "is a camera's raw file (RW2)", DEVELOP),
    (0, b"FUJIFILMCCD-RAW", "is a camera's raw file (RAF)", DEVELOP),
    (0, b"FOVb", "is a camera's raw file (X3F)", DEVELOP),
    (0, b"\0MRM", "is a camera's raw file (MRW)", DEVELOP),
    (6, b"HEAPCCDR", "is a camera's raw file (CRW)", DEVELOP),
    (0, b"%PDF-", "is a PDF document", DRAW),
    (0, b"%!PS", "is a PostScript document", DRAW),
    (0, b"\x1f\x8b", "is a gzip archive", UNPACK),
    (0, b"PK\x03\x04", "is a ZIP archive", UNPACK),
    (0, b"BZh", "is a bzip2 archive", UNPACK),
    (0, b"\xfd7zXZ\0", "is an xz archive", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "is a Zstandard archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive", UNPACK),
    (0, b"\x1a\x45\xdf\xa3", "is a Matroska or WebM video", FRAME),
];

/// What an unsupported file is, and what to do.
fn unsupported(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let at = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|s| s.starts_with(magic));
    if at(4, b"ftyp") {
        return Some(of_brands(start));
    }
    if at(8, b"AVI ") && at(0, b"RIFF") {
        return Some(("is an AVI video", FRAME));
    }
    if (at(0, b"II*\0") || at(0, b"MM\0*")) && at(8, b"CR") {
        return Some(("is a camera's raw file (CR2)", DEVELOP));
    }
    // The third number counts the icons; a TGA picture may begin with the same four bytes, but has a 0 there.
    if (at(0, b"\0\0\x01\0") || at(0, b"\0\0\x02\0")) && start.get(4).is_some_and(|&n| n > 0) {
        return Some(("is a Windows icon or cursor (ICO, CUR)", AS_INTEGERS));
    }
    // The second bit of Rsiz says that part 15 of the standard, HTJ2K, is used.
    if at(0, b"\xff\x4f\xff\x51") && start.get(6).is_some_and(|rsiz| rsiz & 0x40 != 0) {
        return Some(("is an HTJ2K picture (high-throughput JPEG 2000)", AS_INTEGERS));
    }
    MAGIC.iter().find(|(offset, magic, ..)| at(*offset, magic)).map(|&(_, _, what, instead)| (what, instead))
}

/// The formats that share ISO's boxes, by the brands that the first box lists.
fn of_brands(start: &[u8]) -> (&'static str, &'static str) {
    let length = start.first_chunk().map_or(0, |&bytes| u32::from_be_bytes(bytes) as usize);
    let brands = start.get(8..length.min(start.len())).unwrap_or_default();
    let has = |names: &[&[u8]]| brands.chunks_exact(4).any(|brand| names.contains(&brand));
    if has(&[b"avif", b"avis"]) {
        ("is an AVIF picture", AS_INTEGERS)
    } else if has(&[b"crx "]) {
        ("is a camera's raw file (CR3)", DEVELOP)
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        ("is a HEIC picture", AS_INTEGERS)
    } else {
        ("is a video (MP4 or QuickTime)", FRAME)
    }
}

/// TGA has no magic number: the header must be plausible, and either the extension or the footer must say so too.
fn is_tga<R: Read + Seek>(source: &mut Source<'_, R>, start: &[u8]) -> bool {
    let &[_, map_type, kind, _, _, _, _, map_bits, _, _, _, _, w0, w1, h0, h1, depth, _, ..] = start else {
        return false;
    };
    let plausible = map_type <= 1
        && [1, 2, 3, 9, 10, 11, 32, 33].contains(&kind)
        && [0, 15, 16, 24, 32].contains(&map_bits)
        && [8, 15, 16, 24, 32].contains(&depth)
        && (w0 | w1) != 0
        && (h0 | h1) != 0;
    plausible && (has_extension(source.path, &["tga", "icb", "vda", "vst"]) || has_tga_footer(source))
}

fn has_tga_footer<R: Read + Seek>(source: &mut Source<'_, R>) -> bool {
    const FOOTER: &[u8; 18] = b"TRUEVISION-XFILE.\0";
    let mut end = [0; FOOTER.len()];
    let from_end = -(FOOTER.len() as i64);
    let read = source.reader.seek(SeekFrom::End(from_end)).and_then(|_| source.reader.read_exact(&mut end));
    source.reader.rewind().is_ok() && read.is_ok() && &end == FOOTER
}

/// What a file is that is no picture at all.
fn something_else(start: &[u8]) -> String {
    let known = || Format::names_read("and");
    if start.is_empty() {
        return "it is empty; copy or download it again".to_owned();
    }
    let text = text_of(start).map(|text| text.trim_start_matches('\u{feff}').trim_start().to_lowercase());
    match text {
        Some(text) if text.starts_with("version https://git-lfs.github.com/spec/") => {
            "it is a Git LFS pointer in the place of the file; `git lfs pull` fetches the file itself"
                .to_owned()
        }
        Some(text) if text.contains("<svg") => {
            format!("it is an SVG drawing; {DRAW}")
        }
        Some(text) if text.starts_with("<!doctype html") || text.contains("<html") => {
            "it is a web page; download the picture itself".to_owned()
        }
        Some(_) => format!("it is text, none of {}", known()),
        None if start.iter().all(|&byte| byte == 0) => {
            "it begins with nothing but zeros; copy or download it again".to_owned()
        }
        None => format!("its contents are none of {}", known()),
    }
}

/// The bytes as text, unless they have control characters. The last character may be cut.
fn text_of(start: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&start[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()).then_some(text)
}
