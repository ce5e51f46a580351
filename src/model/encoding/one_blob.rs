//! Bins along each axis.

use super::{Encoding, Formula, Pointwise};
use crate::model::Arithmetic;

/// [f_0(x), .., f_{n-1}(x), f_0(y), .., f_{n-1}(y)]: n bins over the unit interval, each with its part of a blob
/// around the coordinate. Mueller et al. 2019, *Neural Importance Sampling*, section 4.3, with the quartic kernel of
/// radius 1 / n that tiny-cuda-nn uses instead of the Gaussian, wrapped around at the ends as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneBlob {
    /// n
    pub bins: usize,
}

/// The maximum input width of a network.
pub const MAX_BINS: usize = 1 << 15;

pub(super) fn encoding(bins: usize, _seed: u64) -> Encoding {
    Encoding::Pointwise(Pointwise::OneBlob(OneBlob { bins }))
}

impl Formula for OneBlob {
    fn with_units(bins: usize) -> Self {
        Self { bins }
    }

    fn n_units(&self) -> usize {
        self.bins
    }

    fn max_units(&self) -> usize {
        MAX_BINS
    }

    fn operations(&self) -> f64 {
        60.0
    }

    fn describe(&self) -> String {
        format!("one-blob, {} bins along each axis", self.bins)
    }

    #[inline(always)]
    fn encode<T: Arithmetic>(&self, c: [T; 2], features: &mut [T]) {
        for (c, features) in c.into_iter().zip(features.chunks_exact_mut(self.bins)) {
            let v = c * T::of(self.bins as f64);
            for (k, feature) in features.iter_mut().enumerate() {
                *feature = share(v, k, self.bins);
            }
        }
    }
}

/// The part in bin k of n of a blob around v, the coordinate in bins, and of its images n bins away.
#[inline(always)]
fn share<T: Arithmetic>(v: T, k: usize, n_bins: usize) -> T {
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

    fn encode(bins: usize, c: f64) -> Vec<f64> {
        let mut features = vec![0.0; 2 * bins];
        OneBlob { bins }.encode([c, 0.3], &mut features);
        features[..bins].to_vec()
    }

    #[test]
    fn a_blob_is_shared_among_bins_and_goes_round() {
        // In the middle of a bin the kernel reaches half a bin to each side: 15/16 (1/2 - 1/12 + 1/160) each way.
        let within = 2.0 * 15.0 / 16.0 * (0.5 - 2.0 / 3.0 * 0.125 + 0.2 / 32.0);
        let features = encode(8, 3.5 / 8.0);
        assert!((features[3] - within).abs() < 1e-15);
        assert!((features[2] - (1.0 - within) / 2.0).abs() < 1e-15 && features[2] == features[4]);
        assert!([0, 1, 5, 6, 7].iter().all(|&k| features[k] == 0.0));
        // At the border, half lies in the last bin.
        let features = encode(8, 0.0);
        assert_eq!((features[0], features[7]), (0.5, 0.5));
        for bins in [1, 2, 3, 16, 64] {
            for c in [0.0, 0.013, 0.5, 0.77, 1.0] {
                let sum: f64 = encode(bins, c).iter().sum();
                assert!((sum - 1.0).abs() < 1e-13, "{bins} bins at {c}: {sum}");
            }
        }
    }
}
