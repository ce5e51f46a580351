//! Writing a picture row by row.

use super::save::{Packing, color_type, into_io_error};
use super::{Converter, Depth, Format, PictureError, Result, Space, Target};
use crate::atomic_write::{Durability, atomic_write};
use image::codecs::{bmp, hdr, jpeg, openexr, pnm, qoi, webp};
use image::{ExtendedColorType, ImageEncoder, ImageError, ImageResult};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tiff::encoder::colortype::{self, ColorType};
use tiff::encoder::{TiffEncoder, TiffKind, TiffValue};
use tiff::tags::{ExtraSamples, SampleFormat};

/// Size and format of the values to write.
#[derive(Clone, Copy, Debug)]
pub struct RowsOf<'a> {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Channels of the values.
    pub channels: usize,
    /// Meaning of the values: linear for `F32`, else sRGB-encoded.
    pub depth: Depth,
    /// The ICC profile of integers that are not sRGB. Colours are converted to sRGB if the file cannot have it.
    pub profile: Option<&'a [u8]>,
}

/// Writes a picture from predicted values. `parts` yields its pixels in row order, any number of whole
/// pixels at a time.
///
/// Some formats are written as the pixels come ([`Format::names_streamed`]); the others collect
/// them first.
/// The file appears whole or not at all.
///
/// # Errors
/// When the file cannot be written, or `parts` ends before the picture.
pub fn write_rows(
    path: &Path,
    target: Target,
    picture: RowsOf<'_>,
    parts: impl Iterator<Item = Vec<f32>>,
) -> Result<()> {
    let held = picture.profile.filter(|_| target.holds_profile(picture.channels));
    // A profile that cannot be used is none when its picture is read.
    let space = picture.profile.filter(|_| held.is_none());
    let space = space.and_then(|icc| Space::from_icc(icc, picture.channels < 3).ok());
    let converter = Converter::new(picture.channels, picture.depth, target).with_space(space);
    let mut left = u64::from(picture.width) * u64::from(picture.height);
    let mut parts = parts.map(|part| {
        left = left.saturating_sub((part.len() / picture.channels) as u64);
        converter.bytes(&part)
    });
    let head = Head { target, profile: held, width: picture.width, height: picture.height };
    let written = atomic_write(path, Durability::Cached, |out| match target.format {
        Format::Png => stream_png(out, head, &mut parts),
        Format::Tiff => stream_tiff(out, head, &mut parts),
        _ => {
            let total = picture.width as usize * picture.height as usize * target.pixel_bytes();
            let mut bytes = Vec::with_capacity(total);
            parts.by_ref().for_each(|part| bytes.extend_from_slice(&part));
            if bytes.len() == total { encode(out, head, &bytes) } else { Err(ended_early()) }
        }
    });
    written.map_err(|source| PictureError::Write { path: path.to_owned(), source })
}

/// What a file says before its pixels.
#[derive(Clone, Copy)]
struct Head<'a> {
    target: Target,
    profile: Option<&'a [u8]>,
    width: u32,
    height: u32,
}

/// Pixels as they are stored, in row order.
type Parts<'a> = dyn Iterator<Item = Vec<u8>> + 'a;

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the picture was not finished")
}

fn stream_png(out: &mut BufWriter<&File>, head: Head<'_>, parts: &mut Parts<'_>) -> io::Result<()> {
    let Head { target, profile, width, height } = head;
    let mut info = png::Info::with_size(width, height);
    info.icc_profile = profile.map(Cow::Borrowed);
    let mut encoder = png::Encoder::with_info(out, info)?;
    encoder.set_color(match target.channels {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    let deep = target.depth == Depth::U16;
    encoder.set_depth(if deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    if u64::from(width) * u64::from(height) > Packing::SMALL_PIXELS {
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::Filter::Up);
    } else {
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_filter(png::Filter::Adaptive);
    }
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(1 << 16)?;
    for mut part in parts {
        if deep {
            // PNG stores the high byte first.
            for value in part.chunks_exact_mut(2) {
                let number = u16::from_ne_bytes([value[0], value[1]]);
                value.copy_from_slice(&number.to_be_bytes());
            }
        }
        stream.write_all(&part)?;
    }
    stream.finish()?;
    Ok(writer.finish()?)
}

/// Above this many bytes a file needs BigTIFF's 64-bit offsets; the margin is for the directory.
const MAX_TIFF_BYTES: u64 = u32::MAX as u64 - (u32::MAX as u64 >> 6);

fn stream_tiff(out: &mut BufWriter<&File>, head: Head<'_>, parts: &mut Parts<'_>) -> io::Result<()> {
    let size_bytes = u64::from(head.width) * u64::from(head.height) * head.target.pixel_bytes() as u64;
    // Not compressed: `tiff` 0.11 writes raw strips whatever compression it declares.
    let written = if size_bytes > MAX_TIFF_BYTES {
        TiffEncoder::new_big(out).and_then(|tiff| tiff_strips(tiff, head, parts))
    } else {
        TiffEncoder::new(out).and_then(|tiff| tiff_strips(tiff, head, parts))
    };
    written.map_err(tiff_error)
}

type Tiff<'a, 'b, K> = TiffEncoder<&'a mut BufWriter<&'b File>, K>;

fn tiff_strips<K: TiffKind>(
    mut tiff: Tiff<'_, '_, K>,
    head: Head<'_>,
    parts: &mut Parts<'_>,
) -> tiff::TiffResult<()> {
    let tiff = &mut tiff;
    match (head.target.depth, head.target.channels) {
        (Depth::U8, 1) => strips_of::<K, colortype::Gray8>(tiff, head, parts),
        (Depth::U8, 3) => strips_of::<K, colortype::RGB8>(tiff, head, parts),
        (Depth::U8, _) => strips_of::<K, colortype::RGBA8>(tiff, head, parts),
        (Depth::U16, 1) => strips_of::<K, colortype::Gray16>(tiff, head, parts),
        (Depth::U16, 3) => strips_of::<K, colortype::RGB16>(tiff, head, parts),
        (Depth::U16, _) => strips_of::<K, colortype::RGBA16>(tiff, head, parts),
        (Depth::F32, 1) => strips_of::<K, colortype::Gray32Float>(tiff, head, parts),
        (Depth::F32, 3) => strips_of::<K, colortype::RGB32Float>(tiff, head, parts),
        (Depth::F32, _) => strips_of::<K, colortype::RGBA32Float>(tiff, head, parts),
    }
}

fn strips_of<K: TiffKind, C: ColorType>(
    tiff: &mut Tiff<'_, '_, K>,
    Head { profile, width, height, .. }: Head<'_>,
    parts: &mut Parts<'_>,
) -> tiff::TiffResult<()>
where
    [C::Inner]: TiffValue,
    C::Inner: bytemuck::AnyBitPattern + bytemuck::NoUninit,
{
    let mut image = tiff.new_image::<C>(width, height)?;
    if let Some(profile) = profile {
        image.encoder().write_tag(tiff::tags::Tag::IccProfile, profile)?;
    }
    if C::BITS_PER_SAMPLE.len() == 4 {
        let alpha = match C::SAMPLE_FORMAT[0] {
            SampleFormat::IEEEFP => ExtraSamples::AssociatedAlpha,
            _ => ExtraSamples::UnassociatedAlpha,
        };
        image.encoder().write_tag(tiff::tags::Tag::ExtraSamples, &[alpha.to_u16()][..])?;
    }
    let mut waiting: Vec<C::Inner> = Vec::new();
    for part in parts {
        waiting.extend(bytemuck::pod_collect_to_vec::<u8, C::Inner>(&part));
        let mut done = 0;
        loop {
            let strip = image.next_strip_sample_count() as usize;
            if strip == 0 || waiting.len() - done < strip {
                break;
            }
            image.write_strip(&waiting[done..done + strip])?;
            done += strip;
        }
        waiting.drain(..done);
    }
    if image.next_strip_sample_count() > 0 {
        return Err(ended_early().into());
    }
    image.finish()
}

fn tiff_error(error: tiff::TiffError) -> io::Error {
    match error {
        tiff::TiffError::IoError(e) => e,
        e => io::Error::other(e),
    }
}

fn write_with(
    mut encoder: impl ImageEncoder,
    profile: Option<&[u8]>,
    bytes: &[u8],
    (width, height, color): (u32, u32, ExtendedColorType),
) -> ImageResult<()> {
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).map_err(|e| ImageError::IoError(io::Error::other(e)))?;
    }
    encoder.write_image(bytes, width, height, color)
}

/// Encodes the whole picture. `bytes` are its values in native byte order.
fn encode(out: &mut BufWriter<&File>, head: Head<'_>, bytes: &[u8]) -> io::Result<()> {
    let Head { target, profile, width, height } = head;
    let color = color_type(target.depth, target.channels);
    let shape = (width, height, color);
    let written = match target.format {
        Format::Jpeg => {
            write_with(jpeg::JpegEncoder::new_with_quality(out, target.quality), profile, bytes, shape)
        }
        Format::WebP => write_with(webp::WebPEncoder::new_lossless(out), profile, bytes, shape),
        Format::Exr => openexr::OpenExrEncoder::new(out).write_image(bytes, width, height, color),
        Format::Hdr => hdr::HdrEncoder::new(out).write_image(bytes, width, height, color),
        Format::Bmp => bmp::BmpEncoder::new(out).write_image(bytes, width, height, color),
        Format::Qoi => qoi::QoiEncoder::new(out).write_image(bytes, width, height, color),
        Format::Ppm | Format::Pgm | Format::Pnm => {
            let binary = pnm::SampleEncoding::Binary;
            let grey = target.channels == 1;
            let kind = if grey { pnm::PnmSubtype::Graymap(binary) } else { pnm::PnmSubtype::Pixmap(binary) };
            pnm::PnmEncoder::new(out).with_subtype(kind).write_image(bytes, width, height, color)
        }
        Format::Png | Format::Tiff => unreachable!("written row by row"),
    };
    written.map_err(into_io_error)
}
