//! The encoding's settings: defaults and checks.

use super::{ConfigError, MAX_WIDTH, bad, ensure, within};
use crate::config::sections::Section;
use crate::config::{
    ActivationKind, Config, EncodingConfig, EncodingKind, EncodingList, Frequencies, Growth, Sigma, defaults,
};
use crate::model::encoding::encoding_rows;
use crate::model::encoding::fourier::MAX_OCTAVES;
use crate::model::encoding::grid::{FEATURES_PER_LEVEL, MAX_RESOLUTION};
use crate::model::encoding::one_blob::MAX_BINS;
use crate::model::{Encoding, EncodingFamily, EncodingSpec, Holdout, Interpolation};
use crate::names::{Named, join};
use crate::picture::{Picture, Transfer};

/// More levels are useless: 32 doublings exceed any picture.
const MAX_LEVELS: usize = 32;
/// 2^24 entries of 8 features take half a GiB.
const MAX_LOG2_TABLE: u32 = 24;
/// Entries are counted in 32 bits.
const MAX_WEIGHTS: usize = 1 << 31;
/// Mueller et al. 2022 use 1.26 to 2.
const MAX_GROWTH: f64 = 16.0;
/// The highest frequency of positional encoding is 2 to the power of this, less one.
const MAX_LOG2_FREQUENCY: f32 = 20.0;

impl Config {
    pub(super) fn encoding_kind(&self) -> EncodingKind {
        self.encoding.kind.unwrap_or_else(|| match self.suits_fourier() {
            true => EncodingKind::Gaussian,
            false => EncodingKind::HashGrid,
        })
    }

    /// Whether a setting was given that has no effect on a hash grid, or for which Gaussian features do better: a
    /// smooth surface between the pixels (docs/DEFAULTS.md).
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

    /// The encoding, and the additional ones.
    pub(in crate::config) fn encoding_kinds(&self) -> Vec<EncodingKind> {
        let also = self.encoding.also.iter().flat_map(|also| also.0.iter().copied());
        std::iter::once(self.encoding_kind()).chain(also).collect()
    }

    /// The encodings for `picture`, side by side; without a picture, for the smallest.
    pub(super) fn encoding_specs(&self, picture: Option<&Picture>) -> Result<Vec<EncodingSpec>, ConfigError> {
        let kinds = self.encoding_kinds();
        for (i, kind) in kinds.iter().enumerate() {
            if let Some(other) = kinds[..i].iter().find(|other| other.family() == kind.family()) {
                let allowed = format!("{other} is of the same family; give at most one of each");
                return Err(bad("also", kind, allowed));
            }
        }
        let trained = self.encoding.frequencies == Some(Frequencies::Trained);
        let has = |family| kinds.iter().any(|kind| kind.family() == family);
        let has_both = has(EncodingFamily::Grid) && has(EncodingFamily::Frequencies);
        let allowed = "with a grid, frequencies are frozen; leave --frequencies out";
        ensure(!(trained && has_both), "frequencies", "trained", allowed)?;
        kinds.into_iter().map(|kind| self.encoding.checked(Purpose { kind, picture })).collect()
    }

    pub(super) fn has_grid(&self) -> bool {
        self.encoding_kinds().into_iter().any(EncodingKind::is_grid)
    }

    /// Settings that have no effect on these encodings, and why.
    pub(super) fn encoding_without_effect(&self) -> Vec<(String, String)> {
        let kinds = self.encoding_kinds();
        let unused = |name: &&str| {
            self.encoding.setting(name).is_given() && !kinds.iter().any(|kind| has_setting(*kind, name))
        };
        let why = |name: &str| {
            let having = EncodingKind::ALL.iter().filter(|kind| has_setting(**kind, name));
            let names: Vec<_> = having.map(|kind| kind.name()).collect();
            let have = if names.len() == 1 { "has" } else { "have" };
            let why = format!("with this encoding: only {} {have} it", join(&names, "and"));
            (name.replace('_', "-"), why)
        };
        settings().into_iter().filter(unused).map(why).collect()
    }
}

/// Settings that an encoding has by its family, whatever its parameters.
const OF_FAMILIES: [(&str, EncodingFamily); 2] =
    [("frequencies", EncodingFamily::Frequencies), ("grid_gradients", EncodingFamily::Grid)];

fn has_setting(kind: EncodingKind, name: &str) -> bool {
    kind.params().contains(&name) || OF_FAMILIES.contains(&(name, kind.family()))
}

/// The settings that only some encodings have.
fn settings() -> Vec<&'static str> {
    let of_kinds = EncodingKind::ALL.iter().flat_map(|kind| kind.params().iter().copied());
    let mut settings: Vec<&str> = Vec::new();
    for name in of_kinds.chain(OF_FAMILIES.map(|(name, _)| name)) {
        if !settings.contains(&name) {
            settings.push(name);
        }
    }
    settings
}

/// What the value of a setting depends on besides the section.
#[derive(Clone, Copy)]
struct Purpose<'a> {
    kind: EncodingKind,
    picture: Option<&'a Picture>,
}

impl Purpose<'_> {
    fn size(self) -> (u32, u32) {
        self.picture.map_or((1, 1), |picture| (picture.width, picture.height))
    }

    fn longer_side(self) -> u32 {
        let (width, height) = self.size();
        width.max(height)
    }
}

macro_rules! specs {
    ($($kind:ident { $($param:ident)* })+) => {
        impl EncodingConfig {
            /// The encoding with its parameters, each from the function of the same name below.
            fn spec(&self, purpose: Purpose<'_>) -> Result<EncodingSpec, ConfigError> {
                Ok(match purpose.kind {
                    $(EncodingKind::$kind => EncodingSpec::$kind { $($param: self.$param(purpose)?),* },)+
                })
            }
        }

        /// The section with all of `spec` written out.
        fn filled_with(spec: EncodingSpec) -> EncodingConfig {
            match spec {
                $(EncodingSpec::$kind { $($param),* } => EncodingConfig {
                    kind: Some(EncodingKind::$kind),
                    $($param: Some($param.into()),)*
                    ..EncodingConfig::default()
                },)+
            }
        }
    };
}
encoding_rows!(specs);

impl EncodingConfig {
    /// The settings that apply to `kind`, an encoding alone.
    pub(crate) fn only_of(mut self, kind: EncodingKind) -> Self {
        self.also = None;
        for name in settings().into_iter().filter(|name| !has_setting(kind, name)) {
            self.setting_mut(name).clear();
        }
        self
    }

    fn checked(&self, purpose: Purpose<'_>) -> Result<EncodingSpec, ConfigError> {
        let spec = self.spec(purpose)?;
        if purpose.kind.is_grid() {
            // Dense grids have no table size.
            self.log2_table.map_or(Ok(0), |_| self.log2_table(purpose))?;
            let n_weights = Encoding::new(spec, 0).n_params();
            if n_weights > MAX_WEIGHTS {
                let allowed = format!(
                    "these levels would have {n_weights} weights and {MAX_WEIGHTS} are possible; give fewer levels or \
                     features, a lower growth or a smaller log2-table"
                );
                return Err(bad("levels", self.levels(purpose)?, allowed));
            }
        }
        Ok(spec)
    }

    fn features(&self, _: Purpose<'_>) -> Result<usize, ConfigError> {
        let allowed = format!("give 1 to {} frequencies", MAX_WIDTH / 2);
        within("features", self.features.unwrap_or(defaults::FEATURES), 1..=MAX_WIDTH / 2, allowed)
    }

    fn sigma(&self, purpose: Purpose<'_>) -> Result<f32, ConfigError> {
        let positional = purpose.kind == EncodingKind::Positional;
        let sigma = match self.sigma {
            Some(Sigma::Fixed(sigma)) => sigma,
            Some(Sigma::Auto) if positional => {
                let allowed = "only for the Gaussian encoding; give a number";
                return Err(bad("sigma", "auto", allowed));
            }
            None if positional => defaults::POSITIONAL_LOG2_MAX,
            None | Some(Sigma::Auto) => defaults::sigma(purpose.longer_side()),
        };
        let sigma = within("sigma", sigma, 0.0..=1e6, "give a number from 0 to 1e6")?;
        let allowed = "with positional encoding it is a power of two; give 0 to 20";
        ensure(!positional || sigma <= MAX_LOG2_FREQUENCY, "sigma", sigma, allowed)?;
        Ok(sigma)
    }

    fn octaves(&self, purpose: Purpose<'_>) -> Result<usize, ConfigError> {
        let octaves = self.octaves.unwrap_or_else(|| defaults::octaves(purpose.longer_side()));
        within("octaves", octaves, 1..=MAX_OCTAVES, format!("give 1 to {MAX_OCTAVES} octaves"))
    }

    fn bins(&self, _: Purpose<'_>) -> Result<usize, ConfigError> {
        let bins = self.bins.unwrap_or(defaults::BINS);
        within("bins", bins, 1..=MAX_BINS, format!("give 1 to {MAX_BINS} bins"))
    }

    fn levels(&self, _: Purpose<'_>) -> Result<usize, ConfigError> {
        let levels = self.levels.unwrap_or(defaults::GRID_LEVELS);
        within("levels", levels, 1..=MAX_LEVELS, format!("give 1 to {MAX_LEVELS} levels"))
    }

    fn features_per_level(&self, _: Purpose<'_>) -> Result<usize, ConfigError> {
        let features = self.features_per_level.unwrap_or(defaults::GRID_FEATURES);
        let is_allowed = FEATURES_PER_LEVEL.contains(&features);
        ensure(is_allowed, "features-per-level", features, "give 1, 2, 4 or 8")?;
        Ok(features)
    }

    fn log2_table(&self, purpose: Purpose<'_>) -> Result<u32, ConfigError> {
        let log2_table = self.log2_table.unwrap_or_else(|| {
            let (width, height) = purpose.size();
            // Of what is trained on.
            let roughness = |p: &Picture| Transfer::for_picture(p, None).encode_picture(p).roughness();
            let of_hdr = purpose.picture.filter(|p| p.is_hdr()).map(roughness);
            let roughness = of_hdr.or(purpose.picture.map(Picture::roughness)).unwrap_or(0.0);
            defaults::log2_table(u64::from(width) * u64::from(height), roughness)
        });
        let allowed =
            format!("it is the power of two of a table's entries; give 1 to {MAX_LOG2_TABLE}, such as 15");
        within("log2-table", log2_table, 1..=MAX_LOG2_TABLE, allowed)
    }

    fn base_resolution(&self, purpose: Purpose<'_>) -> Result<u32, ConfigError> {
        let base = self.base_resolution.unwrap_or_else(|| defaults::base_resolution(purpose.longer_side()));
        let allowed = format!("give 1 to {MAX_RESOLUTION} cells, such as 16");
        within("base-resolution", base, 1..=MAX_RESOLUTION, allowed)
    }

    fn growth(&self, purpose: Purpose<'_>) -> Result<f64, ConfigError> {
        let (base, n_levels) = (self.base_resolution(purpose)?, self.levels(purpose)?);
        let side = f64::from(purpose.longer_side());
        let growth = match self.growth {
            Some(Growth::Factor(growth)) => growth,
            Some(Growth::Half) => defaults::growth(side / 2.0, base, n_levels),
            None => defaults::growth(side, base, n_levels),
        };
        let allowed = format!("give a factor from 1 to {MAX_GROWTH}, such as 1.5");
        ensure((1.0..=MAX_GROWTH).contains(&growth), "growth", format_args!("{growth:?}"), allowed)?;
        let finest = f64::from(base) * libm::pow(growth, (n_levels - 1) as f64);
        let allowed = format!(
            "the finest level would have {finest:.0} cells and {MAX_RESOLUTION} are possible; give a lower \
             growth, fewer levels or a lower base-resolution"
        );
        ensure(finest <= f64::from(MAX_RESOLUTION), "growth", format_args!("{growth:?}"), allowed)?;
        Ok(growth)
    }

    fn interpolation(&self, _: Purpose<'_>) -> Result<Interpolation, ConfigError> {
        Ok(self.interpolation.unwrap_or(defaults::GRID_INTERPOLATION))
    }
}

/// The section with all of `specs` written out.
pub(super) fn filled(specs: &[EncodingSpec]) -> EncodingConfig {
    let mut also = specs.iter().map(|spec| filled_with(*spec));
    let first = also.next().unwrap_or_default();
    let kinds: Vec<EncodingKind> = also.clone().filter_map(|section| section.kind).collect();
    let all = also.fold(first, EncodingConfig::or);
    EncodingConfig { also: (!kinds.is_empty()).then_some(EncodingList(kinds)), ..all }
}
