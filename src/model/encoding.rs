//! Input encodings: position c = (x, y) to features.
//!
//! The table below lists all of them. They are computed in three ways: feature by feature from a [`Formula`], as
//! sines and cosines of frequencies B ([`fourier`]), or looked up in a [`HashGrid`].

pub mod attenuation;
pub mod fourier;
pub mod grid;
mod identity;
pub mod one_blob;
pub mod parts;
mod table;
mod triangle_wave;

pub use grid::{GridGradients, GridLevel, GridSpec, HashGrid, Interpolation};
pub use identity::Identity;
pub use one_blob::OneBlob;
pub use triangle_wave::TriangleWave;

use super::Arithmetic;
use crate::names::named;
use attenuation::{Footprint, PixelFilter};
use table::encodings;

/// The formula of an encoding whose features each depend only on the position. It has at most one parameter, n.
///
/// The file in `shaders/encoding/` of the same name has the function `feature`.
pub trait Formula {
    /// With this n.
    fn with_units(n_units: usize) -> Self
    where
        Self: Sized;
    /// n, such as the number of bins along an axis.
    fn n_units(&self) -> usize {
        1
    }
    /// Maximum n.
    fn max_units(&self) -> usize {
        1
    }
    /// Maximum n in tests of kernels.
    fn max_tried(&self) -> usize {
        self.max_units()
    }
    /// Number of features.
    fn output_width(&self) -> usize {
        2 * self.n_units()
    }
    /// Approximate operations per feature.
    fn operations(&self) -> f64;
    /// A description.
    fn describe(&self) -> String;
    /// The gain of each feature when averaged over a pixel, see [`attenuation`]. Features without a frequency have
    /// gain 1.
    fn gains(&self, _: PixelFilter, _: &Footprint) -> Vec<f64> {
        vec![1.0; self.output_width()]
    }
    /// The features of the position c.
    fn encode<T: Arithmetic>(&self, c: [T; 2], features: &mut [T])
    where
        Self: Sized;
}

named! {
    /// The family of an encoding: side by side, at most one of each. Model files use these names.
    pub enum EncodingFamily {
        /// The position itself
        Position "position",
        /// Sines and cosines
        Frequencies "frequencies",
        /// Bins or waves along each axis
        Axes "axes",
        /// Trained features on grids
        Grid "grid",
    }
}

encodings! {
    ($)
    /// The position itself
    None "none" or "identity" of Position = identity::encoding, formula Identity in identity;
    /// One turn across the picture
    Basic "basic" of Frequencies = fourier::basic;
    /// Axis-aligned powers of two
    Positional { features: usize, sigma: f32 } "positional" of Frequencies = fourier::positional;
    /// Random Fourier features
    Gaussian { features: usize, sigma: f32 } "gaussian" of Frequencies = fourier::gaussian;
    /// Sines and cosines of half a cycle along each axis, and its octaves
    Octaves { octaves: usize } "octaves" of Frequencies = fourier::octaves;
    /// Triangle waves of the same frequencies: cheaper
    TriangleWave { octaves: usize } "triangle-wave" of Axes = triangle_wave::encoding, formula TriangleWave in triangle_wave;
    /// Bins along each axis, weighted by a blob around the position
    OneBlob { bins: usize } "one-blob" of Axes = one_blob::encoding, formula OneBlob in one_blob;
    /// Trained features on grids of several resolutions, the fine ones hashed: the fastest
    HashGrid {
        levels: usize, features_per_level: usize, log2_table: u32, base_resolution: u32, growth: f64,
        interpolation: Interpolation
    } "hash-grid" of Grid = grid::hashed;
    /// The same without hashing: every vertex has its own features
    DenseGrid {
        levels: usize, features_per_level: usize, base_resolution: u32, growth: f64, interpolation: Interpolation
    } "dense-grid" of Grid = grid::dense;
}

impl EncodingKind {
    /// Whether it has trained features on grids.
    pub fn is_grid(self) -> bool {
        self.family() == EncodingFamily::Grid
    }
}

/// An encoding with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// features = those of a formula, such as c itself, shape (batch, 2).
    Pointwise(Pointwise),
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
    /// features = those of each level, shape (batch, L F), interpolated between trained vertices.
    Grid(HashGrid),
    /// features = those of each, side by side: see [`Encoding::side_by_side`].
    Composite(Vec<Self>),
}

impl Encoding {
    /// features = c
    pub const IDENTITY: Self = Self::Pointwise(Pointwise::Identity(Identity));

    /// Its family.
    ///
    /// # Panics
    /// When it is a composite.
    pub fn family(&self) -> EncodingFamily {
        match self {
            Self::Pointwise(pointwise) => pointwise.kind().family(),
            Self::Fourier { .. } | Self::TrainedFourier { .. } => EncodingFamily::Frequencies,
            Self::Grid(_) => EncodingFamily::Grid,
            Self::Composite(_) => panic!("a composite within another"),
        }
    }

    /// With trained frequencies, if it has any.
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
            Self::Pointwise(pointwise) => pointwise.formula().output_width(),
            Self::Fourier { frequencies: b } | Self::TrainedFourier { initial: b } => 2 * b.len(),
            Self::Grid(grid) => grid.output_width(),
            Self::Composite(parts) => parts.iter().map(Self::output_width).sum(),
        }
    }

    /// The gain of each feature when averaged over a pixel, [`Encoding::output_width`] of them. See [`attenuation`].
    /// Trained frequencies count as before the first step: a finished model has them as frozen ones.
    pub fn gains(&self, filter: PixelFilter, footprint: &Footprint) -> Vec<f64> {
        match self {
            Self::Pointwise(pointwise) => pointwise.formula().gains(filter, footprint),
            Self::Fourier { frequencies } | Self::TrainedFourier { initial: frequencies } => {
                let gains: Vec<f64> = frequencies.iter().map(|b| filter.gain(*b, footprint)).collect();
                // Sine and cosine of one frequency have the same gain.
                [gains.as_slice(), gains.as_slice()].concat()
            }
            // Its features have no frequency, so their gain is 1.
            Self::Grid(_) => vec![1.0; self.output_width()],
            Self::Composite(parts) => parts.iter().flat_map(|part| part.gains(filter, footprint)).collect(),
        }
    }

    /// Trained weights of the encoding. They come first in the flat parameter buffer.
    pub fn n_params(&self) -> usize {
        match self {
            Self::Pointwise(_) | Self::Fourier { .. } => 0,
            Self::TrainedFourier { initial } => 2 * initial.len(),
            Self::Grid(grid) => grid.n_params(),
            Self::Composite(parts) => parts.iter().map(Self::n_params).sum(),
        }
    }

    /// Draws the initial weights: `params` are the encoding's part of the flat buffer.
    pub fn draw_params(&self, seed: u64, params: &mut [f32]) {
        assert_eq!(params.len(), self.n_params(), "weights of the encoding");
        match self {
            Self::Pointwise(_) | Self::Fourier { .. } => {}
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
