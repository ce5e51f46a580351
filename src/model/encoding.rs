//! Input encodings: position c = (x, y) to features.
//!
//! All Fourier-type encodings are one operation with different frequencies B, of shape (m, 2):
//! [sin(2 pi B c), cos(2 pi B c)], Tancik et al. 2020, equation 5 with all a_j = 1. The m sines
//! come first, then the m cosines.
//!
//! [`PerAxis`] turns each coordinate into features by itself; the hash grid looks features up instead,
//! see [`HashGrid`].

pub mod attenuation;
pub mod grid;
pub mod parts;
pub mod per_axis;

pub use grid::{GridGradients, GridLevel, GridSpec, HashGrid, Interpolation};
pub use per_axis::PerAxis;

use attenuation::{Footprint, PixelFilter};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// An encoding as a configuration names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EncodingSpec {
    /// The position itself: two features.
    None,
    /// B = identity: one turn across the longer side in x and in y; four features.
    Basic,
    /// Axis-aligned frequencies 2^t - 1 for t evenly spaced on [0, log2_max], alternating x and
    /// y, as in the notebooks of Tancik et al. 2020.
    Positional {
        /// m, the rows of B; half of them along each axis.
        n_frequencies: usize,
        /// log2 of the highest frequency plus one.
        log2_max: f32,
    },
    /// Entries of B drawn from N(0, sigma^2).
    Gaussian {
        /// m, the rows of B.
        n_frequencies: usize,
        /// Standard deviation in cycles per unit of length.
        sigma: f32,
    },
    /// Axis-aligned frequencies 2^(k-1) for k = 0 .. n-1, along x and along y: half a cycle across the
    /// unit of length and its octaves. Mildenhall et al. 2020 (NeRF), equation 4, which counts from
    /// -1 to 1; tiny-cuda-nn's `Frequency`.
    Octaves {
        /// n
        n_octaves: usize,
    },
    /// Each axis by itself.
    PerAxis(PerAxis),
    /// Trained features on grids of several resolutions.
    Grid(GridSpec),
}

/// An encoding ready to compute with.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// features = c, shape (batch, 2).
    Identity,
    /// features = [sin(2 pi B c), cos(2 pi B c)], shape (batch, 2m).
    Fourier {
        /// B, shape (m, 2), row-major, in cycles per unit of length.
        frequencies: Vec<[f32; 2]>,
    },
    /// The same with B among the trained weights: 2m of them, row by row.
    TrainedFourier {
        /// B before the first step.
        initial: Vec<[f32; 2]>,
    },
    /// features = those of x and then those of y, shape (batch, 2n).
    PerAxis(PerAxis),
    /// features = those of each level, shape (batch, L F), interpolated between trained vertices.
    Grid(HashGrid),
    /// features = those of each, side by side: see [`Encoding::side_by_side`].
    Composite(Vec<Self>),
}

impl Encoding {
    /// Draws or computes the frequencies. The same seed gives the same encoding on every machine.
    pub fn new(spec: EncodingSpec, seed: u64) -> Self {
        match spec {
            EncodingSpec::None => Self::Identity,
            EncodingSpec::Basic => Self::Fourier { frequencies: vec![[1.0, 0.0], [0.0, 1.0]] },
            EncodingSpec::Positional { n_frequencies, log2_max } => {
                let per_axis = n_frequencies.div_ceil(2);
                let frequency = |i: usize| {
                    let t = if per_axis > 1 {
                        f64::from(log2_max) * i as f64 / (per_axis - 1) as f64
                    } else {
                        f64::from(log2_max)
                    };
                    (t.exp2() - 1.0) as f32
                };
                let row = |j: usize| {
                    let f = frequency(j / 2);
                    if j.is_multiple_of(2) { [f, 0.0] } else { [0.0, f] }
                };
                Self::Fourier { frequencies: (0..n_frequencies).map(row).collect() }
            }
            EncodingSpec::Gaussian { n_frequencies, sigma } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(ENCODING_STREAM);
                let mut draw = || {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    (z * f64::from(sigma)) as f32
                };
                Self::Fourier { frequencies: (0..n_frequencies).map(|_| [draw(), draw()]).collect() }
            }
            EncodingSpec::Octaves { n_octaves } => {
                let frequency = |k: usize| (k as f32 - 1.0).exp2();
                let rows = |k: usize| [[frequency(k), 0.0], [0.0, frequency(k)]];
                Self::Fourier { frequencies: (0..n_octaves).flat_map(rows).collect() }
            }
            EncodingSpec::PerAxis(per_axis) => Self::PerAxis(per_axis),
            EncodingSpec::Grid(spec) => Self::Grid(HashGrid::new(spec)),
        }
    }

    /// With frequencies that are trained, where it has any.
    pub fn with_trained_frequencies(self) -> Self {
        match self {
            Self::Fourier { frequencies } => Self::TrainedFourier { initial: frequencies },
            Self::Composite(parts) => {
                Self::Composite(parts.into_iter().map(Self::with_trained_frequencies).collect())
            }
            other => other,
        }
    }

    /// Number of features, the input width of the network.
    pub fn output_width(&self) -> usize {
        match self {
            Self::Identity => 2,
            Self::Fourier { frequencies: b } | Self::TrainedFourier { initial: b } => 2 * b.len(),
            Self::PerAxis(per_axis) => per_axis.output_width(),
            Self::Grid(grid) => grid.output_width(),
            Self::Composite(parts) => parts.iter().map(Self::output_width).sum(),
        }
    }

    /// What averaging over a pixel leaves of each feature: one gain for each of
    /// [`Encoding::output_width`]. See [`attenuation`]. Of trained frequencies, those before the
    /// first step: a model that is done has them as frozen ones.
    pub fn gains(&self, filter: PixelFilter, footprint: &Footprint) -> Vec<f64> {
        match self {
            // The mean of a straight line over a pixel is its value at the centre.
            Self::Identity => vec![1.0; 2],
            Self::Fourier { frequencies } | Self::TrainedFourier { initial: frequencies } => {
                let gains: Vec<f64> = frequencies.iter().map(|b| filter.gain(*b, footprint)).collect();
                // Sine and cosine of one frequency fade together.
                [gains.as_slice(), gains.as_slice()].concat()
            }
            // Their features have no frequency: none fades.
            Self::PerAxis(_) | Self::Grid(_) => vec![1.0; self.output_width()],
            Self::Composite(parts) => parts.iter().flat_map(|part| part.gains(filter, footprint)).collect(),
        }
    }

    /// Trained weights of the encoding. They come first in the flat parameter buffer.
    pub fn n_params(&self) -> usize {
        match self {
            Self::Identity | Self::Fourier { .. } | Self::PerAxis(_) => 0,
            Self::TrainedFourier { initial } => 2 * initial.len(),
            Self::Grid(grid) => grid.n_params(),
            Self::Composite(parts) => parts.iter().map(Self::n_params).sum(),
        }
    }

    /// Draws the initial weights: `params` are the encoding's part of the flat buffer.
    pub fn draw_params(&self, seed: u64, params: &mut [f32]) {
        assert_eq!(params.len(), self.n_params(), "weights of the encoding");
        match self {
            Self::Identity | Self::Fourier { .. } | Self::PerAxis(_) => {}
            Self::TrainedFourier { initial } => params.copy_from_slice(initial.as_flattened()),
            Self::Grid(grid) => grid.draw(seed, params),
            Self::Composite(_) => {
                if let Some((part, _)) = self.trained_part() {
                    part.draw_params(seed, params);
                }
            }
        }
    }
}

/// The random stream of the encoding; layer n of the network uses stream n.
const ENCODING_STREAM: u64 = u64::MAX;
