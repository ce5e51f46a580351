//! The update rule of runs that set none.

use crate::config::{ActivationKind, Config, ConfigError, Frequencies, OptimizerKind, defaults};
use crate::model::{EncodingSpec, Holdout, SampleSet};
use crate::picture::Picture;
use std::borrow::Cow;

impl Config {
    /// With its usual update rule, unless one is set, or the rate of one.
    pub(super) fn with_rule(
        &self,
        picture: &Picture,
        samples: SampleSet,
        specs: &[EncodingSpec],
    ) -> Result<Cow<'_, Self>, ConfigError> {
        let training = &self.training;
        let is_set = training.optimizer.is_some() || training.lr.is_some();
        let is_of_muon = training.muon_lr.is_some() || training.muon_layers.is_some();
        // Muon remembers every pixel, noise included: pixels that are held out suffer (docs/OPTIMIZERS.md).
        let memorises = samples.holdout == Holdout::None && samples.masked.is_none();
        let has_fixed_features =
            !self.has_grid() && self.encoding.frequencies.unwrap_or_default() == Frequencies::Frozen;
        let has_relus = self.network.kind(self.has_grid()) == ActivationKind::Relu;
        if is_set || is_of_muon || !(memorises && has_fixed_features && has_relus) {
            return Ok(Cow::Borrowed(self));
        }
        let network = self.model(picture, specs)?.network;
        let n_values = f64::from(samples.len()) * picture.channels as f64;
        if !defaults::gains_from_muon(&network, n_values) {
            return Ok(Cow::Borrowed(self));
        }
        let mut config = self.clone();
        config.training.optimizer = Some(OptimizerKind::Muon);
        Ok(Cow::Owned(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OptimizerKind::{Adam, Muon};
    use crate::picture::Pixels;

    #[test]
    fn muon_is_for_memorising_with_fixed_features() {
        let picture = |side: u32| {
            let pixels = Pixels::U8((0..side * side * 3).map(|i| (i * 7 % 256) as u8).collect());
            Picture { width: side, height: side, channels: 3, pixels }
        };
        let rule = |text: &str, side: u32| {
            let run =
                Config::parse(text).expect("a configuration").resolve(&picture(side), None).expect("a run");
            assert_eq!(run.config.training.optimizer, Some(run.optimizer.kind()));
            assert_eq!(run.config.resolve(&picture(side), None).expect("the same").optimizer, run.optimizer);
            run.optimizer.kind()
        };
        let gaussian = "encoding.kind = 'gaussian'";
        assert_eq!(rule(gaussian, 64), Muon);
        // 99,000 weights.
        assert_eq!((rule(gaussian, 360), rule(gaussian, 368)), (Muon, Adam));
        assert_eq!(rule("encoding.kind = 'one-blob'", 64), Muon);
        for other in [
            "",
            "encoding.kind = 'none'",
            "encoding.kind = 'dense-grid'",
            "encoding = { kind = 'gaussian', frequencies = 'trained' }",
            "encoding.kind = 'gaussian'\nnetwork.activation = 'sine'",
            "encoding.kind = 'gaussian'\npicture.holdout = 'every-other'",
            "encoding.kind = 'gaussian'\ntraining.lr = 5e-3",
            "encoding.kind = 'gaussian'\ntraining.optimizer = 'adam'",
        ] {
            assert_eq!(rule(other, 64), Adam, "{other}");
        }
    }
}
