//! The `[network]` section: the activation's parameters, and what does not go together.

use super::{NetworkConfig, defaults};
use crate::model::{Activation, ActivationKind, Init};

/// Parameters of activations, which are settings of the same names.
const PARAMETERS: [&str; 3] = ["w0", "scale", "slope"];

impl NetworkConfig {
    /// The hidden activation, with or without a grid before it.
    pub(super) fn kind(&self, has_grid: bool) -> ActivationKind {
        self.activation.unwrap_or_else(|| defaults::activation(has_grid).kind())
    }

    /// The activation's parameter `name`, where it is given.
    pub(super) fn parameter(&self, name: &str) -> Option<f32> {
        match name {
            "w0" => self.w0,
            "scale" => self.scale,
            "slope" => self.slope,
            _ => unreachable!("{name} is in PARAMETERS"),
        }
    }

    /// Parameters that are given and that the activation does not have.
    pub(super) fn without_effect(&self, has_grid: bool) -> Vec<(&'static str, String)> {
        let activation = self.kind(has_grid).with(|_| None);
        let unused = |name: &&str| self.parameter(name).is_some() && activation.param(name).is_none();
        let with_activation = |name: &'static str| {
            let has = |a: &&Activation| a.param(name).is_some();
            let names: Vec<_> = Activation::ALL.iter().filter(has).map(|a| a.name()).collect();
            (name, format!("with {}: only {} have it", activation.name(), names.join(", ")))
        };
        PARAMETERS.into_iter().filter(unused).map(with_activation).collect()
    }

    /// What can be run and is hardly meant.
    pub(super) fn questionable(&self, has_grid: bool) -> Option<String> {
        let activation = self.kind(has_grid).with(|_| None);
        let given = self.init?;
        let usual = defaults::init(activation);
        ((given == Init::Siren) != (usual == Init::Siren)).then(|| match usual {
            Init::Siren => format!(
                "{} hardly learns without the initial weights made for it: leave out --init",
                activation.name()
            ),
            _ => format!("--init siren is made for sine, not for {}: leave it out", activation.name()),
        })
    }
}
