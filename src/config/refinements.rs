//! The settings of [`Refinements`]: what is applied around the update rule.

use super::defaults::UsualMuon;
use super::resolve::ensure;
use super::{ConfigError, TrainingConfig};
use crate::model::{OptimizerKind, Refinements};

/// Larger penalties and rates are surely mistakes.
const MAX: f64 = 1e4;

fn positive(setting: &'static str, value: Option<f64>, such_as: &str) -> Result<Option<f64>, ConfigError> {
    let Some(v) = value else { return Ok(None) };
    let allowed = format!("give a number above 0, such as {such_as}");
    ensure(v > 0.0 && v <= MAX, setting, format_args!("{v:?}"), allowed)?;
    Ok(value)
}

impl TrainingConfig {
    /// The refinements at learning rate `lr`; `muon` is what Muon usually does.
    pub(super) fn refinements(&self, lr: f64, muon: UsualMuon) -> Result<Refinements, ConfigError> {
        let penalty = |setting, value: Option<f64>| {
            let v = value.unwrap_or(0.0);
            let allowed = "give a number from 0 on, such as 1e-6";
            ensure((0.0..=MAX).contains(&v), setting, format_args!("{v:?}"), allowed).map(|()| v)
        };
        let encoding_lr = positive("encoding-lr", self.encoding_lr, "1e-2")?;
        let ema = self.ema.unwrap_or(0.0);
        let allowed = "give a decay from 0 to below 1, such as 0.99";
        ensure((0.0..1.0).contains(&ema), "ema", format_args!("{ema:?}"), allowed)?;
        Ok(Refinements {
            encoding_rate: encoding_lr.map_or(1.0, |encoding_lr| encoding_lr / lr),
            matrix_rate: self.muon_lr(muon.lr)?.map_or(1.0, |muon_lr| muon_lr / lr),
            muon_layers: self.muon_layers.unwrap_or(muon.layers),
            encoding_l2: penalty("encoding-l2", self.encoding_l2)?,
            l2: penalty("l2", self.l2)?,
            clip_norm: positive("clip-norm", self.clip_norm, "1")?,
            // An average without memory is no average.
            ema: (ema > 0.0).then_some(ema),
        })
    }

    pub(super) fn has_muon(&self) -> bool {
        self.optimizer == Some(OptimizerKind::Muon)
    }

    /// Muon's learning rate for matrices, if it is used.
    fn muon_lr(&self, usual: f64) -> Result<Option<f64>, ConfigError> {
        let muon_lr = self.has_muon().then_some(self.muon_lr.unwrap_or(usual));
        positive("muon-lr", muon_lr, "1e-2")
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
