//! What came of each cell, read from its run folder.

use super::cell::{Cell, State};
use super::{CompareError, Plan};
use crate::config::Sigma;
use crate::picture::{self, ssim};
use crate::report::quality_label;
use crate::run::read_metrics;
use crate::trainer::{EpochSummary, FailureKind};
use rayon::prelude::*;

/// Follows the PSNR of a run that is no success.
pub(super) const FAILURE_MARK: &str = " †";
/// What it means.
pub(super) const FAILURE_LEGEND: &str = "† The network learned nothing, or keeps less than 70 % of the picture's \
                                         variance; the column `failure` of results.csv says which.";

/// The result of one cell.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place among all cells.
    pub cell: usize,
    /// The picture's name.
    pub picture: String,
    /// One row an epoch measured.
    pub metrics: Vec<EpochSummary>,
    /// The row of the weights the run ended with.
    pub result: EpochSummary,
    /// Structural similarity of the whole reconstruction, as written to `final.png`.
    pub ssim: f64,
    /// Weights and biases.
    pub n_params: usize,
    /// The sigma it was trained with, where its encoding has one.
    pub sigma: Option<Sigma>,
    /// Why the run is no success, where it is none although it came to its end.
    pub failure: Option<FailureKind>,
}

impl Record {
    /// What it is judged by: PSNR in dB of the test pixels, or of the training pixels where there
    /// is no test split.
    pub fn psnr(&self) -> f64 {
        self.result.psnr_test.or(self.result.psnr_train).unwrap_or(f64::NAN)
    }

    /// [`Record::psnr`] as a label, marked where the run is no success.
    pub(super) fn quality(&self) -> String {
        let mark = if self.failure.is_some() { FAILURE_MARK } else { "" };
        format!("{}{mark}", decibels(self.psnr()))
    }
}

pub(super) fn decibels(psnr: f64) -> String {
    quality_label(psnr, None).unwrap_or_else(|| "no number".to_owned())
}

/// The results of all cells that are done.
pub(super) fn records(plan: &Plan) -> Result<Vec<Record>, CompareError> {
    let done: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.state == State::Done).collect();
    done.into_par_iter().map(|cell| record(plan, cell)).collect()
}

fn record(plan: &Plan, cell: &Cell) -> Result<Record, CompareError> {
    let truth = picture::load(&cell.prepared)?.to_display();
    let path = cell.folder.join("final.png");
    let reconstruction = picture::load(&path)?.to_display();
    let shape = |p: &picture::Picture| (p.width, p.height, p.channels);
    if shape(&truth) != shape(&reconstruction) {
        return Err(CompareError::OtherRun { path: cell.folder.clone(), what: "a picture of another shape" });
    }
    let metrics = read_metrics(&cell.folder.join("metrics.csv"), cell.run.epochs);
    let kept = cell.kept_epoch();
    let result = metrics.iter().rev().find(|row| row.epoch == kept.unwrap_or(cell.run.epochs));
    let Some(result) = result.cloned() else {
        return Err(CompareError::OtherRun { path: cell.folder.clone(), what: "metrics that end early" });
    };
    Ok(Record {
        cell: cell.index,
        picture: plan.request.sources[cell.picture].name.clone(),
        metrics,
        result,
        ssim: ssim(&reconstruction, &truth),
        n_params: cell.run.model.layout().n_params(),
        sigma: cell.sigma(),
        failure: cell.failure(),
    })
}
