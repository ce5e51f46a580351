//! `progress.gif`: the picture emerging, from snapshots on the disk.

use super::ReportError;
use super::palette::Palette;
use super::panel::panel;
use crate::atomic_write::{Durability, atomic_write};
use crate::picture;
use gif::{Encoder, EncodingError, Frame, Repeat};
use image::RgbImage;
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How a film is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Film {
    /// Longest side in pixels; larger snapshots are scaled down.
    pub max_side: u32,
    /// Most frames; of more snapshots, those nearest to a geometric progression are taken.
    pub max_frames: usize,
    /// How long each frame but the last stays, in hundredths of a second.
    pub delay: u16,
    /// How long the last one stays.
    pub last_delay: u16,
}

impl Default for Film {
    fn default() -> Self {
        Self { max_side: 512, max_frames: 60, delay: 8, last_delay: 200 }
    }
}

/// Frames that a palette is fitted to, beside the last.
const PALETTE_FRAMES: usize = 7;

/// Writes an endless GIF from `snapshots`, (epoch, picture file) in order of epochs.
///
/// Snapshots are read one at a time and kept only at the film's size, in at most `max_frames`
/// times `max_side`^2 times 3 bytes. All frames share one palette of 256 colours, fitted to the
/// whole film, so that colours do not flicker. The file appears whole or not at all.
///
/// # Errors
/// When there are no snapshots, they differ in size, one cannot be read, or the film cannot be
/// written.
pub fn save_film(path: &Path, snapshots: &[(u64, PathBuf)], film: &Film) -> Result<(), ReportError> {
    let epochs: Vec<u64> = snapshots.iter().map(|(epoch, _)| *epoch).collect();
    let mut frames: Vec<RgbImage> = Vec::new();
    for i in pick_frames(&epochs, film.max_frames) {
        let source = &snapshots[i].1;
        let frame = panel(&picture::load(source)?, film.max_side, film.max_side);
        if let Some(first) = frames.first()
            && first.dimensions() != frame.dimensions()
        {
            let size = |image: &RgbImage| format!("{}x{}", image.width(), image.height());
            return Err(ReportError::FrameSize {
                path: source.clone(),
                found: size(&frame),
                expected: size(first),
            });
        }
        frames.push(frame);
    }
    let last = frames.len().checked_sub(1).ok_or(ReportError::NoFrames)?;
    let stride = last.div_ceil(PALETTE_FRAMES).max(1);
    // The last frame, which stays longest, counts double.
    let fitted: Vec<&RgbImage> = frames.iter().rev().step_by(stride).chain([&frames[last]]).collect();
    let palette = Palette::fit(&fitted);
    atomic_write(path, Durability::Cached, |out| encode(out, &frames, &palette, film).map_err(into_io_error))
        .map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

fn encode(
    out: &mut impl Write,
    frames: &[RgbImage],
    palette: &Palette,
    film: &Film,
) -> Result<(), EncodingError> {
    // A panel's sides fit, since they are at most `max_side` or were small to begin with.
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let (width, height) = (side(frames[0].width()), side(frames[0].height()));
    let mut encoder = Encoder::new(out, width, height, &palette.bytes())?;
    encoder.set_repeat(Repeat::Infinite)?;
    for (i, image) in frames.iter().enumerate() {
        let last = i + 1 == frames.len();
        encoder.write_frame(&Frame {
            delay: if last { film.last_delay } else { film.delay },
            width,
            height,
            buffer: Cow::Owned(palette.dither(image)),
            ..Frame::default()
        })?;
    }
    Ok(())
}

fn into_io_error(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(e) => e,
        e => io::Error::other(e),
    }
}

/// Which of `epochs`, in increasing order, become frames: the first, the last, and those nearest
/// to a geometric progression between them, at most `max_frames`. Progress is fast at the start,
/// so early epochs are shown more densely.
pub fn pick_frames(epochs: &[u64], max_frames: usize) -> Vec<usize> {
    if epochs.len() <= max_frames {
        return (0..epochs.len()).collect();
    }
    let (first, last) = (epochs[0], epochs[epochs.len() - 1]);
    if max_frames <= 1 {
        return vec![epochs.len() - 1; max_frames];
    }
    let span = (last.saturating_sub(first) as f64 + 1.0).ln();
    let mut picked: Vec<usize> = Vec::with_capacity(max_frames);
    for k in 0..max_frames {
        let wanted = (span * k as f64 / (max_frames - 1) as f64).exp() - 1.0;
        let offset = |i: usize| epochs[i].saturating_sub(first) as f64;
        let after = epochs.partition_point(|&e| (e.saturating_sub(first) as f64) < wanted);
        let nearest = match after {
            0 => 0,
            i if i == epochs.len() => i - 1,
            i if offset(i) - wanted < wanted - offset(i - 1) => i,
            i => i - 1,
        };
        // A progression finer than the snapshots takes them one by one, and never the last ones
        // before their turn.
        let next = picked.last().map_or(0, |&i| i + 1);
        let reserve = epochs.len() - (max_frames - k);
        picked.push(nearest.max(next).min(reserve));
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_dense_early_and_keep_both_ends() {
        for (n, most) in [(1000, 60), (61, 60), (100, 2), (500, 30)] {
            let epochs: Vec<u64> = (0..n).map(|i| i * 5).collect();
            let picked = pick_frames(&epochs, most);
            assert_eq!(picked.len(), most);
            assert_eq!((picked[0], picked[most - 1]), (0, n as usize - 1));
            assert!(picked.windows(2).all(|w| w[0] < w[1]), "{picked:?}");
        }
        let picked = pick_frames(&(0..1000).collect::<Vec<_>>(), 60);
        assert!(picked[30] < 100, "half of the frames within the first tenth: {picked:?}");
        assert_eq!(pick_frames(&[0, 1, 2], 60), [0, 1, 2]);
        assert_eq!(pick_frames(&[0, 1, 2], 1), [2]);
        assert!(pick_frames(&[], 5).is_empty());
    }
}
