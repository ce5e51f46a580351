//! `run.json`: what ran, where, and how long it took.

use super::RunError;
use crate::atomic_write::{Durability, atomic_write};
use crate::backend::BackendInfo;
use crate::report::Decibels;
use crate::trainer::FailureKind;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// The contents of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// This program's version.
    pub version: &'static str,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Backend, adapter, driver and kernels.
    pub device: BackendInfo,
    /// Seed of frequencies, initial weights and sample order.
    pub seed: u64,
    /// Width, height and channels of the training picture.
    pub picture: [u32; 3],
    /// What was done to read the picture, such as converting its colours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_notes: Vec<String>,
    /// Weights and biases.
    pub n_params: usize,
    /// Whether all epochs were done.
    pub complete: bool,
    /// Whole passes over the training pixels.
    pub epochs: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Final PSNR in dB of the training split.
    pub psnr_train: Option<Decibels>,
    /// Final PSNR in dB of the test split.
    pub psnr_test: Option<Decibels>,
    /// PSNR in dB there of the cubic spline through the training pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_spline: Option<Decibels>,
    /// The epoch whose weights were kept, if not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_epoch: Option<u64>,
    /// How often the run restarted because the network learned nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_starts: Option<FreshStarts>,
    /// Why a complete run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// Where the time went.
    pub timings: Timings,
}

/// Restarts of a run, with other initial weights and a lower learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FreshStarts {
    /// Number of restarts.
    pub count: u32,
    /// Reason.
    pub reason: &'static str,
    /// The learning rate after the last restart.
    pub lr: f64,
}

/// Wall time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Until the first step: loading, device, pipelines.
    pub startup_seconds: f64,
    /// The loop over epochs, evaluation included.
    pub training_seconds: f64,
    /// Samples trained on per second of the loop.
    pub samples_per_second: f64,
}

impl Manifest {
    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RunError> {
        let text = serde_json::to_string_pretty(self).expect("the manifest is plain data");
        atomic_write(path, Durability::Flushed, |file| writeln!(file, "{text}"))
            .map_err(|e| RunError::write(path, &e))
    }
}
