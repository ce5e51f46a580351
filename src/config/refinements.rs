//! The settings of [`Refinements`]: what is applied around the update rule.

use super::defaults::UsualMuon;
use super::resolve::bad;
use super::{ConfigError, TrainingConfig};
use crate::model::{OptimizerKind, Refinements};

/// Larger penalties and rates are surely mistakes.
const MAX: f64 = 1e4;

impl TrainingConfig {
    /// The refinements at learning rate `lr`; `muon` is what Muon usually does.
    pub(super) fn refinements(&self, lr: f64, muon: UsualMuon) -> Result<Refinements, ConfigError> {
        let positive = |setting, value: Option<f64>, such_as: &str| match value {
            Some(v) if !(v > 0.0 && v <= MAX) => {
                Err(bad(setting, format_args!("{v:?}"), format!("give a number above 0, such as {such_as}")))
            }
            other => Ok(other),
        };
        let penalty = |setting, value: Option<f64>| match value.unwrap_or(0.0) {
            v if (0.0..=MAX).contains(&v) => Ok(v),
            v => Err(bad(setting, format_args!("{v:?}"), "give a number from 0 on, such as 1e-6")),
        };
        let encoding_lr = positive("encoding-lr", self.encoding_lr, "1e-2")?;
        let ema = match self.ema {
            Some(v) if !(0.0..1.0).contains(&v) => {
                let allowed = "give a decay from 0 to below 1, such as 0.99";
                return Err(bad("ema", format_args!("{v:?}"), allowed));
            }
            // An average without memory is no average.
            other => other.filter(|&v| v > 0.0),
        };
        Ok(Refinements {
            encoding_rate: encoding_lr.map_or(1.0, |encoding_lr| encoding_lr / lr),
            matrix_rate: self.muon_lr(muon.lr)?.map_or(1.0, |muon_lr| muon_lr / lr),
            muon_layers: self.muon_layers.unwrap_or(muon.layers),
            encoding_l2: penalty("encoding-l2", self.encoding_l2)?,
            l2: penalty("l2", self.l2)?,
            clip_norm: positive("clip-norm", self.clip_norm, "1")?,
            ema,
        })
    }

    pub(super) fn has_muon(&self) -> bool {
        self.optimizer == Some(OptimizerKind::Muon)
    }

    /// Muon's learning rate for matrices, if it is used.
    fn muon_lr(&self, usual: f64) -> Result<Option<f64>, ConfigError> {
        match self.muon_lr.unwrap_or(usual) {
            _ if !self.has_muon() => Ok(None),
            muon_lr if muon_lr > 0.0 && muon_lr <= MAX => Ok(Some(muon_lr)),
            muon_lr => {
                Err(bad("muon-lr", format_args!("{muon_lr:?}"), "give a number above 0, such as 1e-2"))
            }
        }
    }

    /// Writes what Muon does, and clears it without Muon.
    pub(super) fn fill_muon(&mut self, usual: UsualMuon) {
        let has_muon = self.has_muon();
        self.muon_lr = has_muon.then_some(self.muon_lr.unwrap_or(usual.lr));
        self.muon_layers = has_muon.then_some(self.muon_layers.unwrap_or(usual.layers));
    }

    /// Muon's settings, if they are given without Muon.
    pub(super) fn muon_without_effect(&self) -> Vec<(String, String)> {
        let given = [("muon-lr", self.muon_lr.is_some()), ("muon-layers", self.muon_layers.is_some())];
        let unused = given.into_iter().filter(|(_, given)| *given && !self.has_muon());
        unused.map(|(setting, _)| (setting.to_owned(), "without --optimizer muon".to_owned())).collect()
    }

    /// Settings for an encoding's weights that have no effect, since it has none.
    pub(super) fn encoding_without_weights(&self) -> Vec<(String, String)> {
        let why = "with this encoding: it has no weights to train";
        let given = [("encoding-lr", self.encoding_lr), ("encoding-l2", self.encoding_l2)];
        let given = given.into_iter().filter(|(_, value)| value.is_some());
        given.map(|(setting, _)| (setting.to_owned(), why.to_owned())).collect()
    }
}
