//! Compares the network's whole picture with the original.

use super::{TrainError, Trainer};
use crate::backend::{BackendError, Predict};
use crate::config::Resolved;
use crate::model::{Importance, Sampling};
use crate::picture::{Picture, PictureBuilder, SquaredError};

/// Pixels predicted at a time.
const TILE_PIXELS: usize = 1 << 18;

/// The error of a whole picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Over the training split.
    pub train: SquaredError,
    /// Over the test split.
    pub test: SquaredError,
    /// The training split, channel by channel.
    pub channels: Vec<ChannelFit>,
    /// Mean squared errors of the blocks of [`Importance`], with `--sampling error`.
    pub block_errors: Vec<f64>,
    /// The picture, if requested.
    pub picture: Option<Picture>,
}

/// One channel of the training split: the error, and the variances of picture and prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelFit {
    error: SquaredError,
    truth: Moments,
    prediction: Moments,
}

/// Sums of values and of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moments {
    sum: f64,
    squares: f64,
}

impl Moments {
    #[inline]
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.squares += f64::from(value) * f64::from(value);
    }

    fn variance(self, count: u64) -> f64 {
        let count = count.max(1) as f64;
        let mean = self.sum / count;
        self.squares / count - mean * mean
    }
}

/// Below this variance a channel is constant, except for rounding.
const NO_VARIANCE: f64 = 1e-10;

impl ChannelFit {
    #[inline]
    fn add(&mut self, prediction: f32, truth: f32) {
        self.error.add_value(prediction, truth);
        self.truth.add(truth);
        self.prediction.add(prediction);
    }

    /// The mean squared error.
    pub fn mse(&self) -> f64 {
        self.error.mse()
    }

    /// Mean of the picture's values.
    pub fn mean(&self) -> f64 {
        self.truth.sum / self.error.count.max(1) as f64
    }

    /// Variance of the picture's values: the mean squared error of the best flat picture.
    pub fn variance(&self) -> f64 {
        self.truth.variance(self.error.count)
    }

    /// Variance of the network's values.
    pub fn prediction_variance(&self) -> f64 {
        self.prediction.variance(self.error.count)
    }

    /// Whether there is more to learn than a constant.
    pub fn varies(&self) -> bool {
        self.variance() > NO_VARIANCE
    }
}

impl Trainer<'_> {
    /// The network's picture now, and its error.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn evaluate(&mut self, keep_picture: bool) -> Result<Evaluation, TrainError> {
        let evaluation = self.evaluate_unless(keep_picture, &|| false).await?;
        Ok(evaluation.expect("nobody asks it to stop"))
    }

    /// Like [`Trainer::evaluate`]; `None` if `stop` became true before the end.
    pub(super) async fn evaluate_unless(
        &mut self,
        keep_picture: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Evaluation>, TrainError> {
        Ok(Evaluation::measure(self.run, self.picture, self.backend, keep_picture, stop).await?)
    }
}

impl Evaluation {
    /// The share of the picture's variance that the network explains, 1 - MSE / variance; `None` for a picture of one
    /// colour.
    pub fn kept_variance(&self) -> Option<f64> {
        // Colours may be hidden everywhere.
        let measured = || self.channels.iter().filter(|channel| channel.error.count > 0);
        let variance: f64 = measured().map(ChannelFit::variance).sum();
        let mse: f64 = measured().map(ChannelFit::mse).sum();
        self.channels.iter().any(ChannelFit::varies).then(|| 1.0 - mse / variance)
    }

    /// PSNR in dB of the test split, if there is one.
    pub fn psnr_test(&self) -> Option<f64> {
        (self.test.count > 0).then(|| self.test.psnr())
    }

    /// Predicts every pixel of `run` tile by tile and compares it with `picture`, the training picture. `None` if
    /// `stop` became true before the end.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn measure(
        run: &Resolved,
        picture: &Picture,
        network: &mut (impl Predict + ?Sized),
        keep_picture: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, BackendError> {
        let (raster, samples, mask) = (&run.raster, &run.samples, run.options.mask.as_deref());
        let Picture { width, height, channels, .. } = *picture;
        let mut builder = keep_picture.then(|| PictureBuilder::new(width, height, channels, picture.depth()));
        let mut evaluation = Self { channels: vec![ChannelFit::default(); channels], ..Self::default() };
        let by_error = run.options.sampling == Sampling::Error;
        let mut blocks = by_error.then(|| vec![SquaredError::default(); Importance::n_blocks(*samples)]);
        let hidden = picture.hidden(run.transparent());
        let mut out = vec![0.0; TILE_PIXELS.min(raster.n_pixels() as usize) * channels];
        let mut first_pixel = 0;
        while first_pixel < raster.n_pixels() {
            if stop() {
                return Ok(None);
            }
            let n = TILE_PIXELS.min((raster.n_pixels() - first_pixel) as usize);
            let out = &mut out[..n * channels];
            network.predict(raster, first_pixel, out).await?;
            for (i, colour) in out.chunks_exact(channels).enumerate() {
                let pixel = first_pixel + i as u64;
                let (x, y) =
                    ((pixel % u64::from(raster.width)) as u32, (pixel / u64::from(raster.width)) as u32);
                if mask.is_some_and(|mask| !mask.contains(pixel)) {
                    continue;
                }
                // A pixel may belong to both.
                let (trained, tested) = (samples.in_training_split(x, y), samples.in_test_split(x, y));
                let is_hidden = hidden.is_some_and(|hidden| hidden.contains(pixel as usize));
                let first = if is_hidden { picture.color_channels() } else { 0 };
                let mut error = SquaredError::default();
                for (c, &value) in colour.iter().enumerate().skip(first) {
                    let value = picture.in_range(value);
                    let truth = picture.pixels.value(pixel as usize * channels + c);
                    error.add_value(value, truth);
                    if trained {
                        evaluation.channels[c].add(value, truth);
                    }
                }
                if let Some(blocks) = blocks.as_mut().filter(|_| trained) {
                    blocks[Importance::block_of(*samples, x, y)].merge(error);
                }
                if tested {
                    evaluation.test.merge(error);
                }
            }
            if let Some(builder) = &mut builder {
                builder.push(out);
            }
            first_pixel += n as u64;
        }
        evaluation.channels.iter().for_each(|channel| evaluation.train.merge(channel.error));
        evaluation.block_errors = blocks.iter().flatten().map(|error| error.mse()).collect();
        evaluation.picture = builder.map(PictureBuilder::finish);
        Ok(Some(evaluation))
    }
}
