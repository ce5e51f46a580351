//! Evaluations from errors that the device has summed.

use super::{ChannelFit, Evaluation, Moments};
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
        let about = std::array::from_fn(|c| truth.channels.get(c).map_or(0.0, |fit| fit.mean() as f32));
        match self.backend.errors(about).await {
            Ok(errors) => Ok(Some(truth.evaluation(about, &errors))),
            // Its kernel is not sound, which costs nothing but time.
            Err(_) if !self.backend.sums_errors() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What an evaluation knows of the picture alone.
#[derive(Debug)]
pub(in crate::trainer) struct Truth {
    /// The training split without errors.
    channels: Vec<ChannelFit>,
    /// Pixels of the test split.
    n_tested: u64,
}

impl Truth {
    fn of(run: &Resolved, picture: &Picture) -> Self {
        let mut truth = Self { channels: vec![ChannelFit::default(); picture.channels], n_tested: 0 };
        for pixel in 0..picture.n_pixels() {
            let (x, y) =
                ((pixel % u64::from(picture.width)) as u32, (pixel / u64::from(picture.width)) as u32);
            truth.n_tested += u64::from(run.samples.in_test_split(x, y));
            if run.samples.in_training_split(x, y) {
                for (c, fit) in truth.channels.iter_mut().enumerate() {
                    let value = picture.pixels.value(pixel as usize * picture.channels + c);
                    fit.add(value, value);
                }
            }
        }
        truth
    }

    /// The evaluation with these errors, of sums `about` values.
    fn evaluation(&self, about: [f32; 4], errors: &[ChannelErrors]) -> Evaluation {
        let mut evaluation = Evaluation::default();
        for ((truth, errors), about) in self.channels.iter().zip(errors).zip(about.map(f64::from)) {
            let count = truth.error.count;
            let sum = errors.values + count as f64 * about;
            // The sum of (d + about)^2 for differences d.
            let squares = errors.squares + about * (2.0 * errors.values + count as f64 * about);
            let prediction = Moments { sum, squares };
            let error = SquaredError { sum: errors.train, count };
            evaluation.train.merge(error);
            evaluation.test.merge(SquaredError { sum: errors.test, count: self.n_tested });
            evaluation.channels.push(ChannelFit { error, truth: truth.truth, prediction });
        }
        evaluation
    }
}
