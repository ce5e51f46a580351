//! The encoding's settings: defaults and checks.

use super::{ConfigError, MAX_WIDTH, bad};
use crate::config::{
    ActivationKind, Config, EncodingConfig, EncodingKind, EncodingList, Frequencies, Sigma, defaults,
};
use crate::model::encoding::grid::{FEATURES_PER_LEVEL, MAX_RESOLUTION};
use crate::model::encoding::per_axis::{MAX_BINS, MAX_OCTAVES};
use crate::model::{EncodingSpec, GridSpec, HashGrid, Holdout, PerAxis};
use crate::picture::Picture;

/// Levels beyond this have no use: 32 doublings leave any picture behind.
const MAX_LEVELS: usize = 32;
/// 2^24 entries of 8 features take half a GiB.
const MAX_LOG2_TABLE: u32 = 24;
/// Entries are counted in 32 bits.
const MAX_WEIGHTS: usize = 1 << 31;
/// Mueller et al. 2022 use 1.26 to 2.
const MAX_GROWTH: f64 = 16.0;

impl Config {
    pub(super) fn encoding_kind(&self) -> EncodingKind {
        self.encoding.kind.unwrap_or_else(|| match self.suits_fourier() {
            true => EncodingKind::Gaussian,
            false => EncodingKind::HashGrid,
        })
    }

    /// Whether something was asked for that means nothing to a hash grid, or that Gaussian features do
    /// better: a smooth surface between the pixels (docs/DEFAULTS.md).
    fn suits_fourier(&self) -> bool {
        let given = &self.encoding;
        let frequencies = given.sigma.is_some() || given.features.is_some() || given.frequencies.is_some();
        let bends = self
            .network
            .activation
            .is_some_and(|a| !matches!(a, ActivationKind::Relu | ActivationKind::LeakyRelu));
        let held_out = self.picture.holdout.is_some_and(|h| h != Holdout::None);
        frequencies || bends || held_out
    }

    /// The encoding, and those beside it.
    pub(super) fn encoding_kinds(&self) -> Vec<EncodingKind> {
        let also = self.encoding.also.iter().flat_map(|also| also.0.iter().copied());
        std::iter::once(self.encoding_kind()).chain(also).collect()
    }

    /// The encodings for `picture`, which stand side by side; without one, for the smallest.
    pub(super) fn encoding_specs(&self, picture: Option<&Picture>) -> Result<Vec<EncodingSpec>, ConfigError> {
        let kinds = self.encoding_kinds();
        for (i, kind) in kinds.iter().enumerate() {
            let Some(other) = kinds[..i].iter().find(|other| family(**other) == family(*kind)) else {
                continue;
            };
            return Err(bad(
                "also",
                kind,
                format!("{} is of the same family, of which there is one at most", other),
            ));
        }
        let trained = self.encoding.frequencies == Some(Frequencies::Trained);
        if trained && kinds.iter().any(|k| k.is_grid()) && kinds.iter().any(|k| family(*k) == FREQUENCIES) {
            let allowed = "beside a grid frequencies are frozen; leave --frequencies out";
            return Err(bad("frequencies", "trained", allowed));
        }
        kinds.into_iter().map(|kind| self.encoding_spec(kind, picture)).collect()
    }

    fn encoding_spec(
        &self,
        kind: EncodingKind,
        picture: Option<&Picture>,
    ) -> Result<EncodingSpec, ConfigError> {
        let size = picture.map_or((1, 1), |picture| (picture.width, picture.height));
        match kind {
            EncodingKind::None => Ok(EncodingSpec::None),
            EncodingKind::Basic => Ok(EncodingSpec::Basic),
            EncodingKind::Positional | EncodingKind::Gaussian => self.fourier_spec(kind, size.0.max(size.1)),
            EncodingKind::Octaves => {
                let n_octaves = self.n_octaves(size)?;
                Ok(EncodingSpec::Octaves { n_octaves })
            }
            EncodingKind::TriangleWave => {
                let n_octaves = self.n_octaves(size)?;
                Ok(EncodingSpec::PerAxis(PerAxis::TriangleWave { n_octaves }))
            }
            EncodingKind::OneBlob => {
                let n_bins = self.encoding.bins.unwrap_or(defaults::BINS);
                match (1..=MAX_BINS).contains(&n_bins) {
                    true => Ok(EncodingSpec::PerAxis(PerAxis::OneBlob { n_bins })),
                    false => Err(bad("bins", n_bins, format!("give 1 to {MAX_BINS} bins"))),
                }
            }
            EncodingKind::HashGrid | EncodingKind::DenseGrid => {
                let roughness = || picture.map_or(0.0, Picture::roughness);
                self.grid_spec(kind, size, roughness).map(EncodingSpec::Grid)
            }
        }
    }

    fn n_octaves(&self, (width, height): (u32, u32)) -> Result<usize, ConfigError> {
        let n_octaves = self.encoding.octaves.unwrap_or_else(|| defaults::octaves(width.max(height)));
        match (1..=MAX_OCTAVES).contains(&n_octaves) {
            true => Ok(n_octaves),
            false => Err(bad("octaves", n_octaves, format!("give 1 to {MAX_OCTAVES} octaves"))),
        }
    }

    fn fourier_spec(&self, kind: EncodingKind, longer_side: u32) -> Result<EncodingSpec, ConfigError> {
        let positional = kind == EncodingKind::Positional;
        let n_frequencies = self.encoding.features.unwrap_or(defaults::FEATURES);
        if !(1..=MAX_WIDTH / 2).contains(&n_frequencies) {
            let allowed = format!("give 1 to {} frequencies", MAX_WIDTH / 2);
            return Err(bad("features", n_frequencies, allowed));
        }
        let sigma = match self.encoding.sigma {
            Some(Sigma::Fixed(sigma)) => sigma,
            Some(Sigma::Auto) if positional => {
                let allowed = "only the Gaussian encoding's can be chosen; give a number";
                return Err(bad("sigma", "auto", allowed));
            }
            None if positional => defaults::POSITIONAL_LOG2_MAX,
            None | Some(Sigma::Auto) => defaults::sigma(longer_side),
        };
        if !(0.0..=1e6).contains(&sigma) {
            return Err(bad("sigma", sigma, "give a number from 0 to 1e6"));
        }
        match positional {
            true if sigma > 20.0 => {
                Err(bad("sigma", sigma, "with positional encoding it is a power of two; give 0 to 20"))
            }
            true => Ok(EncodingSpec::Positional { n_frequencies, log2_max: sigma }),
            false => Ok(EncodingSpec::Gaussian { n_frequencies, sigma }),
        }
    }

    fn grid_spec(
        &self,
        kind: EncodingKind,
        (width, height): (u32, u32),
        roughness: impl Fn() -> f64,
    ) -> Result<GridSpec, ConfigError> {
        let given = &self.encoding;
        let longer_side = width.max(height);
        let n_levels = given.levels.unwrap_or(defaults::GRID_LEVELS);
        if !(1..=MAX_LEVELS).contains(&n_levels) {
            return Err(bad("levels", n_levels, format!("give 1 to {MAX_LEVELS} levels")));
        }
        let features_per_level = given.features_per_level.unwrap_or(defaults::GRID_FEATURES);
        if !FEATURES_PER_LEVEL.contains(&features_per_level) {
            return Err(bad("features-per-level", features_per_level, "give 1, 2, 4 or 8"));
        }
        let n_pixels = u64::from(width) * u64::from(height);
        let log2_table = given.log2_table.unwrap_or_else(|| defaults::log2_table(n_pixels, roughness()));
        if !(1..=MAX_LOG2_TABLE).contains(&log2_table) {
            let allowed = format!(
                "it is the power of two of a table's entries; give 1 to {MAX_LOG2_TABLE}, such as 15"
            );
            return Err(bad("log2-table", log2_table, allowed));
        }
        let base_resolution = given.base_resolution.unwrap_or_else(|| defaults::base_resolution(longer_side));
        if !(1..=MAX_RESOLUTION).contains(&base_resolution) {
            let allowed = format!("give 1 to {MAX_RESOLUTION} cells, such as 16");
            return Err(bad("base-resolution", base_resolution, allowed));
        }
        let growth = given.growth.unwrap_or_else(|| defaults::growth(longer_side, base_resolution, n_levels));
        if !(1.0..=MAX_GROWTH).contains(&growth) {
            let allowed = format!("give a factor from 1 to {MAX_GROWTH}, such as 1.5");
            return Err(bad("growth", format_args!("{growth:?}"), allowed));
        }
        let finest = f64::from(base_resolution) * growth.powf((n_levels - 1) as f64);
        if finest > f64::from(MAX_RESOLUTION) {
            let allowed = format!(
                "the finest level would have {finest:.0} cells and {MAX_RESOLUTION} are possible; give a lower \
                 growth, fewer levels or a lower base-resolution"
            );
            return Err(bad("growth", format_args!("{growth:?}"), allowed));
        }
        let spec = GridSpec {
            n_levels,
            features_per_level,
            log2_table: (kind == EncodingKind::HashGrid).then_some(log2_table),
            base_resolution,
            growth,
            interpolation: given.interpolation.unwrap_or(defaults::GRID_INTERPOLATION),
        };
        let n_weights = HashGrid::new(spec).n_params();
        if n_weights > MAX_WEIGHTS {
            let allowed = format!(
                "these levels would have {n_weights} weights and {MAX_WEIGHTS} are possible; give fewer levels or \
                 features, a lower growth or a smaller log2-table"
            );
            return Err(bad("levels", n_levels, allowed));
        }
        Ok(spec)
    }

    /// Whether one of the encodings is a grid.
    pub(super) fn has_grid(&self) -> bool {
        self.encoding_kinds().into_iter().any(EncodingKind::is_grid)
    }

    /// Settings of the encoding: whether one is given and means nothing, its name, and why.
    pub(super) fn encoding_without_effect(&self) -> [(bool, &'static str, &'static str); 12] {
        let (given, kinds) = (&self.encoding, self.encoding_kinds());
        let any = |of: &[EncodingKind]| kinds.iter().any(|kind| of.contains(kind));
        let fourier = any(&[EncodingKind::Positional, EncodingKind::Gaussian]);
        let grid = self.has_grid();
        let hashed = any(&[EncodingKind::HashGrid]);
        let octaves = any(&[EncodingKind::Octaves, EncodingKind::TriangleWave]);
        let only_fourier = "with this encoding: only positional and gaussian have it";
        let only_grids = "with this encoding: only hash-grid and dense-grid have it";
        [
            (given.features.is_some() && !fourier, "features", only_fourier),
            (given.sigma.is_some() && !fourier, "sigma", only_fourier),
            (
                given.frequencies.is_some()
                    && !(fourier || any(&[EncodingKind::Basic, EncodingKind::Octaves])),
                "frequencies",
                "with this encoding: only basic, positional, gaussian and octaves have it",
            ),
            (
                given.octaves.is_some() && !octaves,
                "octaves",
                "with this encoding: only octaves and triangle-wave have it",
            ),
            (
                given.bins.is_some() && !any(&[EncodingKind::OneBlob]),
                "bins",
                "with this encoding: only one-blob has it",
            ),
            (given.levels.is_some() && !grid, "levels", only_grids),
            (given.features_per_level.is_some() && !grid, "features-per-level", only_grids),
            (
                given.log2_table.is_some() && !hashed,
                "log2-table",
                "with this encoding: only hash-grid has it",
            ),
            (given.base_resolution.is_some() && !grid, "base-resolution", only_grids),
            (given.growth.is_some() && !grid, "growth", only_grids),
            (given.interpolation.is_some() && !grid, "interpolation", only_grids),
            (given.grid_gradients.is_some() && !grid, "grid-gradients", only_grids),
        ]
    }
}

/// Of the encodings of a family, one can be in a composite.
fn family(kind: EncodingKind) -> u8 {
    match kind {
        EncodingKind::None => 0,
        EncodingKind::Basic | EncodingKind::Positional | EncodingKind::Gaussian | EncodingKind::Octaves => {
            FREQUENCIES
        }
        EncodingKind::TriangleWave | EncodingKind::OneBlob => 2,
        EncodingKind::HashGrid | EncodingKind::DenseGrid => 3,
    }
}

const FREQUENCIES: u8 = 1;

/// The section with everything that `specs` say written out.
pub(super) fn filled(specs: &[EncodingSpec]) -> EncodingConfig {
    let mut also = specs.iter().map(|spec| filled_with(*spec));
    let first = also.next().unwrap_or_default();
    let kinds: Vec<EncodingKind> = also.clone().filter_map(|section| section.kind).collect();
    let all = also.fold(first, EncodingConfig::or);
    EncodingConfig { also: (!kinds.is_empty()).then_some(EncodingList(kinds)), ..all }
}

fn filled_with(spec: EncodingSpec) -> EncodingConfig {
    let of_kind = |kind| EncodingConfig { kind: Some(kind), ..EncodingConfig::default() };
    match spec {
        EncodingSpec::None => of_kind(EncodingKind::None),
        EncodingSpec::Basic => of_kind(EncodingKind::Basic),
        EncodingSpec::Positional { n_frequencies, log2_max } => EncodingConfig {
            features: Some(n_frequencies),
            sigma: Some(Sigma::Fixed(log2_max)),
            ..of_kind(EncodingKind::Positional)
        },
        EncodingSpec::Gaussian { n_frequencies, sigma } => EncodingConfig {
            features: Some(n_frequencies),
            sigma: Some(Sigma::Fixed(sigma)),
            ..of_kind(EncodingKind::Gaussian)
        },
        EncodingSpec::Octaves { n_octaves } => {
            EncodingConfig { octaves: Some(n_octaves), ..of_kind(EncodingKind::Octaves) }
        }
        EncodingSpec::PerAxis(PerAxis::TriangleWave { n_octaves }) => {
            EncodingConfig { octaves: Some(n_octaves), ..of_kind(EncodingKind::TriangleWave) }
        }
        EncodingSpec::PerAxis(PerAxis::OneBlob { n_bins }) => {
            EncodingConfig { bins: Some(n_bins), ..of_kind(EncodingKind::OneBlob) }
        }
        EncodingSpec::Grid(grid) => EncodingConfig {
            levels: Some(grid.n_levels),
            features_per_level: Some(grid.features_per_level),
            log2_table: grid.log2_table,
            base_resolution: Some(grid.base_resolution),
            growth: Some(grid.growth),
            interpolation: Some(grid.interpolation),
            ..of_kind(match grid.log2_table {
                Some(_) => EncodingKind::HashGrid,
                None => EncodingKind::DenseGrid,
            })
        },
    }
}
