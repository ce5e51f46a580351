//! Compares the network's whole picture with the original.

use super::{TrainError, Trainer};
use crate::backend::{BackendError, Predict};
use crate::config::Resolved;
use crate::model::{Importance, Sampling};
use crate::picture::{Hidden, Picture, PictureBuilder, SquaredError};
use rayon::prelude::*;

mod truth;

pub(super) use truth::Truth;

/// Pixels predicted at a time.
const TILE_PIXELS: usize = 1 << 18;
/// Pixels that one thread compares.
const PART_PIXELS: usize = 1 << 14;

/// The error of a whole picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Over the training split, relative to the picture's peak.
    pub train: SquaredError,
    /// Over the test split.
    pub test: SquaredError,
    /// The training split, channel by channel, of the values that are trained on.
    pub channels: Vec<ChannelFit>,
    /// Mean squared errors of the blocks of [`Importance`], with `--sampling error`.
    pub block_errors: Vec<f64>,
    /// The brightest pixels of the training split, if the picture is in linear light.
    pub highlights: Highlights,
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

/// Values above half the peak, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Highlights {
    truth: f64,
    prediction: f64,
}

impl Highlights {
    #[inline]
    fn add(&mut self, prediction: f32, truth: f32, peak: f64) {
        if f64::from(truth) > peak / 2.0 {
            self.truth += f64::from(truth);
            self.prediction += f64::from(prediction);
        }
    }

    /// The share of their light that the network keeps, if less than half.
    pub fn lost(self) -> Option<f64> {
        let kept = self.prediction / self.truth;
        (kept < 0.5).then_some(kept.max(0.0))
    }
}

impl std::ops::AddAssign for Highlights {
    fn add_assign(&mut self, other: Self) {
        self.truth += other.truth;
        self.prediction += other.prediction;
    }
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

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
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

    fn merge(&mut self, other: &Self) {
        self.error.merge(other.error);
        self.truth.merge(other.truth);
        self.prediction.merge(other.prediction);
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
        let Picture { width, height, channels, .. } = *picture;
        let raster = &run.raster;
        let mut builder = keep_picture.then(|| PictureBuilder::new(width, height, channels, picture.depth()));
        let mut tally = Tally::new(run, picture);
        let mut decoded = Vec::new();
        let mut out = vec![0.0; TILE_PIXELS.min(raster.n_pixels() as usize) * channels];
        let mut first_pixel = 0;
        while first_pixel < raster.n_pixels() {
            if stop() {
                return Ok(None);
            }
            let n = TILE_PIXELS.min((raster.n_pixels() - first_pixel) as usize);
            let out = &mut out[..n * channels];
            network.predict(raster, first_pixel, out).await?;
            let mut colors: &[f32] = out;
            if picture.is_hdr() {
                decoded.clear();
                decoded.extend_from_slice(out);
                run.transfer.decode_pixels(&mut decoded, channels);
                colors = &decoded;
            }
            tally.add_pixels(first_pixel, out, colors);
            if let Some(builder) = &mut builder {
                builder.push(colors);
            }
            first_pixel += n as u64;
        }
        Ok(Some(Self { picture: builder.map(PictureBuilder::finish), ..tally.finish() }))
    }
}

/// The evaluation of no pixels.
fn none(picture: &Picture) -> Evaluation {
    Evaluation { channels: vec![ChannelFit::default(); picture.channels], ..Evaluation::default() }
}

/// An evaluation in progress.
struct Tally<'a> {
    run: &'a Resolved,
    picture: &'a Picture,
    /// The peaks of a picture in linear light, which is trained on in another form than it is measured in.
    peaks: Option<[f64; 4]>,
    /// Pixels whose colours are not measured.
    hidden: Option<Hidden<'a>>,
    blocks: Option<Vec<SquaredError>>,
    evaluation: Evaluation,
}

impl<'a> Tally<'a> {
    fn new(run: &'a Resolved, picture: &'a Picture) -> Self {
        let by_error = run.options.sampling == Sampling::Error;
        let blocks = by_error.then(|| vec![SquaredError::default(); Importance::n_blocks(run.samples)]);
        let evaluation = none(picture);
        let hidden = picture.hidden(run.transparent());
        Self { run, picture, peaks: picture.is_hdr().then(|| picture.peaks()), hidden, blocks, evaluation }
    }

    /// Adds pixels from number `first` on: the network's values, and the picture's. Parts are summed in order, so that
    /// the sums are the same for any number of threads.
    fn add_pixels(&mut self, first: u64, values: &[f32], colors: &[f32]) {
        if self.blocks.is_some() {
            self.add_part(first, values, colors);
            return;
        }
        let length = PART_PIXELS * self.picture.channels;
        let parts = values.par_chunks(length).zip(colors.par_chunks(length)).enumerate();
        let compare = |(index, (values, colors))| {
            let mut part = Tally { blocks: None, evaluation: none(self.picture), ..*self };
            part.add_part(first + (index * PART_PIXELS) as u64, values, colors);
            part.evaluation
        };
        let parts: Vec<Evaluation> = parts.map(compare).collect();
        parts.iter().for_each(|part| self.merge(part));
    }

    fn merge(&mut self, part: &Evaluation) {
        let sums = &mut self.evaluation;
        sums.train.merge(part.train);
        sums.test.merge(part.test);
        sums.highlights += part.highlights;
        sums.channels.iter_mut().zip(&part.channels).for_each(|(sum, part)| sum.merge(part));
    }

    fn add_part(&mut self, first: u64, values: &[f32], colors: &[f32]) {
        let (channels, width) = (self.picture.channels, u64::from(self.run.raster.width));
        let mask = self.run.options.mask.as_deref();
        let pixels = values.chunks_exact(channels).zip(colors.chunks_exact(channels));
        for (pixel, (values, colors)) in (first..).zip(pixels) {
            if mask.is_none_or(|mask| mask.contains(pixel)) {
                self.add_pixel(pixel, ((pixel % width) as u32, (pixel / width) as u32), values, colors);
            }
        }
    }

    fn add_pixel(&mut self, pixel: u64, (x, y): (u32, u32), values: &[f32], colors: &[f32]) {
        let (samples, picture, evaluation) = (self.run.samples, self.picture, &mut self.evaluation);
        // A pixel may belong to both.
        let (trained, tested) = (samples.in_training_split(x, y), samples.in_test_split(x, y));
        let truth = |c: usize| picture.pixels.value(pixel as usize * picture.channels + c);
        let is_hidden = self.hidden.is_some_and(|hidden| hidden.contains(pixel as usize));
        let n_hidden = if is_hidden { picture.color_channels() } else { 0 };
        // Of the values that are trained on.
        let mut error = SquaredError::default();
        for (c, &value) in values.iter().enumerate().skip(n_hidden) {
            let value = picture.in_range(value);
            let is_encoded = self.peaks.is_some() && c < picture.color_channels();
            let truth = if is_encoded { self.run.transfer.encode(truth(c)) } else { truth(c) };
            error.add_value(value, truth);
            if trained {
                evaluation.channels[c].add(value, truth);
            }
        }
        if let Some(blocks) = self.blocks.as_mut().filter(|_| trained) {
            blocks[Importance::block_of(samples, x, y)].merge(error);
        }
        if let Some(peaks) = &self.peaks {
            error = SquaredError::default();
            for (c, &color) in colors.iter().enumerate().skip(n_hidden) {
                error.add_value_of(color, truth(c), peaks[c]);
                if trained && c < picture.color_channels() {
                    evaluation.highlights.add(color, truth(c), peaks[c]);
                }
            }
            if trained {
                evaluation.train.merge(error);
            }
        }
        if tested {
            evaluation.test.merge(error);
        }
    }

    fn finish(self) -> Evaluation {
        let mut evaluation = self.evaluation;
        if self.peaks.is_none() {
            evaluation.channels.iter().for_each(|channel| evaluation.train.merge(channel.error));
        }
        evaluation.block_errors = self.blocks.iter().flatten().map(|error| error.mse()).collect();
        evaluation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use crate::config::Config;
    use crate::model::Raster;
    use crate::picture::Pixels;
    use async_trait::async_trait;

    fn predicted(value: u64) -> f32 {
        (value % 251) as f32 / 250.0
    }

    struct Ramp;

    #[async_trait(?Send)]
    impl Predict for Ramp {
        async fn predict(&mut self, _: &Raster, first: u64, out: &mut [f32]) -> Result<(), BackendError> {
            out.iter_mut().zip(3 * first..).for_each(|(out, value)| *out = predicted(value));
            Ok(())
        }
    }

    #[test]
    fn each_part_of_a_picture_is_compared_with_its_own_pixels() {
        let (width, height) = (300, 170);
        let n = width * height;
        assert!(3 * PART_PIXELS < n && n < 4 * PART_PIXELS, "three parts and a rest");
        let pixels = Pixels::U8((0..3 * width * height).map(|i| (3 * (i % 83)) as u8).collect());
        let picture = Picture { width: width as u32, height: height as u32, channels: 3, pixels };
        let config = Config::parse("[picture]\nholdout = \"every-other\"").expect("settings");
        let run = config.resolve(&picture, None).expect("settings");
        let measured = block_on(Evaluation::measure(&run, &picture, &mut Ramp, false, &|| false));
        let measured = measured.expect("no device").expect("not stopped");
        let [mut train, mut test] = [SquaredError::default(); 2];
        for pixel in 0..width * height {
            let split = match (pixel % width % 2, pixel / width % 2) {
                (0, 0) => &mut train,
                (1, 1) => &mut test,
                _ => continue,
            };
            let values = 3 * pixel..3 * pixel + 3;
            values.for_each(|i| split.add_value(predicted(i as u64), picture.pixels.value(i)));
        }
        for (measured, all) in [(measured.train, train), (measured.test, test)] {
            // Sums of as many positive terms in another order.
            let tolerance = all.count as f64 * f64::EPSILON * all.sum;
            assert_eq!(measured.count, all.count);
            assert!((measured.sum - all.sum).abs() <= tolerance, "{measured:?} {all:?}");
        }
    }
}
