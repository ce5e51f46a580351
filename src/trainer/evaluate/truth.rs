//! Evaluations from errors that the device has summed.

use super::{ChannelFit, Evaluation, Moments, TILE_PIXELS, Tally};
use crate::backend::ChannelErrors;
use crate::config::Resolved;
use crate::model::Sampling;
use crate::picture::{Picture, SquaredError};
use crate::trainer::{TrainError, Trainer};

impl Trainer<'_> {
    /// The evaluation without a picture, by sums that the device itself has made; `None` if it cannot, or if more is
    /// asked for than sums of every pixel.
    pub(in crate::trainer) async fn evaluate_on_device(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let (run, picture) = (self.run, self.picture);
        let is_plain =
            run.options.sampling == Sampling::Uniform && picture.hidden(run.transparent()).is_none();
        if !is_plain || !self.backend.sums_errors() {
            return Ok(None);
        }
        let truth = self.truth.get_or_insert_with(|| Truth::of(run, picture));
        let about = std::array::from_fn(|c| truth.0.channels.get(c).map_or(0.0, |fit| fit.mean() as f32));
        match self.backend.errors(about).await {
            Ok(errors) => Ok(Some(truth.evaluation(about, &errors))),
            // Its kernel is not sound, which costs nothing but time.
            Err(_) if !self.backend.sums_errors() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The evaluation of the picture itself: what is there to compare, without errors.
#[derive(Debug)]
pub(in crate::trainer) struct Truth(Evaluation);

impl Truth {
    fn of(run: &Resolved, picture: &Picture) -> Self {
        let mut tally = Tally::new(run, picture);
        let n_values = picture.n_pixels() as usize * picture.channels;
        let mut values = Vec::new();
        for first in (0..n_values).step_by(TILE_PIXELS * picture.channels) {
            let end = n_values.min(first + TILE_PIXELS * picture.channels);
            values.clear();
            values.extend((first..end).map(|index| picture.pixels.value(index)));
            tally.add_pixels((first / picture.channels) as u64, &values, &values);
        }
        Self(tally.finish())
    }

    /// The evaluation with these errors, of sums `about` values.
    fn evaluation(&self, about: [f32; 4], errors: &[ChannelErrors]) -> Evaluation {
        let test = SquaredError { sum: errors.iter().map(|errors| errors.test).sum(), ..self.0.test };
        let mut evaluation = Evaluation { test, ..Evaluation::default() };
        for ((truth, errors), about) in self.0.channels.iter().zip(errors).zip(about.map(f64::from)) {
            let error = SquaredError { sum: errors.train, ..truth.error };
            let shift = error.count as f64 * about;
            // The sum of (d + about)^2 for differences d.
            let squares = errors.squares + about * (2.0 * errors.values + shift);
            let prediction = Moments { sum: errors.values + shift, squares };
            evaluation.train.merge(error);
            evaluation.channels.push(ChannelFit { error, prediction, ..*truth });
        }
        evaluation
    }
}
