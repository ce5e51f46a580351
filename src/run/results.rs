//! The results of a run: picture, model, curves, strip, film and manifest.

use super::thumbnails::{Thumbnails, earlier_panels};
use super::{FreshStarts, Manifest, RunError, RunFolder, Timings, unfinished};
use crate::backend::BackendInfo;
use crate::config::Resolved;
use crate::picture::{Packing, Picture, in_srgb, save_exr, save_png, save_png_packed};
use crate::report::{self, CurvePoint, Decibels, Film, Series, Strip, epoch_label, quality_label};
use crate::trainer::{EpochSummary, Evaluation, Failure, Outcome};
use std::path::PathBuf;

/// Everything known at the end of a run.
pub struct Results<'a> {
    /// Its folder.
    pub folder: &'a RunFolder,
    /// The run.
    pub run: &'a Resolved,
    /// The training picture.
    pub picture: &'a Picture,
    /// The device.
    pub device: &'a BackendInfo,
    /// The network's picture now.
    pub evaluation: &'a Evaluation,
    /// PSNR in dB of the cubic spline through the training pixels, at the test pixels.
    pub psnr_spline: Option<f64>,
    /// Why the run failed, if it did.
    pub failure: Option<Failure>,
    /// One row per epoch.
    pub metrics: &'a [EpochSummary],
    /// Snapshots that need not be read again.
    pub thumbnails: &'a Thumbnails,
    /// How the run ended.
    pub outcome: &'a Outcome,
    /// Where the time went.
    pub timings: Timings,
    /// What was done to read the picture.
    pub input_notes: &'a [String],
}

impl Results<'_> {
    /// Writes everything. `params` are the weights that made the picture.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, params: Vec<f32>) -> Result<(), RunError> {
        let folder = self.folder;
        let reconstruction = self.evaluation.picture.as_ref().expect("evaluated with its picture");
        // Irreplaceable files first, in case the disk is full.
        let model =
            unfinished::finished_model(self.run, self.picture, params, (self.outcome, self.evaluation));
        model.save(&folder.file("model.safetensors"))?;
        if reconstruction.is_hdr() {
            save_png(&reconstruction.shown(self.run.exposure), &folder.file("final.png"))?;
            save_exr(reconstruction, &folder.file("final.exr"))?;
        } else {
            let profile = self.run.profile.as_deref();
            save_png_packed(reconstruction, &folder.file("final.png"), Packing::Small, profile)?;
        }
        self.manifest().save(&folder.file("run.json"))?;
        let points: Vec<CurvePoint> = self.metrics.iter().filter_map(CurvePoint::measured).collect();
        report::save_psnr_curves(folder.path(), &[Series { name: String::new(), points }])?;
        let snapshots = folder.snapshots();
        self.save_strip(&snapshots, reconstruction)?;
        let frames: Vec<(u64, PathBuf)> = snapshots.iter().map(|&e| (e, folder.snapshot(e))).collect();
        // The pictures of a run resumed after its last epoch may have been deleted.
        if !frames.is_empty() {
            let (kept, path) = (&self.thumbnails.film, folder.file("progress.gif"));
            report::film::save_film_with(kept, &path, &frames, &Film::default())?;
        }
        Ok(())
    }

    fn save_strip(&self, snapshots: &[u64], reconstruction: &Picture) -> Result<(), RunError> {
        let mut strip = Strip::default();
        let position = &self.outcome.position;
        let between_epochs = position.steps_into_epoch == 0;
        // The last panel is the network as it is now, even in the middle of an epoch.
        let last = self.outcome.kept_epoch.or(between_epochs.then_some(position.epochs_done));
        for epoch in earlier_panels(snapshots, last) {
            let panel = match self.thumbnails.strip.get(&epoch) {
                Some(Some(kept)) => kept.clone(),
                _ => Strip::fitted(&crate::picture::load(&self.folder.snapshot(epoch))?),
            };
            let row = self.metrics.iter().find(|row| row.epoch == epoch);
            let train = row.and_then(|row| row.psnr_train).unwrap_or(f64::NAN);
            let test = row.and_then(|row| row.psnr_test);
            strip.push_fitted(panel, epoch_label(epoch, train, test));
        }
        let train = self.evaluation.train.psnr();
        let test = self.evaluation.psnr_test();
        let label = match between_epochs || self.outcome.kept_epoch.is_some() {
            true => epoch_label(self.outcome.kept_epoch.unwrap_or(position.epochs_done), train, test),
            false => {
                let quality = quality_label(train, test).unwrap_or_default();
                format!("step {} · {quality}", self.outcome.step)
            }
        };
        let profile = self.run.profile.as_deref();
        let shown = |picture: &Picture| in_srgb(&picture.exposed(self.run.exposure), profile).into_owned();
        strip.push(&shown(reconstruction), label);
        strip.push(&shown(self.picture), "ground truth");
        Ok(strip.save(&self.folder.file("strip.png"))?)
    }

    fn fresh_starts(&self) -> Option<FreshStarts> {
        let position = &self.outcome.position;
        let count = position.fresh_starts;
        let reason = "the network's picture was flat and stayed flat";
        (count > 0).then(|| FreshStarts { count, reason, lr: self.run.lr * position.lr_factor() })
    }

    fn manifest(&self) -> Manifest {
        let Picture { width, height, channels, .. } = *self.picture;
        Manifest {
            version: env!("CARGO_PKG_VERSION"),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            device: self.device.clone(),
            seed: self.run.seed,
            picture: [width, height, channels as u32],
            input_notes: self.input_notes.to_vec(),
            n_params: self.run.model.layout().n_params(),
            complete: self.outcome.complete,
            epochs: self.outcome.position.epochs_done,
            steps: self.outcome.step,
            psnr_train: Decibels::of(self.evaluation.train.psnr()),
            psnr_test: self.evaluation.psnr_test().and_then(Decibels::of),
            psnr_spline: self.psnr_spline.and_then(Decibels::of),
            kept_epoch: self.outcome.kept_epoch,
            fresh_starts: self.fresh_starts(),
            failure: self.failure.map(Failure::kind),
            timings: self.timings,
        }
    }
}

impl CurvePoint {
    /// The point of a measured epoch.
    pub fn measured(row: &EpochSummary) -> Option<Self> {
        Some(Self {
            epoch: row.epoch,
            seconds: row.seconds,
            psnr_train: row.psnr_train?,
            psnr_test: row.psnr_test,
        })
    }
}
