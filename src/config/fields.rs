//! Types of configuration values.

use crate::model::EncodingKind;
use crate::names::{Named, named};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

/// Encodings side by side, written `none,one-blob`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EncodingList(pub Vec<EncodingKind>);

impl FromStr for EncodingList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none =
            |name| format!("`{name}` is not an encoding; give some of --encoding's, such as none,one-blob");
        let kind = |name| EncodingKind::named(name).ok_or_else(|| none(name));
        text.split(',').map(kind).collect::<Result<_, _>>().map(Self)
    }
}

named! {
    /// Whether the frequencies of Fourier features are trained.
    pub enum Frequencies = Frozen {
        /// They stay as initialised
        Frozen "frozen",
        /// They are trained like the network's weights
        Trained "trained",
    }
}

named! {
    /// Activations of the last layer by name.
    pub enum OutputKind {
        /// 1 / (1 + e^-z), for values in [0, 1]
        Sigmoid "sigmoid",
        /// z, clamped to black and white unless HDR
        Identity "identity" or "none",
    }
}

/// A factor on the loss of each channel, written `1,1,1,0.5`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f32>")]
pub struct ChannelWeights(pub Vec<f32>);

impl TryFrom<Vec<f32>> for ChannelWeights {
    type Error = String;

    fn try_from(weights: Vec<f32>) -> Result<Self, String> {
        let is_fine = |w: &f32| (0.0..=1e6).contains(w);
        if weights.iter().all(is_fine) && weights.iter().any(|w| *w > 0.0) {
            Ok(Self(weights))
        } else {
            Err("channel weights are numbers from 0 to 1e6, not all 0".to_owned())
        }
    }
}

impl FromStr for ChannelWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let weights: Option<Vec<f32>> = text.split(',').map(|w| w.trim().parse().ok()).collect();
        let weights = weights.ok_or_else(|| {
            format!("channel weights are numbers with commas between, such as 1,1,1,0.5, not `{text}`")
        })?;
        weights.try_into()
    }
}

/// Declares a setting that is a number or a word, written like that in TOML and on the command line. `like` is for the
/// parser's messages, and `rule` says what would be valid.
macro_rules! number_or_word {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident (like $like:literal, rule $rule:literal) {
            $(#[doc = $word_doc:literal])+ $word:ident $text:literal,
            $(#[doc = $number_doc:literal])+ $number:ident($type:ty),
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $name {
            $(#[doc = $word_doc])+
            $word,
            $(#[doc = $number_doc])+
            $number($type),
        }

        impl From<$type> for $name {
            fn from(number: $type) -> Self {
                Self::$number(number)
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                if text == $text {
                    return Ok(Self::$word);
                }
                text.parse().map(Self::$number).map_err(|_| format!("{} or `{}`, not `{text}`", $rule, $text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$word => f.write_str($text),
                    Self::$number(number) => number.fmt(f),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::$word => serializer.serialize_str($text),
                    Self::$number(number) => number.serialize(serializer),
                }
            }
        }

        number_or_text!($name, concat!($like, ", or \"", $text, "\""));
    };
}

/// Deserialises a type from a number or a text, by its parser. `expected` is for the error message.
macro_rules! number_or_text {
    ($name:ident, $expected:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(NumberOrText($expected, PhantomData))
            }
        }
    };
}

number_or_word! {
    /// Samples per step.
    #[derive(Eq)]
    pub enum BatchSize (like "a number of samples from 1 on", rule "a batch is a number of samples from 1 to 4294967295") {
        /// All training pixels.
        Full "full",
        /// A number of samples.
        Samples(NonZeroU32),
    }
}

number_or_word! {
    /// The standard deviation of the Gaussian frequencies.
    pub enum Sigma (like "a number", rule "sigma is a number") {
        /// Chosen per picture on held-out pixels, by [`crate::tune::choose_scale`].
        Auto "auto",
        /// This many cycles per longer side; for positional encoding, log2 of the highest frequency
        /// plus one.
        Fixed(f32),
    }
}

number_or_word! {
    /// The factor from each level of a grid to the next.
    pub enum Growth (like "a number", rule "growth is a number") {
        /// Such that the finest level has a cell for two pixels of the picture's longer side, as in instant-ngp.
        Half "half",
        /// This factor.
        Factor(f64),
    }
}

/// Deserialises a value written as a number or a string; `expected` is for the error message.
struct NumberOrText<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err = String>> serde::de::Visitor<'_> for NumberOrText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<T, E> {
        n.to_string().parse().map_err(E::custom)
    }
    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<T, E> {
        n.to_string().parse().map_err(E::custom)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// A PSNR, with or without its unit.
#[cfg(feature = "cli")]
pub(super) fn decibels(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("dB").or_else(|| text.strip_suffix("db")).unwrap_or(text).trim_end();
    number.parse().map_err(|_| format!("give a PSNR in dB, such as 40 or 40dB, not `{text}`"))
}

/// The size a picture is resized to before training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum PictureSize {
    /// Its own size.
    Native,
    /// Its longer side in pixels; the other follows from its shape.
    Longer(NonZeroU32),
    /// Width and height in pixels.
    Pixels(NonZeroU32, NonZeroU32),
}

impl PictureSize {
    /// The size of a picture that has `width` x `height` pixels.
    pub fn of(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Native => (width, height),
            Self::Pixels(width, height) => (width.get(), height.get()),
            Self::Longer(longer) => {
                let scale = f64::from(longer.get()) / f64::from(width.max(height));
                let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
                (side(width), side(height))
            }
        }
    }
}

impl FromStr for PictureSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "native" {
            return Ok(Self::Native);
        }
        let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        let pixels = sides.map(|(w, h)| Self::Pixels(w, h));
        pixels.or_else(|| text.parse().ok().map(Self::Longer)).ok_or_else(|| {
            format!(
                "a size is WIDTHxHEIGHT in pixels, such as 256x256, the longer side, such as 256, or `native`, \
                 not `{text}`"
            )
        })
    }
}

number_or_text!(PictureSize, "a size such as \"256x192\" or 256");

impl From<PictureSize> for String {
    fn from(size: PictureSize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Longer(side) => side.fmt(f),
            Self::Pixels(w, h) => write!(f, "{w}x{h}"),
        }
    }
}

named! {
    /// Which weights a run ends with.
    pub enum Keep = Last {
        /// Those of the last step
        Last "last",
        /// The weights with the best test PSNR: early stopping
        Best "best",
    }
}

/// How often checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum CheckpointEvery {
    /// Only at the end of the run.
    Never,
    /// After this many epochs.
    Epochs(NonZeroU64),
    /// After this many seconds, also within an epoch.
    Seconds(NonZeroU64),
}

impl FromStr for CheckpointEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<NonZeroU64>().ok();
        let in_seconds = |minutes: NonZeroU64| minutes.checked_mul(NonZeroU64::new(60)?);
        let parsed = match (text, text.strip_suffix('s'), text.strip_suffix('m')) {
            ("never", _, _) => Some(Self::Never),
            (_, Some(seconds), _) => number(seconds).map(Self::Seconds),
            (_, _, Some(minutes)) => number(minutes).and_then(in_seconds).map(Self::Seconds),
            (epochs, None, None) => number(epochs).map(Self::Epochs),
        };
        parsed.ok_or_else(|| {
            format!("give epochs such as 10, a time such as 30s or 5m, or `never`, not `{text}`")
        })
    }
}

number_or_text!(CheckpointEvery, "a number of epochs, or a text such as \"30s\"");

impl From<CheckpointEvery> for String {
    fn from(every: CheckpointEvery) -> Self {
        every.to_string()
    }
}

impl fmt::Display for CheckpointEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Epochs(n) => n.fmt(f),
            Self::Seconds(n) => write!(f, "{n}s"),
        }
    }
}
