//! GIF, PNG and WebP, which may be animated.

use super::plain::{self, from_image_error, into_picture};
use super::{AS_INTEGERS, Decoded, Source, Taken, webp};
use crate::picture::claim::Claim;
use crate::picture::profile::Described;
use crate::picture::{Picture, PictureError, Pixels, Result};
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{
    AnimationDecoder, ColorType, DynamicImage, Frames, ImageDecoder, ImageFormat, ImageResult, RgbaImage,
};
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

/// The pictures of a file, of which the first is what decoders without animation show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pictures {
    n_frames: usize,
    /// Whether an APNG's first picture is not a frame of its animation.
    has_other: bool,
    /// Whether a PNG has a colour profile, readable or not.
    has_profile: bool,
    /// How a PNG is to be turned that says so behind its pixels, where `image` does not look.
    turned: Option<Orientation>,
}

pub(super) fn decode<R: BufRead + Seek>(mut source: Source<'_, R>, format: ImageFormat) -> Result<Decoded> {
    if format == ImageFormat::WebP {
        return decode_webp(source);
    }
    let pictures = match format {
        ImageFormat::Gif => Ok(count_gif(&mut source.reader)),
        _ => look_through_png(&mut source.reader),
    };
    let rewound = pictures.and_then(|pictures| source.reader.rewind().map(|()| pictures));
    let pictures = rewound.map_err(|e| source.read_error(e))?;
    let n_pictures = pictures.n_frames.saturating_add(usize::from(pictures.has_other)).max(1);
    let (index, notes) = source.choose(n_pictures, Taken::First)?;
    let path = source.path.display();
    // A PNG says more of its colours than a profile does.
    let described = (format == ImageFormat::Png).then(|| Described::read_png(&mut source.reader));
    let mut decoded = if index == 0 {
        plain::decode(source, format)?
    } else {
        nth_frame(source, format, index - usize::from(pictures.has_other))?
    };
    if format == ImageFormat::Gif {
        decoded.picture = without_alpha_if_opaque(decoded.picture);
    }
    if let Some(orientation) = pictures.turned {
        decoded.picture = decoded.picture.oriented(orientation);
    }
    decoded.described = described.unwrap_or(decoded.described);
    decoded.notes = notes;
    if pictures.has_profile && decoded.described.icc.is_none() {
        decoded.notes.push(format!("{path}: its colour profile cannot be read and is ignored"));
    }
    Ok(decoded)
}

fn decode_webp<R: BufRead + Seek>(mut source: Source<'_, R>) -> Result<Decoded> {
    let frames = webp::frames(&mut source.reader).map_err(|e| source.read_error(e))?;
    source.reader.rewind().map_err(|e| source.read_error(e))?;
    let (index, notes) = source.choose(frames.len().max(1), Taken::First)?;
    let mut decoded = if frames.is_empty() {
        plain::decode(source, ImageFormat::WebP)?
    } else {
        let decoder = WebPDecoder::new(&mut source.reader);
        let mut decoder = decoder.map_err(|e| from_image_error(source.path, e))?;
        let icc = decoder.icc_profile().ok().flatten();
        let form = Form::checked(source.path, source.size_bytes, &mut decoder, ImageFormat::WebP)?;
        let size = decoder.dimensions();
        drop(decoder);
        let canvas = webp::composed(&mut source, &frames[..=index], size)?;
        let decoded = form.decoded(source.path, canvas)?;
        Decoded { described: Described { icc, ..Described::default() }, ..decoded }
    };
    decoded.notes = notes;
    Ok(decoded)
}

/// What all frames of an animation have in common.
struct Form {
    color: ColorType,
    orientation: Orientation,
}

impl Form {
    /// Checks the size too.
    fn checked(
        path: &Path,
        file_bytes: u64,
        decoder: &mut dyn ImageDecoder,
        format: ImageFormat,
    ) -> Result<Self> {
        let (width, height) = decoder.dimensions();
        let decoded_bytes = u64::from(width) * u64::from(height) * 4;
        Claim { width, height, decoded_bytes, file_bytes }.check(path, format)?;
        let color = decoder.color_type();
        // Only animated PNGs can have that.
        if color.bytes_per_pixel() > color.channel_count() {
            let what = "has frames of 16 bits a value, of which only the first is supported,";
            return Err(PictureError::unsupported(path, what, AS_INTEGERS));
        }
        Ok(Self { color, orientation: decoder.orientation().unwrap_or(Orientation::NoTransforms) })
    }

    /// A composed frame with the channels of the file if it is opaque, else with alpha.
    fn decoded(&self, path: &Path, frame: RgbaImage) -> Result<Decoded> {
        let keeps_alpha = self.color.has_alpha() || frame.pixels().any(|p| p.0[3] != 255);
        let image = DynamicImage::from(frame);
        let image = match (self.color.has_color(), keeps_alpha) {
            (true, true) => image,
            (true, false) => image.into_rgb8().into(),
            (false, true) => image.into_luma_alpha8().into(),
            (false, false) => image.into_luma8().into(),
        };
        let picture = into_picture(path, image)?.oriented(self.orientation);
        Ok(Decoded::plain(picture))
    }
}

/// GIF decoders always give RGBA.
fn without_alpha_if_opaque(picture: Picture) -> Picture {
    match picture.pixels {
        Pixels::U8(values) if picture.channels == 4 && values.chunks_exact(4).all(|p| p[3] == 255) => {
            let colors = values.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            Picture { channels: 3, pixels: Pixels::U8(colors), ..picture }
        }
        pixels => Picture { pixels, ..picture },
    }
}

/// A frame after the first, composed with those before it.
fn nth_frame<R: BufRead + Seek>(source: Source<'_, R>, format: ImageFormat, index: usize) -> Result<Decoded> {
    let Source { path, reader, size_bytes, .. } = source;
    let refuse = |e| from_image_error(path, e);
    let check = |decoder: &mut dyn ImageDecoder| Form::checked(path, size_bytes, decoder, format);
    let limits = plain::limits(ImageFormat::Gif);
    let (form, frames) = match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(reader).map_err(refuse)?;
            decoder.set_limits(limits).map_err(refuse)?;
            (check(&mut decoder)?, decoder.into_frames())
        }
        _ => {
            // The first limit is for texts and the like, the second for frames.
            let few = plain::limits(ImageFormat::Png);
            let mut decoder = PngDecoder::with_limits(reader, few).map_err(refuse)?;
            decoder.set_limits(limits).map_err(refuse)?;
            (check(&mut decoder)?, decoder.apng().map_err(refuse)?.into_frames())
        }
    };
    let frame = take(frames, index).map_err(refuse)?;
    let missing = || PictureError::damaged(path, format!("it ends before picture {}", index + 1));
    form.decoded(path, frame.ok_or_else(missing)?)
}

fn take(mut frames: Frames<'_>, index: usize) -> ImageResult<Option<RgbaImage>> {
    for _ in 0..index {
        if frames.next().transpose()?.is_none() {
            return Ok(None);
        }
    }
    Ok(frames.next().transpose()?.map(image::Frame::into_buffer))
}

fn count_gif(reader: impl Read) -> Pictures {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    // No frame is decoded, so none takes memory.
    options.set_memory_limit(gif::MemoryLimit::Unlimited);
    let mut n_frames = 0;
    if let Ok(mut decoder) = options.read_info(reader) {
        while let Ok(Some(_)) = decoder.next_frame_info() {
            n_frames += 1;
        }
    }
    Pictures { n_frames, ..Pictures::default() }
}

/// Most bytes of EXIF data that are read.
const MAX_EXIF_BYTES: u64 = 1 << 20;

/// Reads all chunks but pixels.
fn look_through_png<R: Read + Seek>(reader: &mut R) -> io::Result<Pictures> {
    let mut n_frames = None;
    let (mut is_framed, mut has_profile, mut has_pixels) = (false, false, false);
    let (mut exif_before, mut exif_behind) = (false, None);
    // Behind the signature.
    reader.seek(SeekFrom::Start(8))?;
    loop {
        // The length, the name, and the first bytes of the contents or of the checksum, which is as long.
        let mut chunk = [0; 12];
        if reader.read_exact(&mut chunk).is_err() {
            break;
        }
        let [l0, l1, l2, l3, n0, n1, n2, n3, value @ ..] = chunk;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        match &[n0, n1, n2, n3] {
            b"acTL" if !has_pixels => n_frames = Some(u32::from_be_bytes(value) as usize),
            b"fcTL" if !has_pixels => is_framed = true,
            b"iCCP" if !has_pixels => has_profile = true,
            b"IDAT" => has_pixels = true,
            b"eXIf" if !has_pixels => exif_before = true,
            b"eXIf" => {
                let mut exif = Vec::new();
                reader.seek_relative(-4)?;
                reader.take(u64::from(length).min(MAX_EXIF_BYTES)).read_to_end(&mut exif)?;
                exif_behind = exif_behind.or_else(|| Orientation::from_exif_chunk(&exif));
                reader.seek_relative(i64::from(length) - exif.len() as i64 + 4)?;
                continue;
            }
            b"IEND" => break,
            _ => {}
        }
        reader.seek_relative(i64::from(length))?;
    }
    let has_other = n_frames.is_some() && !is_framed;
    let turned = exif_behind.filter(|_| !exif_before);
    Ok(Pictures { n_frames: n_frames.unwrap_or(0), has_other, has_profile, turned })
}
