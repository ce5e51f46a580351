//! PSNR in JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A PSNR in dB for JSON, which has no infinity: that of equal pictures is written `"inf"`, as in `metrics.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decibels(f64);

impl Decibels {
    /// `None` for what is no number: nothing was measured, or the network diverged.
    pub fn of(psnr: f64) -> Option<Self> {
        (!psnr.is_nan()).then_some(Self(psnr))
    }

    /// The number, infinite for equal pictures.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Serialize for Decibels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_finite() {
            true => serializer.serialize_f64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Decibels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(psnr) => Ok(Self(psnr)),
            Written::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_is_a_text() {
        let json = |psnr| serde_json::to_string(&Decibels::of(psnr)).expect("JSON");
        assert_eq!([json(31.25), json(f64::INFINITY), json(f64::NAN)], ["31.25", "\"inf\"", "null"]);
        for psnr in [31.25, f64::INFINITY] {
            let again: Decibels = serde_json::from_str(&json(psnr)).expect("a PSNR");
            assert_eq!(again.value(), psnr);
        }
    }
}
