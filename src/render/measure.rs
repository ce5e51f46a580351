//! Error of a model against a picture, measured on predictions before rounding.

use super::{Grid, RenderError, Size, Watch, for_each_band};
use crate::backend::Predict;
use crate::model::SampleSet;
use crate::picture::{Picture, PictureBuilder, SquaredError, Transfer, Transparent};

/// The largest error of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MaxError {
    /// |p - t|, relative to the picture's peak.
    pub value: f64,
    /// Column of its pixel.
    pub x: u32,
    /// Row of its pixel.
    pub y: u32,
}

/// A model compared with a picture.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Over all pixels, of the predicted values clamped to the picture's range.
    pub all: SquaredError,
    /// Over the training pixels.
    pub train: SquaredError,
    /// Over the test split, if there is one.
    pub test: SquaredError,
    /// The largest error.
    pub max: MaxError,
    /// The prediction, rounded to the picture's depth.
    pub prediction: Picture,
}

/// Predicts `grid` and compares it with `target`, which has the same size. Values are compared as
/// stored, sRGB-encoded or linear for HDR, relative to the peak of `target`. `samples` has the training and test pixels.
/// Colours that are hidden in `target` are left out if `transparent` says so.
///
/// # Errors
/// When the device fails or `watch` returned false.
///
/// # Panics
/// When the sizes differ.
pub async fn measure(
    predictor: &mut dyn Predict,
    (grid, transfer): (&Grid, Transfer),
    (target, transparent): (&Picture, Transparent),
    samples: SampleSet,
    watch: Watch<'_>,
) -> Result<Measurement, RenderError> {
    assert_eq!(grid.size(), Size { width: target.width, height: target.height }, "sizes to compare");
    let (channels, width) = (target.channels, u64::from(target.width));
    let mut builder = PictureBuilder::new(target.width, target.height, channels, target.depth());
    let (mut train, mut test, mut all) = Default::default();
    let hidden = target.hidden(transparent);
    let (mut max, mut first, mut stopped) = (MaxError::default(), 0, false);
    let peaks = target.peaks();
    for_each_band(predictor, (grid, transfer), (channels, target.depth()), |band, done| {
        for (pixel, values) in (first..).zip(band.chunks_exact(channels)) {
            let (x, y) = ((pixel % width) as u32, (pixel / width) as u32);
            let is_hidden = hidden.is_some_and(|hidden| hidden.contains(pixel as usize));
            let left_out = if is_hidden { target.color_channels() } else { 0 };
            let mut error = SquaredError::default();
            for (c, &p) in values.iter().enumerate().skip(left_out) {
                let p = target.in_range(p);
                let t = target.pixels.value(pixel as usize * channels + c);
                error.add_value_of(p, t, peaks[c]);
                let value = (f64::from(p) - f64::from(t)).abs() / peaks[c];
                if value > max.value {
                    max = MaxError { value, x, y };
                }
            }
            merge_if(&mut train, error, samples.in_training_split(x, y));
            merge_if(&mut test, error, samples.in_test_split(x, y));
            merge_if(&mut all, error, true);
        }
        builder.push(&band);
        first += (band.len() / channels) as u64;
        stopped = !watch(done);
        !stopped
    })
    .await?;
    if stopped {
        return Err(RenderError::Stopped);
    }
    Ok(Measurement { all, train, test, max, prediction: builder.finish() })
}

fn merge_if(sum: &mut SquaredError, error: SquaredError, belongs: bool) {
    if belongs {
        sum.merge(error);
    }
}
