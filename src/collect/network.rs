//! One picture trained, and its row of the index.

use super::{CollectError, Request, Result, Source};
use crate::causes::with_causes;
use crate::config::{Config, Resolved};
use crate::job::{DeviceOptions, DeviceRequest};
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

/// A picture to be trained on.
pub(super) struct Prepared {
    row: Row,
    pub(super) picture: Arc<Picture>,
    pub(super) run: Resolved,
}

impl Prepared {
    /// Its network, trained.
    pub(super) fn network(self, fitted: &Fitted) -> Network {
        let Fitted { evaluation, failure, model, .. } = fitted;
        let row = Row {
            psnr: Decibels::of(evaluation.train.psnr()),
            psnr_test: evaluation.psnr_test().and_then(Decibels::of),
            failure: failure.map(|failure| failure.kind()),
            ..self.row
        };
        let values = model.tensors().iter().flat_map(|tensor| tensor.values).copied().collect();
        Network { row, values }
    }
}

/// Why a picture has no network.
fn without(row: Row, error: String) -> Network {
    Network { row: Row { error: Some(error), ..row }, values: Vec::new() }
}

impl Method<'_> {
    /// The device that all are trained on.
    pub(super) fn device(&self) -> DeviceRequest {
        self.config.device.request().with(self.options)
    }

    /// The picture of `source`, which is at `place` in the list, or a row that says why it cannot be used.
    pub(super) fn prepare(&self, source: &Source, place: usize) -> Result<Prepared, Box<Network>> {
        let row = Row { picture: source.name.clone(), label: source.label.clone(), ..Row::default() };
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
        match prepare() {
            Ok((picture, run)) => Ok(Prepared { row, picture: Arc::new(picture), run }),
            Err(error) => Err(Box::new(without(row, with_causes(&error)))),
        }
    }

    /// Trains a network by itself, on `threads` threads. One that diverges has a row that says so. `None` if the observer
    /// asked to stop.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn train(
        &self,
        prepared: Prepared,
        threads: usize,
        observer: &mut impl Observer<Error = TrainError>,
    ) -> Result<Option<Network>> {
        let mut run = prepared.run.clone();
        run.device.threads = threads;
        let fitted = Fit::start(run, Arc::clone(&prepared.picture))?.train(observer)?;
        if let Some(error) = &fitted.diverged {
            return Ok(Some(without(prepared.row, error.to_string())));
        }
        Ok(fitted.outcome.complete.then(|| prepared.network(&fitted)))
    }
}

/// Weights of the encoding, and inputs and outputs of each layer.
pub(super) type Shape = (usize, Vec<(usize, usize)>);

pub(super) fn shape(model: &Model) -> Shape {
    let layers = model.network.layers().map(|layer| (layer.input_width, layer.output_width));
    (model.encoding.n_params(), layers.collect())
}
