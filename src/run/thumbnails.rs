//! Snapshots as strip and film show them, kept in memory so that they need not be read again.

use crate::config::Resolved;
use crate::picture::{Picture, in_srgb};
use crate::report::{Film, Strip, pick_frames};
use image::RgbImage;
use std::collections::BTreeMap;

/// Panels of the strip beside the ground truth.
const STRIP_PANELS: usize = 4;

/// Maximum number of snapshots planned for.
const MAX_PLANNED: usize = 1 << 20;

/// A run's thumbnails by epoch; `None` until available. A stopped run shows others than planned, and a resumed one
/// has some only on disk: those are read.
#[derive(Debug, Default)]
pub struct Thumbnails {
    pub(super) film: BTreeMap<u64, Option<RgbImage>>,
    pub(super) strip: BTreeMap<u64, Option<RgbImage>>,
}

impl Thumbnails {
    /// Those that `run` will show at its end: a few dozen, however many snapshots it has.
    pub(super) fn planned(run: &Resolved) -> Self {
        let every = (0..run.epochs).step_by(usize::try_from(run.snapshot_every).unwrap_or(usize::MAX));
        let snapshots: Vec<u64> = every.take(MAX_PLANNED).chain([run.epochs]).collect();
        let film = pick_frames(&snapshots, Film::default().max_frames);
        let strip = earlier_panels(&snapshots, Some(run.epochs));
        Self {
            film: film.into_iter().map(|i| (snapshots[i], None)).collect(),
            strip: strip.into_iter().map(|epoch| (epoch, None)).collect(),
        }
    }

    /// Keeps a thumbnail of a snapshot, in sRGB, if it will be shown. The snapshot is given as it is saved, and
    /// `profile` describes its values if they are not sRGB.
    pub(super) fn pass(&mut self, epoch: u64, snapshot: &Picture, profile: Option<&[u8]>) {
        let is_shown = self.film.contains_key(&epoch) || self.strip.contains_key(&epoch);
        let snapshot = in_srgb(snapshot, profile.filter(|_| is_shown));
        self.film.entry(epoch).and_modify(|kept| *kept = Some(Film::default().fitted(&snapshot)));
        self.strip.entry(epoch).and_modify(|kept| *kept = Some(Strip::fitted(&snapshot)));
    }
}

/// The snapshots shown before that of epoch `last`, which ends the strip if it is of a whole epoch.
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
        // In the middle of an epoch the last panel has no snapshot.
        assert_eq!(earlier_panels(&[0, 1], None), [0, 1]);
    }
}
