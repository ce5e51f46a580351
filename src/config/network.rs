//! The `[network]` section: the activation's parameters, and settings that do not go together.

use super::{ConfigError, NetworkConfig, Section, defaults, parameters};
use crate::model::{Activation, ActivationKind, Init};

impl NetworkConfig {
    /// The hidden activation, with or without a grid before it.
    pub(super) fn kind(&self, has_grid: bool) -> ActivationKind {
        self.activation.unwrap_or_else(|| defaults::activation(has_grid).kind())
    }

    /// The hidden activation with its parameters.
    pub(super) fn hidden_activation(&self, has_grid: bool) -> Result<Activation, ConfigError> {
        parameters::check::<Activation>(self, |value| value.to_string())?;
        Ok(self.kind(has_grid).with(|name| self.get(name)))
    }

    /// Parameters that are given but that the activation does not have.
    pub(super) fn without_effect(&self, has_grid: bool) -> Vec<(String, String)> {
        parameters::without_effect(self, self.kind(has_grid).with(|_| None))
    }

    pub(super) fn fill_activation(&mut self, activation: Activation) {
        self.activation = Some(activation.kind());
        parameters::fill(self, activation);
    }

    /// Without the activation and its constants and initial weights, which do not apply to another.
    pub(crate) fn without_activation(mut self) -> Self {
        (self.activation, self.init) = (None, None);
        parameters::clear::<Activation>(&mut self);
        self
    }

    /// Valid but almost certainly unintended settings.
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
