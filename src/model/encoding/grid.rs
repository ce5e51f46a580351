//! The multiresolution hash grid of Mueller et al. 2022, "Instant Neural Graphics Primitives with
//! a Multiresolution Hash Encoding" (arXiv 2201.05989), in two dimensions.
//!
//! Level l is a square grid of N_l cells across the unit of length, N_l = round(N_0 b^l) (equation 2, which rounds
//! down). A position c maps to p = c N_l + 1/2: half a cell off the paper, as in the authors' tiny-cuda-nn, so that
//! the borders of the levels do not coincide and pixel centres of a picture N_l wide are vertices. Vertices have F
//! trained features each, interpolated between the four around a position. A level with no more vertices than the
//! table has entries stores each; a finer one shares entries by the hash of equation 4, (x XOR 2654435761 y) mod T.

use super::Encoding;
use crate::names::named;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

named! {
    /// How features are interpolated between vertices.
    pub enum Interpolation {
        /// Linear in x and in y
        Linear "linear",
        /// Linear in 3 t^2 - 2 t^3: smooth derivatives, also between cells
        Smoothstep "smoothstep",
    }
}

named! {
    /// How a GPU sums the gradients of a grid's entries, which many samples share.
    pub enum GridGradients = Exact {
        /// In integers: a run repeats to the bit
        Exact "exact",
        /// In floats, in any order: faster, if the GPU supports it
        Float "float",
    }
}

/// The parameters of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridSpec {
    /// L
    pub n_levels: usize,
    /// F: 1, 2, 4 or 8
    pub features_per_level: usize,
    /// log2 of T, the maximum entries of a level; `None` for one per vertex.
    pub log2_table: Option<u32>,
    /// N_0, cells across the unit of length at the coarsest level
    pub base_resolution: u32,
    /// b, from each level's resolution to the next
    pub growth: f64,
    /// Interpolation between vertices.
    pub interpolation: Interpolation,
}

/// A grid with its levels; its weights are in the flat parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashGrid {
    /// F
    pub features_per_level: usize,
    /// Interpolation between vertices.
    pub interpolation: Interpolation,
    /// From coarse to fine.
    pub levels: Vec<GridLevel>,
}

/// One level of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridLevel {
    /// N_l, cells across the unit of length.
    pub resolution: u32,
    /// Entries of the levels before it.
    pub first_entry: usize,
    /// Entries, of F features each: one for each vertex, or fewer and a power of two.
    pub n_entries: usize,
}

/// Values of F that every backend supports.
pub const FEATURES_PER_LEVEL: [usize; 4] = [1, 2, 4, 8];

/// Highest resolution of a level: position and cell are computed in f32, which leaves 4 bits for the position within
/// a cell.
pub const MAX_RESOLUTION: u32 = 1 << 20;

/// The second prime of equation 4; the first is 1.
pub const HASH_PRIME: u32 = 2_654_435_761;

/// Half the width of the initial weights' distribution: Mueller et al. 2022, section 4.
const INITIAL_BOUND: f32 = 1e-4;

/// The random stream of the initial weights; distinct from those of other encodings and the layers.
const WEIGHT_STREAM: u64 = u64::MAX - 1;

impl GridLevel {
    /// Vertices along one side: positions 0 to 1 reach cells 0 to N, and these vertices 0 to N + 1.
    pub fn side(self) -> u32 {
        self.resolution + 2
    }

    /// Whether vertices share entries.
    pub fn is_hashed(self) -> bool {
        n_vertices(self.resolution) > self.n_entries as u64
    }

    /// The entry of vertex (x, y), counted within the level.
    #[inline(always)]
    pub fn entry(self, x: u32, y: u32) -> u32 {
        if self.is_hashed() {
            (x ^ y.wrapping_mul(HASH_PRIME)) & (self.n_entries as u32 - 1)
        } else {
            y * self.side() + x
        }
    }

    /// Entries, counted over all levels.
    pub fn entries(self) -> std::ops::Range<usize> {
        self.first_entry..self.first_entry + self.n_entries
    }
}

/// A grid whose finer levels share the entries of a table.
pub(super) fn hashed(
    n_levels: usize,
    features_per_level: usize,
    log2_table: u32,
    base_resolution: u32,
    growth: f64,
    interpolation: Interpolation,
    _seed: u64,
) -> Encoding {
    let log2_table = Some(log2_table);
    let spec = GridSpec { n_levels, features_per_level, log2_table, base_resolution, growth, interpolation };
    Encoding::Grid(HashGrid::new(spec))
}

/// A grid with an entry for each vertex.
pub(super) fn dense(
    n_levels: usize,
    features_per_level: usize,
    base_resolution: u32,
    growth: f64,
    interpolation: Interpolation,
    _seed: u64,
) -> Encoding {
    let log2_table = None;
    let spec = GridSpec { n_levels, features_per_level, log2_table, base_resolution, growth, interpolation };
    Encoding::Grid(HashGrid::new(spec))
}

fn n_vertices(resolution: u32) -> u64 {
    let side = u64::from(resolution) + 2;
    side * side
}

impl HashGrid {
    /// Lays out the levels of `spec`.
    pub fn new(spec: GridSpec) -> Self {
        let mut resolution = f64::from(spec.base_resolution);
        let levels = (0..spec.n_levels).map(|_| {
            let now = resolution.round() as u32;
            // Multiplied rather than raised to a power, since powers round differently on some machines.
            resolution *= spec.growth;
            let table = spec.log2_table.map_or(u64::MAX, |log2| 1 << log2);
            (now, n_vertices(now).min(table) as usize)
        });
        Self::from_levels(spec.features_per_level, spec.interpolation, levels)
    }

    /// Concatenates levels of (resolution, entries).
    pub fn from_levels(
        features_per_level: usize,
        interpolation: Interpolation,
        levels: impl IntoIterator<Item = (u32, usize)>,
    ) -> Self {
        let mut first_entry = 0;
        let levels = levels.into_iter().map(|(resolution, n_entries)| {
            let level = GridLevel { resolution, first_entry, n_entries };
            first_entry += n_entries;
            level
        });
        Self { features_per_level, interpolation, levels: levels.collect() }
    }

    /// L F
    pub fn output_width(&self) -> usize {
        self.levels.len() * self.features_per_level
    }

    /// Entries of all levels.
    pub fn n_entries(&self) -> usize {
        self.levels.last().map_or(0, |level| level.entries().end)
    }

    /// Trained weights: (n_entries, F), row-major, level after level.
    pub fn n_params(&self) -> usize {
        self.n_entries() * self.features_per_level
    }

    /// The weights of level `level` within the grid's.
    pub fn params_of(&self, level: usize) -> std::ops::Range<usize> {
        let entries = self.levels[level].entries();
        entries.start * self.features_per_level..entries.end * self.features_per_level
    }

    /// Initial weights, U(-1e-4, 1e-4).
    pub(crate) fn draw(&self, seed: u64, params: &mut [f32]) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(WEIGHT_STREAM);
        params.fill_with(|| rng.random_range(-INITIAL_BOUND..INITIAL_BOUND));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> GridSpec {
        GridSpec {
            n_levels: 4,
            features_per_level: 2,
            log2_table: Some(8),
            base_resolution: 8,
            growth: 2.0,
            interpolation: Interpolation::Linear,
        }
    }

    #[test]
    fn levels_are_dense_where_they_fit_and_lie_one_after_the_other() {
        let grid = HashGrid::new(spec());
        let levels: Vec<_> = grid.levels.iter().map(|l| (l.resolution, l.n_entries, l.is_hashed())).collect();
        assert_eq!(levels, [(8, 100, false), (16, 256, true), (32, 256, true), (64, 256, true)]);
        assert_eq!((grid.n_params(), grid.output_width()), (2 * (100 + 3 * 256), 8));
        assert_eq!(grid.params_of(2), 2 * 356..2 * 612);
        let dense = HashGrid::new(GridSpec { log2_table: None, ..spec() });
        assert!(dense.levels.iter().all(|l| !l.is_hashed()));
    }

    #[test]
    fn growth_ends_at_the_finest_resolution() {
        for finest in [17_u32, 100, 512, 1632, 20_000] {
            let growth = (f64::from(finest) / 16.0).powf(1.0 / 15.0);
            let grid = HashGrid::new(GridSpec { n_levels: 16, base_resolution: 16, growth, ..spec() });
            assert_eq!(grid.levels[15].resolution, finest);
        }
    }

    #[test]
    fn the_hash_is_equation_4() {
        let level = HashGrid::new(spec()).levels[3];
        assert_eq!(level.entry(5, 0), 5);
        // 3 * 2654435761 = 7963307283 = 0x1_DAA6_6D13, whose low byte is 0x13.
        assert_eq!(level.entry(1, 3), 0x12);
    }

    #[test]
    fn initial_weights_are_small_and_follow_from_the_seed() {
        let grid = HashGrid::new(spec());
        let draw = |seed| {
            let mut params = vec![0.0; grid.n_params()];
            grid.draw(seed, &mut params);
            params
        };
        let params = draw(1);
        assert_eq!(params, draw(1));
        assert_ne!(params, draw(2));
        let (low, high) = params.iter().fold((0.0_f32, 0.0_f32), |(l, h), &v| (l.min(v), h.max(v)));
        assert!((-1e-4..-0.98e-4).contains(&low) && (0.98e-4..=1e-4).contains(&high), "{low} to {high}");
    }
}
