//! The curve from encoded values to linear light.

use moxcms::{DataColorSpace, ToneCurveEvaluator, ToneReprCurve};

/// Steps between 0 and 1, so that values of 8 and 16 bits are exact.
const STEPS: usize = 65535;

/// A curve from encoded values to linear light.
pub(super) struct Curve {
    /// Its values at the steps.
    table: Vec<f32>,
    evaluator: Box<dyn ToneCurveEvaluator + Send + Sync>,
    /// Whether the profile has only values between 0 and 1.
    bounded: bool,
}

impl Curve {
    pub(super) fn new(curve: &ToneReprCurve) -> Result<Self, String> {
        let evaluator = curve.make_linear_evaluator().map_err(|e| format!("its curve cannot be used: {e}"))?;
        let table: Vec<f32> =
            (0..=STEPS).map(|i| evaluator.evaluate_value(i as f32 / STEPS as f32)).collect();
        if table.iter().any(|v| !v.is_finite()) {
            return Err("its curve is no curve".to_owned());
        }
        let bounded = matches!(curve, ToneReprCurve::Lut(table) if table.len() > 1);
        Ok(Self { table, evaluator, bounded })
    }

    /// Its luminance, if `pcs` says that it ends in lightness.
    pub(super) fn into_luminance(mut self, pcs: DataColorSpace) -> Self {
        if pcs == DataColorSpace::Lab {
            // CIE 15: L* = 116 f(Y) - 16.
            let luminance = |lightness: f32| {
                let f = (100.0 * lightness + 16.0) / 116.0;
                if f > 6.0 / 29.0 { f.powi(3) } else { 3.0 * (6.0f32 / 29.0).powi(2) * (f - 4.0 / 29.0) }
            };
            self.table.iter_mut().for_each(|v| *v = luminance(*v));
            self.bounded = true;
        }
        self
    }

    /// At an encoded value in [0, 1]; others are clamped.
    #[inline]
    pub(super) fn at(&self, encoded: f32) -> f32 {
        let place = encoded.clamp(0.0, 1.0) * STEPS as f32;
        let below = place as usize;
        let (low, high) = (self.table[below], self.table[(below + 1).min(STEPS)]);
        low + (high - low) * (place - below as f32)
    }

    /// At any value. Below 0 it is mirrored; a bounded curve continues straight on from 1.
    pub(super) fn extended(&self, encoded: f32) -> f32 {
        let size = encoded.abs();
        let linear = match size {
            _ if size <= 1.0 => self.at(size),
            _ if self.bounded => {
                let slope = (self.at(1.0) - self.at(1.0 - 1.0 / 64.0)) * 64.0;
                self.at(1.0) + slope * (size - 1.0)
            }
            _ => self.evaluator.evaluate_value(size),
        };
        linear.copysign(encoded)
    }

    pub(super) fn is_linear(&self) -> bool {
        self.table.iter().step_by(257).enumerate().all(|(i, &v)| (v - i as f32 / 255.0).abs() < 1e-4)
    }
}
