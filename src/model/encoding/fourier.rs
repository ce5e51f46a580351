//! Fourier features: one operation with different frequencies B, of shape (m, 2).
//!
//! features = [sin(2 pi B c), cos(2 pi B c)], Tancik et al. 2020, equation 5 with all a_j = 1. The m sines come first, then
//! the m cosines. Frequencies are in cycles per unit of length.

use super::Encoding;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// With more, the highest would be beyond the resolution of f32 positions.
pub const MAX_OCTAVES: usize = 20;

/// The random stream of the encoding; layer n of the network uses stream n.
const STREAM: u64 = u64::MAX;

/// B = identity: one turn across the longer side in x and in y.
pub(super) fn basic(_seed: u64) -> Encoding {
    Encoding::Fourier { frequencies: vec![[1.0, 0.0], [0.0, 1.0]] }
}

/// `m` axis-aligned frequencies 2^t - 1 for t evenly spaced on [0, `log2_max`], alternating x and y, as in the notebooks
/// of Tancik et al. 2020.
pub(super) fn positional(m: usize, log2_max: f32, _seed: u64) -> Encoding {
    let per_axis = m.div_ceil(2);
    let frequency = |i: usize| {
        let t = if per_axis > 1 {
            f64::from(log2_max) * i as f64 / (per_axis - 1) as f64
        } else {
            f64::from(log2_max)
        };
        (libm::exp2(t) - 1.0) as f32
    };
    let row = |j: usize| {
        let f = frequency(j / 2);
        if j.is_multiple_of(2) { [f, 0.0] } else { [0.0, f] }
    };
    Encoding::Fourier { frequencies: (0..m).map(row).collect() }
}

/// `m` frequencies with entries drawn from N(0, sigma^2).
pub(super) fn gaussian(m: usize, sigma: f32, seed: u64) -> Encoding {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut draw = || {
        let z: f64 = StandardNormal.sample(&mut rng);
        (z * f64::from(sigma)) as f32
    };
    Encoding::Fourier { frequencies: (0..m).map(|_| [draw(), draw()]).collect() }
}

/// Axis-aligned frequencies 2^(k-1) for k = 0 .. n-1, along x and along y: half a cycle across the unit of length and
/// its octaves. Mildenhall et al. 2020 (NeRF), equation 4, which counts from -1 to 1; tiny-cuda-nn's `Frequency`.
pub(super) fn octaves(n: usize, _seed: u64) -> Encoding {
    let frequency = |k: usize| libm::exp2f(k as f32 - 1.0);
    let rows = |k: usize| [[frequency(k), 0.0], [0.0, frequency(k)]];
    Encoding::Fourier { frequencies: (0..n).flat_map(rows).collect() }
}
