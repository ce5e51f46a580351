//! The scale of frequencies, which `--sigma auto` and `--tune` leave to a search.

use super::{Config, Sigma};
use crate::model::{ActivationKind, EncodingKind};

/// The setting that says how fine the detail is that a network tells apart, where it is chosen for each picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The standard deviation of Gaussian frequencies.
    Sigma,
    /// The angular frequency of sines.
    W0,
}

impl Scale {
    /// Its name among the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigma => "sigma",
            Self::W0 => "w0",
        }
    }

    /// The file in a run's folder with the values that were tried.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Sigma => "sigma.csv",
            Self::W0 => "w0.csv",
        }
    }

    /// Fixes it, or leaves it at its default; it is not searched for any more.
    pub fn set(self, config: &mut Config, value: Option<f32>) {
        match self {
            Self::Sigma => config.encoding.sigma = value.map(Sigma::Fixed),
            Self::W0 => config.network.w0 = value,
        }
        config.training.tune = None;
    }

    /// Its value where it is fixed.
    pub fn of(self, config: &Config) -> Option<f32> {
        match (self, config.encoding.sigma) {
            (Self::Sigma, Some(Sigma::Fixed(sigma))) => Some(sigma),
            (Self::Sigma, _) => None,
            (Self::W0, _) => config.network.w0,
        }
    }
}

impl Config {
    /// The scale that must be chosen before this can be resolved, by [`crate::tune::choose_scale`].
    pub fn open_scale(&self) -> Option<Scale> {
        let scale = self.tunable()?;
        let is_auto = scale == Scale::Sigma && self.encoding.sigma == Some(Sigma::Auto);
        ((is_auto || self.tunes()) && scale.of(self).is_none()).then_some(scale)
    }

    fn tunes(&self) -> bool {
        self.training.tune == Some(true)
    }

    /// The scale that it has: of Gaussian features, or else of sines.
    fn tunable(&self) -> Option<Scale> {
        match self.network.activation {
            _ if self.encoding_kinds().contains(&EncodingKind::Gaussian) => Some(Scale::Sigma),
            Some(ActivationKind::Sine | ActivationKind::Finer) => Some(Scale::W0),
            _ => None,
        }
    }

    /// Why `tune` chooses nothing, if it does not.
    pub(super) fn tune_without_effect(&self) -> Option<(String, String)> {
        let why = match self.tunable() {
            None => "without Gaussian features and without sines".to_owned(),
            Some(scale) if scale.of(self).is_some() => format!("where {} is given", scale.name()),
            Some(_) => return None,
        };
        self.tunes().then(|| ("tune".to_owned(), why))
    }
}
