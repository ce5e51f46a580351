//! Rendering smaller than trained without aliasing.
//!
//! A pixel of a picture is the mean over its area. Evaluated at the centres of larger pixels than it was trained on,
//! a network would pick single points of detail that such pixels cannot show. So each feature is replaced by its mean
//! over the pixel, as in the integrated positional encoding of Barron et al. 2021 (mip-NeRF, section 3.1): over a
//! pixel of extent d around x the mean of cos(2 pi b x) is H(b d) cos(2 pi b x), and the same for sin, where H is the
//! pixel's frequency response. The gain H does not depend on x, and features only enter the first linear layer, so
//! scaling the columns of its weights is enough and kernels are unaffected.
//!
//! The mean of the features is exact, but a network of mean features is the mean of the network only if it is linear.
//!
//! **What training includes.** The network was trained on pixels of extent s, which are means themselves: it
//! represents the scene filtered by H(b s). A pixel of extent d needs H(b d), so the remaining gain is H(b d) / H(b
//! s). For the box, H(u) = sin(pi u) / (pi u), and with d = k s this is sin(pi k b s) / (k sin(pi b s)), the response
//! of the mean of k training pixels: exactly what scaling down by k x k means. For a Gaussian of the box's variance,
//! d^2 / 12, it is a Gaussian of variance (d^2 - s^2) / 12.
//!
//! Above half a cycle per training pixel the training pixels do not determine a frequency (it aliases to a lower one,
//! and the network is unconstrained between pixels), and H(b s) has zeros there. So beyond that point the division is
//! by H at half a cycle.

use super::Encoding;
use crate::model::Model;
use crate::names::named;
use std::f64::consts::PI;

named! {
    /// How the area of an output pixel is weighted.
    pub enum PixelFilter = Box {
        /// The mean over the pixel's square, like a camera or area averaging
        Box "box",
        /// A Gaussian as wide as the box: softer, without ripples
        Gaussian "gaussian",
        /// The colour at the pixel's centre: aliases when scaling down
        None "none",
    }
}

/// Extents of a pixel in x and y, in units of the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// A pixel of the trained picture.
    pub trained: [f64; 2],
    /// A pixel of the rendered picture.
    pub rendered: [f64; 2],
}

impl PixelFilter {
    /// The gain of a feature of `frequency`, in cycles per unit of the plane. 1 along an axis if the rendered pixel
    /// is no larger than the trained one.
    pub fn gain(self, frequency: [f32; 2], footprint: &Footprint) -> f64 {
        let along = |axis: usize| {
            let (s, d) = (footprint.trained[axis], footprint.rendered[axis]);
            let b = f64::from(frequency[axis]).abs();
            match self {
                _ if d <= s => 1.0,
                Self::None => 1.0,
                Self::Box => sinc(b * d) / sinc((b * s).min(0.5)),
                Self::Gaussian => libm::exp(-PI * PI * b * b * (d * d - s * s) / 6.0),
            }
        };
        along(0) * along(1)
    }
}

/// sin(pi u) / (pi u)
fn sinc(u: f64) -> f64 {
    if u == 0.0 { 1.0 } else { libm::sin(PI * u) / (PI * u) }
}

impl Encoding {
    /// Whether any feature changes.
    fn fades(&self, filter: PixelFilter, footprint: &Footprint) -> bool {
        self.gains(filter, footprint).iter().any(|&gain| gain != 1.0)
    }
}

impl Model {
    /// `params` for rendering pixels of `footprint`: the columns of the first layer's weights
    /// scaled by the gains of their features.
    pub fn attenuate(&self, params: &[f32], filter: PixelFilter, footprint: &Footprint) -> Vec<f32> {
        let mut params = params.to_vec();
        if !self.encoding.fades(filter, footprint) {
            return params;
        }
        let gains = self.encoding.gains(filter, footprint);
        let layout = self.layout();
        let first = &layout.layers[0];
        // w: (out, in), row-major
        for row in params[first.weight.clone()].chunks_exact_mut(first.shape.input_width) {
            for (w, gain) in row.iter_mut().zip(&gains) {
                *w = (f64::from(*w) * gain) as f32;
            }
        }
        params
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::encode::encode;
    use crate::model::EncodingSpec;

    /// Features at (x, y) in f64.
    fn features(encoding: &Encoding, x: f64, y: f64) -> Vec<f64> {
        let mut features = vec![0.0; encoding.output_width()];
        encode(encoding, &[], &[x, y], &mut features);
        features
    }

    /// The mean over a grid of `n` x `n` points in the rectangle of `extent` around (x, y).
    fn mean(encoding: &Encoding, (x, y): (f64, f64), extent: [f64; 2], n: usize) -> Vec<f64> {
        let at = |i: usize, extent: f64| ((i as f64 + 0.5) / n as f64 - 0.5) * extent;
        let mut sum = vec![0.0; encoding.output_width()];
        for i in 0..n * n {
            let point = features(encoding, x + at(i % n, extent[0]), y + at(i / n, extent[1]));
            sum.iter_mut().zip(point).for_each(|(sum, f)| *sum += f / (n * n) as f64);
        }
        sum
    }

    fn gaussian_encoding() -> Encoding {
        Encoding::new(EncodingSpec::Gaussian { features: 12, sigma: 8.0 }, 3)
    }

    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < tolerance, "feature {i}: {found}, not {expected}");
        }
    }

    fn scaled(encoding: &Encoding, filter: PixelFilter, footprint: &Footprint) -> Vec<f64> {
        let gains = encoding.gains(filter, footprint);
        features(encoding, 0.37, 0.61).iter().zip(gains).map(|(f, gain)| f * gain).collect()
    }

    #[test]
    fn box_gains_average_the_features_over_the_pixel() {
        // Trained on points: the whole pixel is still to be averaged.
        let footprint = Footprint { trained: [0.0; 2], rendered: [0.07, 0.02] };
        for encoding in [
            gaussian_encoding(),
            Encoding::new(EncodingSpec::Basic, 0),
            Encoding::new(EncodingSpec::Positional { features: 10, sigma: 5.0 }, 0),
            Encoding::IDENTITY,
        ] {
            let expected = mean(&encoding, (0.37, 0.61), footprint.rendered, 200);
            assert_close(&scaled(&encoding, PixelFilter::Box, &footprint), &expected, 1e-3);
        }
    }

    #[test]
    fn box_gains_are_the_mean_of_whole_training_pixels() {
        // Frequencies up to half a cycle per training pixel: 3 x 5 training pixels to one.
        let s = 1.0 / 64.0;
        let frequencies = vec![[0.0, 0.0], [31.9, -3.0], [-7.5, 30.0], [20.0, 20.0], [64.0 / 3.0, 1.0]];
        let encoding = Encoding::Fourier { frequencies };
        let footprint = Footprint { trained: [s, s], rendered: [3.0 * s, 5.0 * s] };
        let mut expected = vec![0.0; encoding.output_width()];
        for (i, j) in (0..3).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let point = features(&encoding, 0.37 + s * (i as f64 - 1.0), 0.61 + s * (j as f64 - 2.0));
            expected.iter_mut().zip(point).for_each(|(sum, f)| *sum += f / 15.0);
        }
        assert_close(&scaled(&encoding, PixelFilter::Box, &footprint), &expected, 1e-12);
    }

    #[test]
    fn gaussian_gains_average_the_features_under_a_gaussian() {
        let (s, d) = (0.01, 0.05);
        let footprint = Footprint { trained: [s; 2], rendered: [d; 2] };
        let encoding = gaussian_encoding();
        let deviation = ((d * d - s * s) / 12.0f64).sqrt();
        let (n, reach) = (161, 6.0);
        let mut expected = vec![0.0; encoding.output_width()];
        let offsets: Vec<f64> = (0..n).map(|i| reach * (2.0 * i as f64 / (n - 1) as f64 - 1.0)).collect();
        let weight = |z: f64| (-z * z / 2.0).exp();
        let total: f64 = offsets.iter().map(|&z| weight(z)).sum();
        for (&zx, &zy) in offsets.iter().flat_map(|x| offsets.iter().map(move |y| (x, y))) {
            let point = features(&encoding, 0.37 + deviation * zx, 0.61 + deviation * zy);
            let w = weight(zx) * weight(zy) / (total * total);
            expected.iter_mut().zip(point).for_each(|(sum, f)| *sum += w * f);
        }
        assert_close(&scaled(&encoding, PixelFilter::Gaussian, &footprint), &expected, 1e-6);
    }

    #[test]
    fn nothing_fades_on_the_way_up() {
        let footprint = Footprint { trained: [0.1, 0.1], rendered: [0.1, 0.03] };
        for filter in [PixelFilter::Box, PixelFilter::Gaussian, PixelFilter::None] {
            assert!(gaussian_encoding().gains(filter, &footprint).iter().all(|&gain| gain == 1.0));
        }
    }

    #[test]
    fn gains_above_the_training_pixels_never_amplify() {
        let footprint = Footprint { trained: [0.1, 0.1], rendered: [0.1003, 0.17] };
        for i in 0..2000 {
            let b = i as f32 * 0.01;
            for filter in [PixelFilter::Box, PixelFilter::Gaussian] {
                let gain = filter.gain([b, b / 3.0], &footprint);
                assert!(gain.abs() <= 1.0 + 1e-12, "{filter:?} at {b}: {gain}");
            }
        }
    }
}
