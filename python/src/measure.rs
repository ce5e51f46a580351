//! A model beside a picture.

use crate::errors::raise;
use crate::pictures::Source;
use afterimage::backend::open_predictor;
use afterimage::block_on;
use afterimage::job::DeviceRequest;
use afterimage::model::{Holdout, PixelFilter, SampleSet};
use afterimage::model_file::ModelFile;
use afterimage::picture::{self, Depth, Loaded, Picture, Reading, ssim_visible};
use afterimage::render::{Measurement, RenderError, Samples, Size, View, measure};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `source`, prepared as the picture that `model` was trained on was.
pub(crate) fn prepared(source: Source, model: &ModelFile) -> PyResult<Picture> {
    let Loaded { picture, .. } = source.load(Reading { page: None, color: model.color() }).map_err(raise)?;
    // Formats without grey hold three equal colours.
    let picture = if model.channels() < 3 { picture.grey_if_equal() } else { picture };
    let (size, found) = (model.size(), Size { width: picture.width, height: picture.height });
    let was_resized = model.setting("picture", "size").is_some_and(|text| text == size.to_string());
    let mut picture = match size == found {
        false if was_resized => picture::resize(&picture, size.width, size.height),
        _ => picture,
    };
    let found = Size { width: picture.width, height: picture.height };
    let kind = |channels: usize, linear: bool| {
        format!("{channels} channel(s){}", if linear { " in linear light" } else { "" })
    };
    let (of_model, of_picture) =
        (kind(model.channels(), model.depth == Depth::F32), kind(picture.channels, picture.is_hdr()));
    if size != found || of_model != of_picture {
        return Err(PyValueError::new_err(format!(
            "the picture has {found} pixels and {of_picture}, and the model {size} and {of_model}: give the picture it was trained on"
        )));
    }
    model.transparent().apply(&mut picture);
    Ok(picture)
}

/// Measures `model` against `picture`, which fits it. `go_on` is asked between bands.
pub(crate) fn measured(
    model: &ModelFile,
    picture: &Picture,
    request: &DeviceRequest,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Measurement, RenderError> {
    let view = View::new(model.size(), None, Samples::Auto)?;
    let params = model.params_for(&view, PixelFilter::Box);
    let mut device = block_on(open_predictor(request, &model.model, &params))?;
    let samples =
        SampleSet { width: model.width, height: model.height, holdout: Holdout::None, masked: None };
    let grid = model.grid(&view);
    let predictor = device.predictor.as_mut();
    let hidden = model.transparent();
    block_on(measure(predictor, (&grid, model.transfer), (picture, hidden), samples, go_on))
}

/// SSIM of what was measured.
pub(crate) fn ssim_of(model: &ModelFile, measured: &Measurement, picture: &Picture) -> f64 {
    ssim_visible(&measured.prediction, picture, picture.hidden(model.transparent()))
}
