//! The curve from encoded values to linear light.

use moxcms::{DataColorSpace, ParametricCurve, ToneReprCurve};

/// Steps between 0 and 1, so that values of 8 and 16 bits are exact.
const STEPS: usize = 65535;

/// A curve from encoded values to linear light.
pub(super) struct Curve {
    /// Its values at the steps.
    table: Vec<f32>,
    formula: Formula,
}

/// Curves of ICC profiles (ICC.1:2022, sections 10.6 and 10.18). Computed here, since moxcms approximates powers, some
/// near 0 by large numbers.
enum Formula {
    Power(f32),
    Parametric(ParametricCurve),
    /// Values between 0 and 1, evenly spaced.
    Table(Vec<f32>),
}

impl Formula {
    fn new(curve: &ToneReprCurve) -> Option<Self> {
        Some(match curve {
            ToneReprCurve::Lut(table) => match table.as_slice() {
                [] => Self::Power(1.0),
                [power] => Self::Power(f32::from(*power) / 256.0),
                _ => Self::Table(table.iter().map(|&v| f32::from(v) / 65535.0).collect()),
            },
            ToneReprCurve::Parametric(parameters) if parameters.is_empty() => return None,
            ToneReprCurve::Parametric(parameters) => Self::Parametric(ParametricCurve::new(parameters)?),
        })
    }

    /// At a value from 0 on; a table ends at 1.
    fn at(&self, encoded: f32) -> f32 {
        match self {
            Self::Power(power) => libm::powf(encoded, *power),
            Self::Parametric(curve) if encoded < curve.d => curve.c * encoded + curve.f,
            Self::Parametric(curve) => libm::powf((curve.a * encoded + curve.b).max(0.0), curve.g) + curve.e,
            Self::Table(table) => interpolate(table, encoded),
        }
    }
}

/// `table` from 0 to 1, at `place`, clamped.
#[inline]
fn interpolate(table: &[f32], place: f32) -> f32 {
    let last = table.len() - 1;
    let place = place.clamp(0.0, 1.0) * last as f32;
    let below = place as usize;
    let (low, high) = (table[below], table[(below + 1).min(last)]);
    low + (high - low) * (place - below as f32)
}

impl Curve {
    pub(super) fn new(curve: &ToneReprCurve) -> Result<Self, String> {
        let none = || "one of its curves is not valid".to_owned();
        let formula = Formula::new(curve).ok_or_else(none)?;
        let table: Vec<f32> = (0..=STEPS).map(|i| formula.at(i as f32 / STEPS as f32)).collect();
        if table.iter().all(|v| v.is_finite()) { Ok(Self { table, formula }) } else { Err(none()) }
    }

    /// Its luminance, if `pcs` says that it ends in lightness.
    pub(super) fn into_luminance(self, pcs: DataColorSpace) -> Self {
        if pcs != DataColorSpace::Lab {
            return self;
        }
        // CIE 15: L* = 116 f(Y) - 16.
        let luminance = |lightness: f32| {
            let f = (100.0 * lightness + 16.0) / 116.0;
            if f > 6.0 / 29.0 { f * f * f } else { 108.0 / 841.0 * (f - 4.0 / 29.0) }
        };
        let table: Vec<f32> = self.table.into_iter().map(luminance).collect();
        Self { formula: Formula::Table(table.clone()), table }
    }

    /// At an encoded value in [0, 1]; others are clamped.
    #[inline]
    pub(super) fn at(&self, encoded: f32) -> f32 {
        interpolate(&self.table, encoded)
    }

    /// At any value. Below 0 it is mirrored; a table continues straight on from 1.
    pub(super) fn extended(&self, encoded: f32) -> f32 {
        let size = encoded.abs();
        let linear = match &self.formula {
            _ if size <= 1.0 => self.at(size),
            Formula::Table(_) => {
                let slope = (self.at(1.0) - self.at(1.0 - 1.0 / 64.0)) * 64.0;
                self.at(1.0) + slope * (size - 1.0)
            }
            formula => formula.at(size),
        };
        linear.copysign(encoded)
    }

    pub(super) fn is_linear(&self) -> bool {
        self.table.iter().step_by(257).enumerate().all(|(i, &v)| (v - i as f32 / 255.0).abs() < 1e-4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_what_profiles_say() {
        let close = |a: f32, b: f32| (a - b).abs() < 2e-6;
        let power = Curve::new(&ToneReprCurve::Lut(vec![0x01cd])).expect("a curve");
        assert!((0..=255).map(|i| i as f32 / 255.0).all(|v| close(power.at(v), v.powf(461.0 / 256.0))));
        assert!(close(power.extended(-2.0), -(2f32.powf(461.0 / 256.0))));
        let srgb = ToneReprCurve::Parametric(vec![2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045]);
        let srgb = Curve::new(&srgb).expect("a curve");
        assert!(
            (0..=255)
                .map(|i| i as f32 / 255.0)
                .all(|v| { close(srgb.at(v), crate::picture::color::linear_from_srgb(v)) })
        );
        let table = Curve::new(&ToneReprCurve::Lut(vec![0, 16384, 65535])).expect("a curve");
        assert!((table.at(0.25) - 0.125).abs() < 1e-5 && (table.extended(1.5) - 1.75).abs() < 1e-3);
        let linear = Curve::new(&ToneReprCurve::Lut(Vec::new())).expect("a curve");
        assert!(linear.is_linear() && !power.is_linear());
        // Lightness 50 has a luminance of 0.1842.
        let lightness = linear.into_luminance(DataColorSpace::Lab);
        assert!((lightness.at(0.5) - 0.184_19).abs() < 1e-4);
        assert!(Curve::new(&ToneReprCurve::Parametric(vec![f32::NAN])).is_err());
    }
}
