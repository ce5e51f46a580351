//! The whole picture as the network sees it, against the truth.

use crate::backend::{BackendError, Predict};
use crate::config::Resolved;
use crate::model::{Importance, Sampling};
use crate::picture::{Picture, PictureBuilder, SquaredError};

/// Pixels predicted at a time.
const TILE_PIXELS: usize = 1 << 18;

/// A whole picture against the truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Over the training split.
    pub train: SquaredError,
    /// Over the test split.
    pub test: SquaredError,
    /// Mean squared errors of the blocks of [`Importance`], where samples are spread by error.
    pub block_errors: Vec<f64>,
    /// The picture, where it was asked for.
    pub picture: Option<Picture>,
}

impl Evaluation {
    /// PSNR in dB of the test split, where there is one.
    pub fn psnr_test(&self) -> Option<f64> {
        (self.test.count > 0).then(|| self.test.psnr())
    }

    /// Predicts every pixel of `run` tile by tile and compares it with `picture`, the training
    /// picture. None when `stop` came true before the end.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(
        run: &Resolved,
        picture: &Picture,
        network: &mut (impl Predict + ?Sized),
        keep_picture: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, BackendError> {
        let (raster, samples, mask) = (&run.raster, &run.samples, run.options.mask.as_deref());
        let Picture { width, height, channels, .. } = *picture;
        let mut builder = keep_picture.then(|| PictureBuilder::new(width, height, channels, picture.depth()));
        let mut evaluation = Self::default();
        let by_error = run.options.sampling == Sampling::Error;
        let mut blocks = by_error.then(|| vec![SquaredError::default(); Importance::n_blocks(*samples)]);
        let mut out = vec![0.0; TILE_PIXELS.min(raster.n_pixels() as usize) * channels];
        let mut first_pixel = 0;
        while first_pixel < raster.n_pixels() {
            if stop() {
                return Ok(None);
            }
            let n = TILE_PIXELS.min((raster.n_pixels() - first_pixel) as usize);
            let out = &mut out[..n * channels];
            network.predict(raster, first_pixel, out)?;
            for (i, colour) in out.chunks_exact(channels).enumerate() {
                let pixel = first_pixel + i as u64;
                let (x, y) =
                    ((pixel % u64::from(raster.width)) as u32, (pixel / u64::from(raster.width)) as u32);
                if mask.is_some_and(|mask| !mask.contains(pixel)) {
                    continue;
                }
                let mut error = SquaredError::default();
                for (c, &value) in colour.iter().enumerate() {
                    error.add_value(value, picture.pixels.value(pixel as usize * channels + c));
                }
                // A pixel may belong to both.
                if samples.in_training_split(x, y) {
                    evaluation.train.merge(error);
                    if let Some(blocks) = &mut blocks {
                        blocks[Importance::block_of(*samples, x, y)].merge(error);
                    }
                }
                if samples.in_test_split(x, y) {
                    evaluation.test.merge(error);
                }
            }
            if let Some(builder) = &mut builder {
                builder.push(out);
            }
            first_pixel += n as u64;
        }
        evaluation.block_errors = blocks.iter().flatten().map(|error| error.mse()).collect();
        evaluation.picture = builder.map(PictureBuilder::finish);
        Ok(Some(evaluation))
    }
}
