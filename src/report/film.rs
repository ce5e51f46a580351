//! Films: the picture emerging, from snapshots on the disk.

mod apng;
mod ffmpeg;
mod gif;

use super::ReportError;
use super::panel::panel;
use crate::picture::{self, Picture};
use image::RgbImage;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// How a film is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Film {
    /// Largest width and height in pixels; larger snapshots are scaled down, tiny ones enlarged.
    pub max_size: [u32; 2],
    /// Most frames; of more snapshots, those nearest to a geometric progression are taken.
    pub max_frames: usize,
    /// How long each frame but the last stays.
    pub pacing: Pacing,
    /// How long the last one stays, in seconds.
    pub hold: f64,
}

/// How long the frames of a film stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// As long as the logarithm of the epochs takes to the next frame, this many seconds in all:
    /// most happens in the first epochs.
    Progress(f64),
    /// Frames a second.
    Constant(f64),
}

impl Default for Film {
    fn default() -> Self {
        Self { max_size: [400, 400], max_frames: 60, pacing: Pacing::Progress(5.0), hold: 2.5 }
    }
}

/// Frames of [`Pacing::Progress`] stay at least and at most this long, in seconds: what players
/// show in time, and what does not seem to stand still.
const SHORTEST: f64 = 0.04;
const LONGEST: f64 = 0.6;

impl Film {
    /// A frame: `picture` fitted into the largest size.
    pub(crate) fn fitted(&self, picture: &Picture) -> RgbImage {
        panel(picture, self.max_size[0], self.max_size[1])
    }

    /// Seconds that each of the frames of `epochs`, in increasing order, stays.
    fn durations(&self, epochs: &[u64]) -> Vec<f64> {
        let first = epochs.first().copied().unwrap_or(0);
        let log = |epoch: u64| (epoch.saturating_sub(first) as f64 + 1.0).ln();
        let total = epochs.last().map_or(0.0, |&last| log(last));
        let stay = |pair: &[u64]| match self.pacing {
            Pacing::Constant(fps) => 1.0 / fps,
            Pacing::Progress(seconds) => {
                (seconds * (log(pair[1]) - log(pair[0])) / total).clamp(SHORTEST, LONGEST)
            }
        };
        epochs.windows(2).map(stay).chain([self.hold]).collect()
    }
}

/// The frames of a film, read one at a time where they are not in memory.
struct Frames<'a> {
    sources: Vec<(u64, PathBuf)>,
    kept: &'a BTreeMap<u64, Option<RgbImage>>,
    film: &'a Film,
    size: (u32, u32),
    /// Seconds each frame stays.
    durations: Vec<f64>,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Frames<'a> {
    fn new(
        snapshots: &[(u64, PathBuf)],
        film: &'a Film,
        kept: &'a BTreeMap<u64, Option<RgbImage>>,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, ReportError> {
        let all: Vec<u64> = snapshots.iter().map(|(epoch, _)| *epoch).collect();
        let picked = pick_frames(&all, film.max_frames);
        let sources: Vec<_> = picked.iter().map(|&i| snapshots[i].clone()).collect();
        let epochs: Vec<u64> = sources.iter().map(|(epoch, _)| *epoch).collect();
        let frames = Self { sources, kept, film, size: (0, 0), durations: film.durations(&epochs), stop };
        let size = frames.fitted(frames.sources.first().ok_or(ReportError::NoFrames)?)?.dimensions();
        Ok(Self { size, ..frames })
    }

    fn len(&self) -> usize {
        self.sources.len()
    }

    fn fitted(&self, (epoch, source): &(u64, PathBuf)) -> Result<Cow<'a, RgbImage>, ReportError> {
        match self.kept.get(epoch) {
            Some(Some(kept)) => Ok(Cow::Borrowed(kept)),
            _ => Ok(Cow::Owned(self.film.fitted(&picture::load(source)?))),
        }
    }

    fn load(&self, index: usize) -> Result<Cow<'a, RgbImage>, ReportError> {
        if (self.stop)() {
            return Err(ReportError::Stopped);
        }
        let frame = self.fitted(&self.sources[index])?;
        if frame.dimensions() == self.size {
            return Ok(frame);
        }
        let text = |(width, height)| format!("{width}x{height}");
        let ([found, first], path) =
            ([frame.dimensions(), self.size].map(text), self.sources[index].1.display());
        Err(ReportError::Film(format!(
            "{path} is {found} pixels and the first frame {first}; all frames of a film must have the same shape"
        )))
    }
}

type Save = fn(&Path, &Frames) -> Result<(), ReportError>;

/// File extensions and what makes them.
const FORMATS: [(&str, Save); 6] = [
    ("gif", gif::save),
    ("png", apng::save),
    ("apng", apng::save),
    ("mp4", ffmpeg::save),
    ("mov", ffmpeg::save),
    ("webp", ffmpeg::save),
];

fn format_of(path: &Path) -> Result<Save, ReportError> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let found = FORMATS.iter().find(|(e, _)| Some(*e) == extension.as_deref());
    found.map(|(_, save)| *save).ok_or_else(|| {
        ReportError::Film(format!(
            "{} does not have the extension of a film; use .gif, .apng or .png, or with ffmpeg .mp4, .mov or .webp",
            path.display()
        ))
    })
}

/// The error of a frame that cannot be read, or of writing the film at `path`.
fn failed(path: &Path, error: io::Error) -> ReportError {
    error.downcast().unwrap_or_else(|source| ReportError::Write { path: path.to_owned(), source })
}

/// Checks that `path` has the name of a film: .gif, .png or .apng, and with the help of ffmpeg .mp4,
/// .mov or .webp.
///
/// # Errors
/// Names the formats there are.
pub fn check_film_name(path: &Path) -> Result<(), ReportError> {
    format_of(path).map(|_| ())
}

/// Writes a film of `snapshots`, (epoch, picture file) in order of epochs, in the format that the
/// extension of `path` says ([`check_film_name`]). GIF, PNG and WebP repeat without end.
///
/// Snapshots are read one at a time. The file appears whole or not at all.
///
/// # Errors
/// When there are no snapshots, they differ in size, one cannot be read, the film cannot be
/// written, or ffmpeg is needed and not there.
pub fn save_film(path: &Path, snapshots: &[(u64, PathBuf)], film: &Film) -> Result<(), ReportError> {
    save_film_unless(&|| false, path, snapshots, film)
}

/// As [`save_film`], unless `stop`, asked before each frame, returns true.
///
/// # Errors
/// As [`save_film`], and [`ReportError::Stopped`].
pub fn save_film_unless(
    stop: &dyn Fn() -> bool,
    path: &Path,
    snapshots: &[(u64, PathBuf)],
    film: &Film,
) -> Result<(), ReportError> {
    format_of(path)?(path, &Frames::new(snapshots, film, &BTreeMap::new(), stop)?)
}

/// As [`save_film`]; `kept` has the frames of some epochs, fitted already.
pub(crate) fn save_film_with(
    kept: &BTreeMap<u64, Option<RgbImage>>,
    path: &Path,
    snapshots: &[(u64, PathBuf)],
    film: &Film,
) -> Result<(), ReportError> {
    format_of(path)?(path, &Frames::new(snapshots, film, kept, &|| false)?)
}

/// Which of `epochs`, in increasing order, become frames: the first, the last, and those nearest
/// to a geometric progression between them, at most `max_frames`. Progress is fast at the start,
/// so early epochs are shown more densely.
pub(crate) fn pick_frames(epochs: &[u64], max_frames: usize) -> Vec<usize> {
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
    fn early_frames_stay_longer_and_the_last_is_held() {
        let film = Film::default();
        let epochs: Vec<u64> = (0..40).collect();
        let durations = film.durations(&epochs);
        assert_eq!((durations.len(), durations[39]), (40, film.hold));
        assert!(durations[..39].windows(2).all(|w| w[0] >= w[1]), "{durations:?}");
        assert!(durations[1] > 5.0 * durations[38], "{durations:?}");
        let seconds: f64 = durations[..39].iter().sum();
        assert!((4.0..6.5).contains(&seconds), "{seconds} s of 5");
        let even = Film { pacing: Pacing::Constant(20.0), ..film };
        assert_eq!(even.durations(&[0, 5, 10]), [0.05, 0.05, film.hold]);
        assert_eq!(film.durations(&[7]), [film.hold]);
    }

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
