//! Differences between pictures: squared error, PSNR and SSIM.

use super::Picture;
use crate::model::loss::psnr;
use rayon::prelude::*;

/// Squared errors summed over values with peak 1, in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredError {
    /// Sum of (p - t)^2.
    pub sum: f64,
    /// Number of values summed.
    pub count: u64,
}

impl SquaredError {
    /// Adds the errors of `prediction` against `target`, which have the same length.
    pub fn add(&mut self, prediction: &[f32], target: &[f32]) {
        assert_eq!(prediction.len(), target.len(), "values to compare");
        for (&p, &t) in prediction.iter().zip(target) {
            self.add_value(p, t);
        }
    }

    /// Adds one value.
    #[inline]
    pub fn add_value(&mut self, prediction: f32, target: f32) {
        let difference = f64::from(prediction) - f64::from(target);
        self.sum += difference * difference;
        self.count += 1;
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// The mean; NaN without values.
    pub fn mse(self) -> f64 {
        self.sum / self.count as f64
    }

    /// Peak signal-to-noise ratio in dB, -10 log10(MSE); infinite for equal values.
    pub fn psnr(self) -> f64 {
        psnr(self.mse())
    }

    /// The error over all stored values of two pictures of the same size.
    pub fn between(prediction: &Picture, target: &Picture) -> Self {
        assert_same_shape(prediction, target);
        let mut error = Self::default();
        for i in 0..target.pixels.len() {
            error.add_value(prediction.pixels.value(i), target.pixels.value(i));
        }
        error
    }
}

/// Side of the window of [`ssim`].
const WINDOW: usize = 11;
/// Standard deviation of the window in pixels.
const SIGMA: f64 = 1.5;
/// (K1 L)^2 and (K2 L)^2 with K1 = 0.01, K2 = 0.03 and L = 1.
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;
/// Output rows per thread at a time.
const BAND: usize = 64;

/// Structural similarity of two pictures of the same size, in [-1, 1]: Wang et al. 2004, equation 13
/// averaged as in equation 17, with their 11x11 Gaussian window (sigma 1.5), K1 = 0.01,
/// K2 = 0.03, dynamic range 1, over all windows fully inside the picture.
///
/// Computed for each channel, alpha included, and averaged. HDR pictures are compared as a screen
/// shows them. Along a side shorter than 11 pixels the window is cut to the longest odd length that
/// fits, and its weights are normalised.
///
/// # Panics
/// When the pictures differ in size or channels.
pub fn ssim(a: &Picture, b: &Picture) -> f64 {
    assert_same_shape(a, b);
    let (width, height) = (a.width as usize, a.height as usize);
    let pair = Pair { a, b, across: window(width), down: window(height) };
    let columns = width + 1 - pair.across.len();
    let rows = height + 1 - pair.down.len();
    let bands: Vec<(usize, usize)> =
        (0..a.channels).flat_map(|channel| (0..rows).step_by(BAND).map(move |row| (channel, row))).collect();
    // Added in order, so that the result does not depend on the number of threads.
    let sums: Vec<f64> =
        bands.par_iter().map(|&(channel, row)| pair.band_sum(channel, row..(row + BAND).min(rows))).collect();
    sums.iter().sum::<f64>() / (columns * rows * a.channels) as f64
}

struct Pair<'a> {
    a: &'a Picture,
    b: &'a Picture,
    across: Vec<f64>,
    down: Vec<f64>,
}

/// Weighted sums of a, b, a^2, b^2 and ab.
type Moments = [f64; 5];

impl Pair<'_> {
    /// The sum of SSIM over the windows that start at `rows`.
    fn band_sum(&self, channel: usize, rows: std::ops::Range<usize>) -> f64 {
        let filtered: Vec<Vec<Moments>> =
            (rows.start..rows.end + self.down.len() - 1).map(|y| self.filter_row(channel, y)).collect();
        let mut sum = 0.0;
        for rows in filtered.windows(self.down.len()) {
            for x in 0..rows[0].len() {
                let mut moments = [0.0; 5];
                for (row, weight) in rows.iter().zip(&self.down) {
                    add_scaled(&mut moments, &row[x], *weight);
                }
                sum += similarity(&moments);
            }
        }
        sum
    }

    /// Row `y`, filtered horizontally.
    fn filter_row(&self, channel: usize, y: usize) -> Vec<Moments> {
        let width = self.a.width as usize;
        let products = |x: usize| {
            let at = (y * width + x) * self.a.channels + channel;
            let (a, b) = (f64::from(self.a.display_value(at)), f64::from(self.b.display_value(at)));
            [a, b, a * a, b * b, a * b]
        };
        let row: Vec<Moments> = (0..width).map(products).collect();
        let filter = |values: &[Moments]| {
            let mut moments = [0.0; 5];
            for (value, weight) in values.iter().zip(&self.across) {
                add_scaled(&mut moments, value, *weight);
            }
            moments
        };
        row.windows(self.across.len()).map(filter).collect()
    }
}

#[inline(always)]
fn add_scaled(sum: &mut Moments, value: &Moments, weight: f64) {
    for (sum, value) in sum.iter_mut().zip(value) {
        *sum += weight * value;
    }
}

/// Wang et al. 2004, equation 13.
fn similarity(&[a, b, aa, bb, ab]: &Moments) -> f64 {
    let (variance_a, variance_b, covariance) = (aa - a * a, bb - b * b, ab - a * b);
    (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (variance_a + variance_b + C2))
}

/// Gaussian weights along a side of `side` pixels.
fn window(side: usize) -> Vec<f64> {
    let fits = if side.is_multiple_of(2) { side - 1 } else { side };
    let length = WINDOW.min(fits);
    let middle = (length / 2) as f64;
    let weight = |i: usize| libm::exp(-(i as f64 - middle).powi(2) / (2.0 * SIGMA * SIGMA));
    let sum: f64 = (0..length).map(weight).sum();
    (0..length).map(|i| weight(i) / sum).collect()
}

fn assert_same_shape(a: &Picture, b: &Picture) {
    let shape = |p: &Picture| (p.width, p.height, p.channels);
    assert_eq!(shape(a), shape(b), "(width, height, channels) of pictures to compare");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn grey(width: u32, height: u32, values: Vec<u8>) -> Picture {
        Picture { width, height, channels: 1, pixels: Pixels::U8(values) }
    }

    #[test]
    fn psnr_of_known_errors() {
        let mut error = SquaredError::default();
        error.add(&[0.5, 0.25], &[0.0, 0.0]);
        assert_eq!(error.mse(), (0.25 + 0.0625) / 2.0);
        error = SquaredError { sum: 3.0, count: 300 };
        assert!((error.psnr() - 20.0).abs() < 1e-12);
        assert_eq!(SquaredError { sum: 0.0, count: 1 }.psnr(), f64::INFINITY);
        error.merge(SquaredError { sum: 1.0, count: 100 });
        assert_eq!(error, SquaredError { sum: 4.0, count: 400 });
    }

    #[test]
    fn ssim_of_constants_is_the_luminance_term() {
        // Without structure equation 13 is (2 a b + C1) / (a^2 + b^2 + C1).
        let (a, b) = (51.0 / 255.0, 204.0 / 255.0);
        let expected = (2.0 * a * b + 0.0001) / (a * a + b * b + 0.0001);
        for (width, height) in [(16, 13), (11, 11), (3, 40), (1, 1), (10, 2)] {
            let n = (width * height) as usize;
            let (dark, light) = (grey(width, height, vec![51; n]), grey(width, height, vec![204; n]));
            let found = ssim(&dark, &light);
            assert!((found - expected).abs() < 1e-6, "{width}x{height}: {found}, not {expected}");
            assert!((ssim(&dark, &dark) - 1.0).abs() < 1e-12);
        }
    }

    /// Values from scikit-image 0.26:
    /// ```python
    /// import numpy as np
    /// from skimage.metrics import structural_similarity as ssim
    /// def pair(w, h, channels):
    ///     i = np.arange(w * h * channels)
    ///     a = (i * i * 7 + i * 13) % 256
    ///     b = (a + (i * 29) % 61) % 256
    ///     shape = (h, w, channels)
    ///     return a.reshape(shape).astype(np.uint8), b.reshape(shape).astype(np.uint8)
    /// for shape in [(24, 17, 1), (11, 40, 3), (70, 90, 4)]:
    ///     a, b = pair(*shape)
    ///     print(shape, ssim(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    ///                       data_range=255, channel_axis=2))
    /// ```
    #[test]
    fn ssim_agrees_with_scikit_image() {
        let golden = [
            (24, 17, 1, 0.301_535_730_101_886_6),
            (11, 40, 3, 0.440_644_383_917_637_6),
            (70, 90, 4, 0.430_722_957_954_070_5),
        ];
        for (width, height, channels, expected) in golden {
            let n = u64::from(width) * u64::from(height) * channels as u64;
            let a: Vec<u8> = (0..n).map(|i| ((i * i * 7 + i * 13) % 256) as u8).collect();
            let b = (0..n).zip(&a).map(|(i, &a)| ((u64::from(a) + (i * 29) % 61) % 256) as u8).collect();
            let picture = |values| Picture { channels, ..grey(width, height, values) };
            let found = ssim(&picture(a), &picture(b));
            // Only this implementation rounds 8-bit values over 255 to f32.
            assert!((found - expected).abs() < 1e-6, "{width}x{height}x{channels}: {found}, not {expected}");
        }
    }

    #[test]
    fn ssim_of_a_single_window_by_hand() {
        // 3x1: the window is cut to three weights e, 1, e over (1 + 2 e), e = exp(-1 / 4.5).
        let e = (-1.0f64 / 4.5).exp();
        let (side, middle) = (e / (1.0 + 2.0 * e), 1.0 / (1.0 + 2.0 * e));
        // a = (0, 1, 0), b = (1, 0, 0)
        let (mean_a, mean_b) = (middle, side);
        let (var_a, var_b) = (middle - middle * middle, side - side * side);
        let covariance = -middle * side;
        let expected = (2.0 * mean_a * mean_b + 1e-4) * (2.0 * covariance + 9e-4)
            / ((mean_a * mean_a + mean_b * mean_b + 1e-4) * (var_a + var_b + 9e-4));
        let found = ssim(&grey(3, 1, vec![0, 255, 0]), &grey(3, 1, vec![255, 0, 0]));
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
}
