//! The columns of a comparison: encodings as given, and presets.

use crate::config::{ActivationKind, EncodingConfig, EncodingKind, Preset, Section, Sigma};
use crate::names::Named;
use std::fmt;
use std::str::FromStr;

/// A column of the tables: an encoding or a preset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// With this encoding, all else equal.
    Encoding(EncodingChoice),
    /// With the preset's own settings.
    Preset(Preset),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(encoding) => encoding.fmt(f),
            Self::Preset(preset) => preset.fmt(f),
        }
    }
}

/// An encoding, written `gaussian:10` with its parameter, `none+sine` with an activation, and `gaussian:auto` for a
/// sigma chosen per picture. Unset values are the protocol's or the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncodingChoice {
    pub(crate) kind: EncodingKind,
    /// The part after the colon.
    pub(crate) parameter: Option<Parameter>,
    /// The part after the plus.
    pub(crate) activation: Option<ActivationKind>,
}

/// The setting of an encoding that is compared most often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parameter {
    /// Gaussian: standard deviation of the frequencies. Positional: log2 of the highest one plus 1.
    Sigma(Sigma),
    /// For encodings with one parameter, its name and value: octaves, bins.
    Count(&'static str, usize),
}

impl EncodingChoice {
    /// `kind` with its default parameter.
    pub const fn plain(kind: EncodingKind) -> Self {
        Self { kind, parameter: None, activation: None }
    }

    /// Gaussian with standard deviation `sigma`.
    pub const fn gaussian(sigma: f32) -> Self {
        Self { parameter: Some(Parameter::Sigma(Sigma::Fixed(sigma))), ..Self::plain(EncodingKind::Gaussian) }
    }

    /// As a section of a configuration with `features` frequencies.
    pub(crate) fn config(self, features: Option<usize>) -> EncodingConfig {
        let features = features.filter(|_| self.kind.params().contains(&"features"));
        let mut config = EncodingConfig { kind: Some(self.kind), features, ..EncodingConfig::default() };
        match self.parameter {
            None => {}
            Some(Parameter::Sigma(sigma)) => config.sigma = Some(sigma),
            Some(Parameter::Count(name, n)) => config.set(name, Some(n)),
        }
        config
    }
}

/// Parses the parameter of `kind`: `text` is the part of `whole` after the colon.
fn parameter(kind: EncodingKind, text: &str, whole: &str) -> Result<Parameter, String> {
    let name = kind.name();
    let sigma = |most: f32, what: &str| {
        let number = text.parse().ok().filter(|s: &f32| (0.0..=most).contains(s));
        let sigma =
            number.ok_or_else(|| format!("`{whole}`: {what} is a number from 0 to {most}, such as {name}:6"));
        Ok(Parameter::Sigma(Sigma::Fixed(sigma?)))
    };
    match (kind, kind.params()) {
        (EncodingKind::Gaussian, _) if text == "auto" => Ok(Parameter::Sigma(Sigma::Auto)),
        (EncodingKind::Gaussian, _) => sigma(1e6, "the standard deviation of gaussian frequencies"),
        (EncodingKind::Positional, _) => sigma(20.0, "the exponent of positional frequencies"),
        (_, [what]) => {
            let number = text.parse().ok().filter(|&n: &usize| n > 0);
            let wanted = format!("the number of {what} is a whole number from 1 on, such as {name}:8");
            number.map(|n| Parameter::Count(what, n)).ok_or_else(|| format!("`{whole}`: {wanted}"))
        }
        _ => Err(format!("`{whole}`: {name} has no parameter; give `{name}`")),
    }
}

impl FromStr for EncodingChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (encoding, activation) = match text.split_once('+') {
            Some((encoding, activation)) => (encoding, Some(activation)),
            None => (text, None),
        };
        let (name, of) = match encoding.split_once(':') {
            Some((name, of)) => (name, Some(of)),
            None => (encoding, None),
        };
        let kind = EncodingKind::named(name).ok_or_else(|| {
            let preset = match Preset::named(text) {
                Some(_) => format!(" (`{text}` is a preset: --presets {text})"),
                None => String::new(),
            };
            format!(
                "`{text}` is not an encoding; give one of {}, such as gaussian:10{preset}",
                EncodingKind::names()
            )
        })?;
        let activation = activation.map(|name| {
            ActivationKind::named(name).ok_or_else(|| {
                format!("`{text}`: after the + comes an activation, one of {}", ActivationKind::names())
            })
        });
        Ok(Self {
            kind,
            parameter: of.map(|of| parameter(kind, of, text)).transpose()?,
            activation: activation.transpose()?,
        })
    }
}

impl fmt::Display for EncodingChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.parameter {
            None => {}
            Some(Parameter::Sigma(sigma)) => write!(f, ":{sigma}")?,
            Some(Parameter::Count(_, n)) => write!(f, ":{n}")?,
        }
        self.activation.map_or(Ok(()), |activation| write!(f, "+{activation}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_as_they_are_written() {
        let texts = "none basic positional positional:5 gaussian gaussian:0.5 gaussian:auto octaves:6 \
                     triangle-wave one-blob:32 none+sine gaussian:10+gabor";
        for text in texts.split(' ') {
            assert_eq!(text.parse::<EncodingChoice>().unwrap().to_string(), text);
        }
        assert_eq!("gaussian:10.0".parse(), Ok(EncodingChoice::gaussian(10.0)));
        for (text, part) in [
            ("gaussian:-1", "from 0 to 1000000"),
            ("gaussian:nan", "from 0 to 1000000"),
            ("gaussian:", "from 0 to 1000000"),
            ("positional:21", "from 0 to 20"),
            ("positional:auto", "from 0 to 20"),
            ("one-blob:0", "the number of bins is a whole number from 1 on"),
            ("octaves:2.5", "the number of octaves is a whole number from 1 on"),
            ("basic:3", "no parameter"),
            ("none+sinus", "after the + comes an activation, one of relu,"),
            ("fourier", "is not an encoding"),
            ("siren", "--presets siren"),
            ("", "is not an encoding"),
        ] {
            let error = text.parse::<EncodingChoice>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn parameters_reach_their_settings() {
        let config = |text: &str| text.parse::<EncodingChoice>().unwrap().config(Some(7));
        assert_eq!((config("octaves:6").octaves, config("octaves:6").features), (Some(6), None));
        assert_eq!(config("one-blob:32").bins, Some(32));
        assert_eq!((config("gaussian").features, config("gaussian").sigma), (Some(7), None));
        for kind in EncodingKind::ALL {
            if let Ok(choice) = format!("{kind}:8").parse::<EncodingChoice>() {
                assert_ne!(choice.config(None), EncodingChoice::plain(*kind).config(None), "{kind}");
            }
        }
    }
}
