//! The results of each cell, read from its run folder.

use super::cell::{Cell, State};
use super::{CompareError, Comparison, Result};
use crate::config::Sigma;
use crate::model::Holdout;
use crate::picture::{self, Picture, SquaredError, spline_error, ssim_visible};
use crate::report::quality_label;
use crate::run::read_metrics;
use crate::trainer::{EpochSummary, FailureKind};
use rayon::prelude::*;
use std::path::Path;

/// Marks the PSNR of a failed run.
pub(super) const FAILURE_MARK: &str = " †";
/// The legend of the mark.
pub(super) const FAILURE_LEGEND: &str = "† The network learned nothing, or keeps less than 70 % of the picture's \
                                         variance; the column `failure` of results.csv says which.";

/// The result of one cell.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its index among all cells.
    pub(crate) cell: usize,
    pub(crate) picture: String,
    /// One row per measured epoch.
    pub(crate) metrics: Vec<EpochSummary>,
    /// The row of the weights the run ended with.
    pub(crate) result: EpochSummary,
    /// Structural similarity of the whole reconstruction, as written to `final.png` or `final.exr`.
    pub(crate) ssim: f64,
    pub(crate) n_params: usize,
    /// Size of its model file.
    pub(crate) n_bytes: u64,
    /// The sigma it was trained with, if its encoding has one.
    pub(crate) sigma: Option<Sigma>,
    /// The w0 of its sines, if it was given or chosen.
    pub(crate) w0: Option<f32>,
    /// Of the first of a picture at a size, PSNR in dB of the cubic spline through the training pixels, at the test pixels.
    pub(crate) spline: Option<f64>,
    /// Of the first of several seeds, PSNR in dB of the mean of all their pictures, where [`Self::psnr`] is measured.
    pub(crate) mean_of_seeds: Option<f64>,
    /// Why the complete run failed, if it did.
    pub(crate) failure: Option<FailureKind>,
}

impl Record {
    /// PSNR in dB of the test pixels, or of the training pixels if there is no test split: what it is ranked by.
    pub(crate) fn psnr(&self) -> f64 {
        self.result.psnr_test.or(self.result.psnr_train).unwrap_or(f64::NAN)
    }

    /// [`Record::psnr`] as a label, marked if the run failed.
    pub(super) fn quality(&self) -> String {
        let mark = if self.failure.is_some() { FAILURE_MARK } else { "" };
        format!("{}{mark}", decibels(self.psnr()))
    }
}

pub(super) fn decibels(psnr: f64) -> String {
    quality_label(psnr, None).unwrap_or_else(|| "no number".to_owned())
}

/// The results of all cells that are done.
pub(super) fn records(plan: &Comparison) -> Result<Vec<Record>> {
    let done: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.state == State::Done).collect();
    done.into_par_iter().map(|cell| record(plan, cell)).collect()
}

fn record(plan: &Comparison, cell: &Cell) -> Result<Record> {
    let truth = read(cell, &cell.prepared)?;
    let reconstruction = reconstruction(cell, &truth)?;
    let model = cell.folder.join("model.safetensors");
    let metrics = read_metrics(&cell.folder.join("metrics.csv"), cell.run.epochs);
    let kept = cell.kept_epoch();
    // One that is good enough ends before its last epoch.
    let is_end = |row: &EpochSummary| row.epoch == cell.run.epochs || cell.run.until.is_some();
    let result = match kept {
        Some(kept) => metrics.iter().rev().find(|row| row.epoch == kept),
        None => metrics.last().filter(|&row| is_end(row)),
    };
    let Some(result) = result.cloned() else {
        return Err(CompareError::OtherRun { path: cell.folder.clone(), what: "metrics that end early" });
    };
    Ok(Record {
        cell: cell.index,
        picture: plan.request.sources[cell.picture].name.clone(),
        metrics,
        result,
        ssim: ssim_visible(&reconstruction, &truth, truth.hidden(cell.run.transparent())),
        n_params: cell.run.model.layout().n_params(),
        n_bytes: std::fs::metadata(&model).map_err(|e| CompareError::file(&model, e))?.len(),
        sigma: cell.sigma(),
        w0: cell.w0(),
        mean_of_seeds: mean_of_seeds(plan, cell, (&reconstruction, &truth))?,
        spline: spline(plan, cell, &truth),
        failure: cell.failure(),
    })
}

/// A picture in the colour space that a cell was trained in.
fn read(cell: &Cell, path: &Path) -> Result<Picture> {
    Ok(picture::read(path, cell.run.config.reading())?.picture)
}

/// What a cell made of `truth`.
fn reconstruction(cell: &Cell, truth: &Picture) -> Result<Picture> {
    let written = if truth.is_hdr() { "final.exr" } else { "final.png" };
    let picture = read(cell, &cell.folder.join(written))?;
    let shape = |p: &Picture| (p.width, p.height, p.channels);
    match shape(truth) == shape(&picture) {
        true => Ok(picture),
        false => {
            Err(CompareError::OtherRun { path: cell.folder.clone(), what: "a picture of another shape" })
        }
    }
}

/// [`Record::spline`].
fn spline(plan: &Comparison, cell: &Cell, truth: &Picture) -> Option<f64> {
    let is_alike = |other: &&Cell| (other.picture, other.size) == (cell.picture, cell.size);
    let is_first =
        plan.cells.iter().filter(|other| other.state == State::Done).find(is_alike)?.index == cell.index;
    if is_first { spline_error(truth, &cell.run.samples).map(SquaredError::psnr) } else { None }
}

/// [`Record::mean_of_seeds`]; none of pictures with alpha or in linear light.
fn mean_of_seeds(plan: &Comparison, cell: &Cell, (own, truth): (&Picture, &Picture)) -> Result<Option<f64>> {
    let is_alike = |other: &&Cell| {
        (other.picture, other.size, other.method, other.optimizer)
            == (cell.picture, cell.size, cell.method, cell.optimizer)
    };
    let seeds: Vec<&Cell> = plan.cells.iter().filter(is_alike).collect();
    let is_whole = seeds.iter().all(|cell| cell.state == State::Done);
    let has_colors_alone = truth.channels % 2 == 1 && !truth.is_hdr();
    if seeds.len() < 2 || seeds[0].index != cell.index || !is_whole || !has_colors_alone {
        return Ok(None);
    }
    let mut sums: Vec<f32> = (0..truth.pixels.len()).map(|i| own.pixels.value(i)).collect();
    for seed in &seeds[1..] {
        let picture = reconstruction(seed, truth)?;
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += picture.pixels.value(i));
    }
    let (samples, mut error) = (&cell.run.samples, SquaredError::default());
    for (i, sum) in sums.iter().enumerate() {
        let pixel = (i / truth.channels) as u32;
        let (x, y) = (pixel % truth.width, pixel / truth.width);
        let counts = match samples.holdout {
            Holdout::None => samples.in_training_split(x, y),
            _ => samples.in_test_split(x, y),
        };
        if counts {
            error.add_value(sum / seeds.len() as f32, truth.pixels.value(i));
        }
    }
    Ok(Some(error.psnr()))
}
