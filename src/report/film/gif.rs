//! Animated GIF: 255 colours fitted to the film, and what does not change left out.

use super::{Frames, failed};
use crate::atomic_write::{Durability, atomic_write};
use crate::report::ReportError;
use crate::report::palette::{Palette, Shown, TRANSPARENT};
use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

/// Frames that the palette is fitted to, beside the last.
const PALETTE_FRAMES: usize = 7;

/// Pixels that differ by no more than this from what is shown stay as they are: late frames then
/// take little room, and flat areas do not flicker.
const UNSEEN: u8 = 3;

pub(super) fn save(path: &Path, frames: &Frames) -> Result<(), ReportError> {
    let palette = fit(frames)?;
    atomic_write(path, Durability::Cached, |out| {
        encode(out, frames, &palette).map_err(|error| match error {
            EncodingError::Io(e) => e,
            e => io::Error::other(e),
        })
    })
    .map_err(|e| failed(path, e))
}

/// One palette for the whole film, so that colours do not flicker.
fn fit(frames: &Frames) -> Result<Palette, ReportError> {
    let last = frames.len() - 1;
    let stride = last.div_ceil(PALETTE_FRAMES).max(1);
    // The last frame, which stays longest, counts double.
    let picked = (0..=last).rev().step_by(stride).chain([last]);
    let images = picked.map(|i| frames.load(i)).collect::<Result<Vec<_>, _>>()?;
    Ok(Palette::fit(&images.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
}

fn encode(out: &mut impl Write, frames: &Frames, palette: &Palette) -> Result<(), EncodingError> {
    // A panel has at most a few hundred pixels a side, so 16 bits hold its size.
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let (width, height) = (side(frames.size.0), side(frames.size.1));
    let mut encoder = Encoder::new(out, width, height, &palette.bytes())?;
    encoder.set_repeat(Repeat::Infinite)?;
    let mut shown = Shown::default();
    for (i, seconds) in frames.durations.iter().enumerate() {
        let image = frames.load(i).map_err(io::Error::other)?;
        let unseen = if i + 1 == frames.len() { 0 } else { UNSEEN };
        encoder.write_frame(&Frame {
            delay: (seconds * 100.0).round().clamp(2.0, f64::from(u16::MAX)) as u16,
            width,
            height,
            dispose: DisposalMethod::Keep,
            transparent: Some(TRANSPARENT),
            buffer: Cow::Owned(palette.dither(&image, &mut shown, unseen)),
            ..Frame::default()
        })?;
    }
    Ok(())
}
