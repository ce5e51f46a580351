//! Animated WebP, frame by frame (Google's "WebP Container Specification").
//!
//! `image` decodes each frame, but they are composed here: its own composition is inexact where a frame is transparent,
//! and clears the wrong pixels after a frame without alpha.

use super::Source;
use super::plain::{from_image_error, limits};
use crate::picture::Result;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, RgbaImage};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Where a frame is shown, and where its chunks are in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    /// Whether it covers what is below, even where it is transparent.
    replaces: bool,
    /// Whether its rectangle is cleared before the next one.
    is_cleared: bool,
    at: u64,
    n_bytes: u64,
}

/// Bytes of a frame's header, which are followed by its chunks.
const HEADER_BYTES: u64 = 16;

/// The frames of an animation; none in other files.
pub(super) fn frames<R: Read + Seek>(reader: &mut R) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    // Behind `RIFF`, the length and `WEBP`.
    let mut at = 12;
    reader.seek(SeekFrom::Start(at))?;
    loop {
        let mut head = [0; 8 + HEADER_BYTES as usize];
        match reader.read_exact(&mut head) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(frames),
            read => read?,
        }
        let [n0, n1, n2, n3, l0, l1, l2, l3, header @ ..] = head;
        let n_bytes = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        match &[n0, n1, n2, n3] {
            // Where one of these comes first, it is the whole picture.
            b"VP8 " | b"VP8L" => return Ok(frames),
            b"ANMF" if n_bytes > HEADER_BYTES => {
                frames.push(Frame::new(header, at + 8 + HEADER_BYTES, n_bytes - HEADER_BYTES));
            }
            _ => {}
        }
        let padded = n_bytes + n_bytes % 2;
        at += 8 + padded;
        reader.seek_relative(padded as i64 - HEADER_BYTES as i64)?;
    }
}

impl Frame {
    fn new(header: [u8; HEADER_BYTES as usize], at: u64, n_bytes: u64) -> Self {
        let number = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], 0]);
        let flags = header[15];
        Self {
            x: 2 * number(0),
            y: 2 * number(3),
            width: number(6) + 1,
            height: number(9) + 1,
            replaces: flags & 2 != 0,
            is_cleared: flags & 1 != 0,
            at,
            n_bytes,
        }
    }

    /// The frame as a file of its own.
    fn file(&self, reader: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
        let mut chunks = Vec::new();
        reader.seek(SeekFrom::Start(self.at))?;
        reader.take(self.n_bytes).read_to_end(&mut chunks)?;
        let mut header = Vec::new();
        // A chunk of alpha before the colours needs a header that announces it.
        if chunks.starts_with(b"ALPH") {
            const HAS_ALPHA: u8 = 16;
            header.extend_from_slice(b"VP8X\x0a\0\0\0");
            header.extend([HAS_ALPHA, 0, 0, 0]);
            header.extend_from_slice(&(self.width - 1).to_le_bytes()[..3]);
            header.extend_from_slice(&(self.height - 1).to_le_bytes()[..3]);
        }
        let length = (4 + header.len() + chunks.len()) as u32;
        Ok([b"RIFF", length.to_le_bytes().as_slice(), b"WEBP", &header, &chunks].concat())
    }

    fn fits(&self, width: u32, height: u32) -> bool {
        self.x + self.width <= width && self.y + self.height <= height
    }
}

/// What is shown while the last of `frames` is, on a canvas that is transparent at first.
pub(super) fn composed<R: Read + Seek>(
    source: &mut Source<'_, R>,
    frames: &[Frame],
    (width, height): (u32, u32),
) -> Result<RgbaImage> {
    let mut canvas = RgbaImage::new(width, height);
    for (i, frame) in frames.iter().enumerate() {
        let refuse = |e| from_image_error(source.path, e);
        let file = frame.file(&mut source.reader).map_err(|e| super::read_error(source.path, e))?;
        let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(refuse)?;
        decoder.set_limits(limits(ImageFormat::WebP)).map_err(refuse)?;
        if decoder.dimensions() != (frame.width, frame.height) || !frame.fits(width, height) {
            return Err(source.damaged(format!("its frame {} has another size than it claims", i + 1)));
        }
        let shown = DynamicImage::from_decoder(decoder).map_err(refuse)?.into_rgba8();
        for (x, y, &above) in shown.enumerate_pixels() {
            let pixel = canvas.get_pixel_mut(frame.x + x, frame.y + y);
            pixel.0 = if frame.replaces { above.0 } else { over(above.0, pixel.0) };
        }
        if frame.is_cleared && i + 1 < frames.len() {
            for (x, y, _) in shown.enumerate_pixels() {
                canvas.get_pixel_mut(frame.x + x, frame.y + y).0 = [0; 4];
            }
        }
    }
    Ok(canvas)
}

/// A pixel over another, both with straight alpha.
fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    match above[3] {
        255 => return above,
        0 => return below,
        _ => {}
    }
    let alpha = f32::from(above[3]) / 255.0;
    let left = f32::from(below[3]) / 255.0 * (1.0 - alpha);
    let color = |c: usize| (f32::from(above[c]) * alpha + f32::from(below[c]) * left) / (alpha + left);
    let rounded = |v: f32| (v + 0.5) as u8;
    [rounded(color(0)), rounded(color(1)), rounded(color(2)), rounded((alpha + left) * 255.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_pixels_change_nothing_and_others_are_mixed() {
        assert_eq!(over([1, 2, 3, 0], [201, 77, 3, 129]), [201, 77, 3, 129]);
        assert_eq!(over([1, 2, 3, 255], [201, 77, 3, 129]), [1, 2, 3, 255]);
        assert_eq!(over([200, 0, 100, 51], [0, 100, 100, 255]), [40, 80, 100, 255]);
        // 0.2 over 0.2: 0.36, of which 5/9 from above.
        assert_eq!(over([90, 0, 0, 51], [0, 90, 0, 51]), [50, 40, 0, 92]);
    }
}
