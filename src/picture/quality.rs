//! Differences between pictures: squared error, PSNR and SSIM.

use super::{Hidden, Picture};
use crate::model::loss::psnr;
use rayon::prelude::*;

/// Squared errors summed over values, in f64: relative to the largest value of the picture, which is 1 for integers.
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

    /// Adds one value of a picture whose largest is `peak`.
    #[inline]
    pub fn add_value_of(&mut self, prediction: f32, target: f32, peak: f64) {
        let difference = (f64::from(prediction) - f64::from(target)) / peak;
        self.sum += difference * difference;
        self.count += 1;
    }

    /// Adds one value.
    #[inline]
    pub fn add_value(&mut self, prediction: f32, target: f32) {
        self.add_value_of(prediction, target, 1.0);
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

    /// The error over all stored values of two pictures of the same size, relative to the target's peak.
    pub fn between(prediction: &Picture, target: &Picture) -> Self {
        Self::between_visible(prediction, target, None)
    }

    /// [`Self::between`], without colours that are `hidden` in the target.
    pub fn between_visible(prediction: &Picture, target: &Picture, hidden: Option<Hidden<'_>>) -> Self {
        assert_same_shape(prediction, target);
        let (channels, n_colors) = (target.channels, target.color_channels());
        let (mut error, peaks) = (Self::default(), target.peaks());
        for pixel in 0..target.n_pixels() as usize {
            let first = if hidden.is_some_and(|hidden| hidden.contains(pixel)) { n_colors } else { 0 };
            for (channel, &peak) in peaks.iter().enumerate().take(channels).skip(first) {
                let i = pixel * channels + channel;
                error.add_value_of(prediction.pixels.value(i), target.pixels.value(i), peak);
            }
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
/// Computed for each channel, alpha included, and averaged. In linear light the dynamic range is the peak of `b`, as for
/// PSNR. Along a side shorter than 11 pixels the window is cut to the longest odd length that
/// fits, and its weights are normalised.
///
/// # Panics
/// When the pictures differ in size or channels.
pub fn ssim(a: &Picture, b: &Picture) -> f64 {
    ssim_visible(a, b, None)
}

/// [`ssim`] of a prediction and the truth, without the windows of colours around a pixel whose colour is `hidden` in
/// the truth. The pictures are taken to agree in hidden colours.
///
/// # Panics
/// As [`ssim`], and when something is hidden and the pictures differ in depth.
pub fn ssim_visible(prediction: &Picture, truth: &Picture, hidden: Option<Hidden<'_>>) -> f64 {
    assert_same_shape(prediction, truth);
    let agreeing = hidden.map(|hidden| hidden.agreeing(prediction));
    let (a, b) = (agreeing.as_ref().unwrap_or(prediction), truth);
    let (width, height) = (a.width as usize, a.height as usize);
    let pair = Pair { a, b, hidden, peaks: b.peaks(), across: window(width), down: window(height) };
    let rows = height + 1 - pair.down.len();
    let bands: Vec<(usize, usize)> =
        (0..a.channels).flat_map(|channel| (0..rows).step_by(BAND).map(move |row| (channel, row))).collect();
    // Added in order, so that the result does not depend on the number of threads.
    let sums: Vec<(f64, usize)> =
        bands.par_iter().map(|&(channel, row)| pair.band_sum(channel, row..(row + BAND).min(rows))).collect();
    let (sum, n) = sums.iter().fold((0.0, 0), |(sum, n), band| (sum + band.0, n + band.1));
    sum / n as f64
}

struct Pair<'a> {
    a: &'a Picture,
    b: &'a Picture,
    hidden: Option<Hidden<'a>>,
    peaks: [f64; 4],
    across: Vec<f64>,
    down: Vec<f64>,
}

/// Weighted sums of a, b, a^2, b^2 and ab.
type Moments = [f64; 5];

impl Pair<'_> {
    /// The sum of SSIM over the windows that start at `rows`, and the number of windows.
    fn band_sum(&self, channel: usize, rows: std::ops::Range<usize>) -> (f64, usize) {
        let filtered: Vec<Vec<Moments>> =
            (rows.start..rows.end + self.down.len() - 1).map(|y| self.filter_row(channel, y)).collect();
        let hidden = self.hidden.filter(|_| channel < self.a.color_channels());
        let (width, middle) = (self.a.width as usize, (self.across.len() / 2, self.down.len() / 2));
        let (mut sum, mut n) = (0.0, 0);
        for (y, rows) in (rows.start..).zip(filtered.windows(self.down.len())) {
            for x in 0..rows[0].len() {
                if hidden.is_some_and(|hidden| hidden.contains((y + middle.1) * width + x + middle.0)) {
                    continue;
                }
                sum += similarity(&weighted_sum(rows.iter().map(|row| &row[x]), &self.down));
                n += 1;
            }
        }
        (sum, n)
    }

    /// Row `y`, filtered horizontally.
    fn filter_row(&self, channel: usize, y: usize) -> Vec<Moments> {
        let width = self.a.width as usize;
        let products = |x: usize| {
            let at = (y * width + x) * self.a.channels + channel;
            let value = |picture: &Picture| f64::from(picture.pixels.value(at)) / self.peaks[channel];
            let (a, b) = (value(self.a), value(self.b));
            [a, b, a * a, b * b, a * b]
        };
        let row: Vec<Moments> = (0..width).map(products).collect();
        let windows = row.windows(self.across.len());
        windows.map(|values| weighted_sum(values.iter(), &self.across)).collect()
    }
}

#[inline(always)]
fn weighted_sum<'a>(values: impl Iterator<Item = &'a Moments>, weights: &[f64]) -> Moments {
    let mut sums = [0.0; 5];
    for (value, weight) in values.zip(weights) {
        sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
    }
    sums
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
    fn hidden_colours_are_not_compared() {
        use crate::picture::Transparent;
        // Alpha is 0 in the left half, where only the colours differ.
        let picture = |inside: u8| {
            let pixel = |i: usize| if i % 40 < 20 { [inside, 0] } else { [(i % 40 * 5) as u8, 255] };
            Picture { channels: 2, ..grey(40, 30, (0..1200).flat_map(pixel).collect()) }
        };
        let (truth, other) = (picture(90), picture(10));
        let hidden = truth.hidden(Transparent::Fill);
        let error = SquaredError::between_visible(&other, &truth, hidden);
        assert_eq!(error, SquaredError { sum: 0.0, count: 1200 + 600 });
        assert_eq!(ssim_visible(&other, &truth, hidden), 1.0);
        assert!(truth.hidden(Transparent::Keep).is_none() && ssim(&other, &truth) < 0.9);
        // Alpha is compared everywhere, and so are colours that are seen.
        let mut wrong = truth.clone();
        let Pixels::U8(values) = &mut wrong.pixels else { unreachable!() };
        (values[2 * 5 + 1], values[2 * 35]) = (255, 0);
        let error = SquaredError::between_visible(&wrong, &truth, hidden);
        assert!((error.sum - (1.0 + (175.0f64 / 255.0).powi(2))).abs() < 1e-6, "{error:?}");
        assert!(ssim_visible(&wrong, &truth, hidden) < 1.0);
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
