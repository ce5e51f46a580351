//! Radiance pictures (RGBE).
//!
//! `image` reads the pixels, but not all headers that Radiance's own programs write; so the header is read here, and a
//! plain one is shown to `image`. Format: Radiance's reference manual, "Picture file format", and its `color.h`.

use super::plain;
use super::{AS_FLOATS, Decoded, Source};
use crate::picture::profile::Chromaticities;
use crate::picture::{Pixels, Result};
use image::ImageFormat;
use image::codecs::hdr::HdrDecoder;
use image::metadata::Orientation;
use std::io::{self, BufRead, Cursor, Read, Seek};

/// Longest header that is read.
const MAX_HEADER_BYTES: u64 = 1 << 20;

struct Header {
    /// Scan lines, and pixels of each.
    size: (u32, u32),
    orientation: Orientation,
    /// What the pixels were multiplied with after they were computed: EXPOSURE and COLORCORR.
    factors: [f64; 3],
    /// Which of the two the header has, and its values.
    notes: Vec<String>,
    /// Of red, green, blue and white, if they are not the usual ones.
    primaries: Option<Chromaticities>,
}

pub(super) fn decode<R: BufRead + Seek>(mut source: Source<'_, R>) -> Result<Decoded> {
    source.only_picture()?;
    let header = Header::read(&mut source)?;
    let (n_lines, length) = header.size;
    let plain = format!("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {n_lines} +X {length}\n");
    let reader = Cursor::new(plain.into_bytes()).chain(&mut source.reader);
    let decoder = HdrDecoder::new(reader).map_err(|e| plain::from_image_error(source.path, e))?;
    let mut decoded = plain::decode_with(source.path, source.size_bytes, decoder, ImageFormat::Hdr)?;
    if let Pixels::F32(values) = &mut decoded.picture.pixels
        && header.factors != [1.0; 3]
    {
        for pixel in values.chunks_exact_mut(3) {
            pixel.iter_mut().zip(header.factors).for_each(|(v, factor)| *v = (f64::from(*v) / factor) as f32);
        }
    }
    decoded.picture = decoded.picture.oriented(header.orientation);
    decoded.described.chromaticities = header.primaries;
    decoded.notes.extend(header.notes);
    Ok(decoded)
}

impl Header {
    /// Reads up to the first pixel.
    fn read<R: BufRead>(source: &mut Source<'_, R>) -> Result<Self> {
        let (lines, size_line) = lines(&mut source.reader).map_err(|e| super::read_error(source.path, e))?;
        let mut exposure = 1.0;
        let (mut colors, mut primaries) = ([1.0; 3], None);
        for text in &lines {
            let Some((name, value)) = text.split_once('=') else { continue };
            match name.trim() {
                "FORMAT" if value.trim() == "32-bit_rle_xyze" => {
                    return Err(source.unsupported("has XYZ colours", "convert it with `ra_xyze -r`"));
                }
                "FORMAT" if value.trim() != "32-bit_rle_rgbe" => {
                    return Err(source.unsupported(format!("has the format {value:?}"), AS_FLOATS));
                }
                // Each holds for all pixels, and the next was applied after it.
                "PRIMARIES" => {
                    let [a, b, c, d, e, f, g, h] = factors::<8, R>(source, name, value)?.map(|v| v as f32);
                    primaries = Some([[a, b], [c, d], [e, f], [g, h]]);
                }
                "EXPOSURE" => exposure *= factors::<1, R>(source, name, value)?[0],
                "COLORCORR" => {
                    let more = factors::<3, R>(source, name, value)?;
                    colors.iter_mut().zip(more).for_each(|(color, more)| *color *= more);
                }
                _ => {}
            }
        }
        let factors = colors.map(|color| color * exposure);
        if !factors.iter().all(|factor| factor.is_normal()) {
            return Err(source.damaged("its EXPOSURE and COLORCORR leave no finite values"));
        }
        let (size, orientation) =
            size_of(&size_line).ok_or_else(|| source.damaged(format!("{size_line:?} is not a size")))?;
        let mut notes = Vec::new();
        let path = source.path.display();
        if exposure != 1.0 {
            notes.push(format!("{path} has EXPOSURE={exposure}, by which its values are divided"));
        }
        if colors != [1.0; 3] {
            let [red, green, blue] = colors;
            notes.push(format!("{path} has COLORCORR={red} {green} {blue}, by which its values are divided"));
        }
        Ok(Self { size, orientation, factors, primaries, notes })
    }
}

/// The lines of the header, and the one after it with the size.
fn lines(reader: &mut impl BufRead) -> io::Result<(Vec<String>, String)> {
    let mut reader = reader.take(MAX_HEADER_BYTES);
    let mut lines = Vec::new();
    let mut next = || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
        }
    };
    loop {
        match next()? {
            line if line.is_empty() => return Ok((lines, next()?)),
            line => lines.push(line),
        }
    }
}

/// The numbers of a line of the header, all above 0.
fn factors<const N: usize, R>(source: &Source<'_, R>, name: &str, value: &str) -> Result<[f64; N]> {
    let numbers = value.split_whitespace().map(str::parse::<f64>).collect::<Result<Vec<_>, _>>().ok();
    numbers
        .and_then(|numbers| <[f64; N]>::try_from(numbers).ok())
        .filter(|numbers| numbers.iter().all(|n| n.is_finite() && *n > 0.0))
        .ok_or_else(|| source.damaged(format!("{} of {value:?} is not valid", name.trim())))
}

/// Scan lines and pixels of each, and how they lie: `-Y 480 +X 640` begins at the top left, line by line.
fn size_of(line: &str) -> Option<((u32, u32), Orientation)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[first, n_lines, second, length] = words.as_slice() else { return None };
    let orientation = match (first, second) {
        ("-Y", "+X") => Orientation::NoTransforms,
        ("-Y", "-X") => Orientation::FlipHorizontal,
        ("+Y", "-X") => Orientation::Rotate180,
        ("+Y", "+X") => Orientation::FlipVertical,
        // Lines that run down or up, from the left or from the right.
        ("+X", "-Y") => Orientation::Rotate90FlipH,
        ("-X", "-Y") => Orientation::Rotate90,
        ("-X", "+Y") => Orientation::Rotate270FlipH,
        ("+X", "+Y") => Orientation::Rotate270,
        _ => return None,
    };
    Some(((n_lines.parse().ok()?, length.parse().ok()?), orientation))
}
