//! One picture trained, and its row of the index.

use super::{CollectError, Request, Result, Source};
use crate::causes::with_causes;
use crate::config::Config;
use crate::job::DeviceOptions;
use crate::model::Model;
use crate::picture::Picture;
use crate::report::Decibels;
use crate::run::{Fit, Fitted};
use crate::trainer::{FailureKind, Observer, TrainError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the index says of a picture, on a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its path in the folder, the list or the archive.
    pub picture: String,
    /// What the list says, or the name of the folder that it is in.
    pub label: Option<String>,
    /// PSNR in dB of the training pixels; `"inf"` for an exact copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr: Option<Decibels>,
    /// PSNR in dB of the held-out pixels, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_test: Option<Decibels>,
    /// `flat` or `poor` if the network has learned too little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// The file that its network is in, and the place there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// Why there is no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A row with the values of all tensors of its network, in the order of the model file; none if there is no network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    pub(super) row: Row,
    pub(super) values: Vec<f32>,
}

/// What all pictures are trained with.
pub(super) struct Method<'a> {
    pub(super) request: &'a Request,
    /// With every default filled in.
    pub(super) config: &'a Config,
    pub(super) mask: Option<&'a Picture>,
    pub(super) options: &'a DeviceOptions,
    /// Of every network.
    pub(super) shape: &'a Shape,
}

impl Method<'_> {
    /// Trains the network of `source`, which is at `place` in the list, on `threads` threads. A picture that cannot be
    /// used, or whose network diverges, has a row that says why. `None` if the observer asked to stop.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn train(
        &self,
        source: &Source,
        place: usize,
        threads: usize,
        observer: &mut impl Observer<Error = TrainError>,
    ) -> Result<Option<Network>> {
        let row = Row { picture: source.name.clone(), label: source.label.clone(), ..Row::default() };
        let without = |error: String| {
            Ok(Some(Network { row: Row { error: Some(error), ..row.clone() }, values: Vec::new() }))
        };
        let prepare = || {
            let picture = self.request.load(source, self.config)?;
            let run = self.request.run(&picture, self.config, place, self.mask)?.on(self.options);
            if shape(&run.model) != *self.shape {
                let why = "its network has another shape than the first picture's; give --channels rgb, and --crop or \
                           --size WIDTHxHEIGHT";
                return Err(CollectError::Unusable(why.to_owned()));
            }
            Ok((picture, run))
        };
        let (picture, mut run) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => return without(with_causes(&error)),
        };
        run.device.threads = threads;
        let mut fit = Fit::start(run, Arc::new(picture))?;
        let Fitted { outcome, evaluation, failure, diverged, model } = fit.train(observer)?;
        if let Some(error) = diverged {
            return without(error.to_string());
        }
        if !outcome.complete {
            return Ok(None);
        }
        let row = Row {
            psnr: Decibels::of(evaluation.train.psnr()),
            psnr_test: evaluation.psnr_test().and_then(Decibels::of),
            failure: failure.map(|failure| failure.kind()),
            ..row
        };
        let values = model.tensors().iter().flat_map(|tensor| tensor.values).copied().collect();
        Ok(Some(Network { row, values }))
    }
}

/// Weights of the encoding, and inputs and outputs of each layer.
pub(super) type Shape = (usize, Vec<(usize, usize)>);

pub(super) fn shape(model: &Model) -> Shape {
    let layers = model.network.layers().map(|layer| (layer.input_width, layer.output_width));
    (model.encoding.n_params(), layers.collect())
}
