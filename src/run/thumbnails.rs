//! Snapshots as strip and film show them, kept as they pass, so that they need not be read again.

use crate::config::Resolved;
use crate::picture::Picture;
use crate::report::{Film, Strip, pick_frames};
use image::RgbImage;
use std::collections::{BTreeMap, BTreeSet};

/// Panels of the strip beside the ground truth.
const STRIP_PANELS: usize = 4;

/// More snapshots than this are not planned for.
const MAX_PLANNED: usize = 1 << 20;

/// A few epochs, and their pictures once they are there.
#[derive(Debug, Default)]
struct Kept {
    wanted: BTreeSet<u64>,
    pictures: BTreeMap<u64, RgbImage>,
}

impl Kept {
    fn keep(&mut self, epoch: u64, fitted: impl FnOnce() -> RgbImage) {
        if self.wanted.contains(&epoch) {
            self.pictures.insert(epoch, fitted());
        }
    }
}

/// What is kept of a run. A run that is stopped, or that lost its pictures, shows other epochs than were planned; they
/// are read from the disk.
#[derive(Debug, Default)]
pub struct Thumbnails {
    film: Kept,
    strip: Kept,
}

impl Thumbnails {
    /// Those that `run` will show when it comes to its end: a few dozen, however many snapshots it has.
    pub fn planned(run: &Resolved) -> Self {
        let every = (0..run.epochs).step_by(usize::try_from(run.snapshot_every).unwrap_or(usize::MAX));
        let snapshots: Vec<u64> = every.take(MAX_PLANNED).chain([run.epochs]).collect();
        let film = pick_frames(&snapshots, Film::default().max_frames).into_iter().map(|i| snapshots[i]);
        let strip = earlier_panels(&snapshots, Some(run.epochs));
        let kept = |wanted| Kept { wanted, ..Kept::default() };
        Self { film: kept(film.collect()), strip: kept(strip.into_iter().collect()) }
    }

    /// Takes what is wanted of a snapshot, as it is saved.
    pub fn pass(&mut self, epoch: u64, snapshot: &Picture) {
        self.film.keep(epoch, || Film::default().fitted(snapshot));
        self.strip.keep(epoch, || Strip::fitted(snapshot));
    }

    /// The film's frames that are there.
    pub fn film(&self) -> &BTreeMap<u64, RgbImage> {
        &self.film.pictures
    }

    /// The strip's panel of an epoch, if it is there.
    pub fn strip(&self, epoch: u64) -> Option<&RgbImage> {
        self.strip.pictures.get(&epoch)
    }
}

/// The snapshots shown before that of epoch `last`, which ends the strip, where it is of a whole epoch.
pub(super) fn earlier_panels(snapshots: &[u64], last: Option<u64>) -> Vec<u64> {
    let until_last: Vec<u64> =
        snapshots.iter().copied().filter(|&e| last.is_none_or(|last| e <= last)).collect();
    let picked = pick_frames(&until_last, STRIP_PANELS).into_iter().map(|i| until_last[i]);
    picked.filter(|&epoch| Some(epoch) != last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_ends_with_the_weights_that_were_kept() {
        let snapshots: Vec<u64> = (0..=60).collect();
        let whole = earlier_panels(&snapshots, Some(60));
        assert_eq!((whole.first(), whole.len()), (Some(&0), STRIP_PANELS - 1));
        let kept = earlier_panels(&snapshots, Some(10));
        assert_eq!((kept.first(), kept.len()), (Some(&0), STRIP_PANELS - 1));
        assert!(kept.is_sorted() && kept.iter().all(|&epoch| epoch < 10), "{kept:?}");
        // In the middle of an epoch the last panel has none of its own.
        assert_eq!(earlier_panels(&[0, 1], None), [0, 1]);
    }
}
