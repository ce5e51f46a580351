//! Encodings that turn each coordinate into features of its own: [f_0(x), .., f_{n-1}(x), f_0(y), ..].

use crate::model::Arithmetic;

/// An encoding of each axis by itself.
///
/// Its twin in `shaders/per_axis/` has the function `axis_feature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerAxis {
    /// n bins over the unit interval, each with the share it has of a blob around the coordinate:
    /// Mueller et al. 2019, *Neural Importance Sampling*, section 4.3, with the quartic kernel of radius
    /// 1 / n that tiny-cuda-nn has in the Gaussian's place, and joined at its ends as there.
    OneBlob {
        /// n
        n_bins: usize,
    },
    /// n triangle waves from -1 to 1, the k-th with 2^k half periods across the unit interval: Mueller
    /// et al. 2021, *Real-time Neural Radiance Caching for Path Tracing*, section 3.2.
    TriangleWave {
        /// n
        n_octaves: usize,
    },
}

/// The highest of more would be beyond what f32 tells apart in a position.
pub const MAX_OCTAVES: usize = 20;
/// No network reads more.
pub const MAX_BINS: usize = 1 << 15;

impl PerAxis {
    /// The same encoding with another n, from 1 to this.
    pub fn max_features(self) -> usize {
        match self {
            Self::OneBlob { .. } => MAX_BINS,
            Self::TriangleWave { .. } => MAX_OCTAVES,
        }
    }

    /// n, the features of one coordinate.
    pub fn n_features(self) -> usize {
        match self {
            Self::OneBlob { n_bins } => n_bins,
            Self::TriangleWave { n_octaves } => n_octaves,
        }
    }

    /// 2n
    pub fn output_width(self) -> usize {
        2 * self.n_features()
    }

    /// The features of one coordinate.
    #[inline(always)]
    pub fn encode<T: Arithmetic>(self, c: T, features: &mut [T]) {
        match self {
            Self::OneBlob { n_bins } => {
                let v = c * T::of(n_bins as f64);
                for (k, feature) in features.iter_mut().enumerate() {
                    *feature = one_blob(v, k, n_bins);
                }
            }
            Self::TriangleWave { .. } => {
                // The first has half a period.
                let mut periods = T::of(0.5);
                for feature in features {
                    *feature = T::one() - T::of(4.0) * (c * periods).distance_to_integer();
                    periods = periods + periods;
                }
            }
        }
    }
}

/// What lies in bin k of n of a blob around v, the coordinate in bins, and of its images n bins away.
#[inline(always)]
fn one_blob<T: Arithmetic>(v: T, k: usize, n_bins: usize) -> T {
    let left = T::of(k as f64) - v;
    let images = [-1.0, 0.0, 1.0].map(|image| {
        let left = left + T::of(image * n_bins as f64);
        quartic_cdf(left + T::one()) - quartic_cdf(left)
    });
    images[0] + images[1] + images[2]
}

/// The integral up to u of the quartic kernel 15/16 (1 - u^2)^2, which is 0 beyond [-1, 1].
#[inline(always)]
fn quartic_cdf<T: Arithmetic>(u: T) -> T {
    let u = (T::one() - u).if_positive(u, T::one());
    let u = (u + T::one()).if_positive(u, -T::one());
    let s = u * u;
    T::of(0.5) + u * (T::of(15.0 / 16.0) + s * (T::of(-5.0 / 8.0) + s * T::of(3.0 / 16.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(encoding: PerAxis, c: f64) -> Vec<f64> {
        let mut features = vec![0.0; encoding.n_features()];
        encoding.encode(c, &mut features);
        features
    }

    #[test]
    fn a_blob_is_shared_among_bins_and_goes_round() {
        // In the middle of a bin the kernel reaches half a bin to each side: 15/16 (1/2 - 1/12 + 1/160) each way.
        let within = 2.0 * 15.0 / 16.0 * (0.5 - 2.0 / 3.0 * 0.125 + 0.2 / 32.0);
        let features = encode(PerAxis::OneBlob { n_bins: 8 }, 3.5 / 8.0);
        assert!((features[3] - within).abs() < 1e-15);
        assert!((features[2] - (1.0 - within) / 2.0).abs() < 1e-15 && features[2] == features[4]);
        assert!([0, 1, 5, 6, 7].iter().all(|&k| features[k] == 0.0));
        // At the border, half lies in the last bin.
        let features = encode(PerAxis::OneBlob { n_bins: 8 }, 0.0);
        assert_eq!((features[0], features[7]), (0.5, 0.5));
        for n_bins in [1, 2, 3, 16, 64] {
            for c in [0.0, 0.013, 0.5, 0.77, 1.0] {
                let sum: f64 = encode(PerAxis::OneBlob { n_bins }, c).iter().sum();
                assert!((sum - 1.0).abs() < 1e-13, "{n_bins} bins at {c}: {sum}");
            }
        }
    }

    #[test]
    fn waves_are_triangles_of_doubling_frequency() {
        let waves = |c: f64| encode(PerAxis::TriangleWave { n_octaves: 3 }, c);
        assert_eq!(waves(0.0), [1.0, 1.0, 1.0]);
        assert_eq!(waves(1.0), [-1.0, 1.0, 1.0]);
        assert_eq!(waves(0.25), [0.5, 0.0, -1.0]);
        assert_eq!(waves(0.375), [0.25, -0.5, 0.0]);
    }
}
