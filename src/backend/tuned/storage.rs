//! How values between layers are stored.

use serde::{Deserialize, Serialize};

/// How values between layers are stored: features, pre-activations and their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 32 bits, as computed.
    #[default]
    F32,
    /// Half the memory.
    F16,
}

impl Storage {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::F32, Self::F16];
}

/// Relative error of an f32 rounded to f16 in a direction that WGSL leaves open.
pub const HALF_ROUNDING: f64 = 1.0 / (1 << 10) as f64;

/// The largest f16.
pub const HALF_MAX: f64 = 65_504.0;

/// The smallest normal f16: below it, denormals may be flushed to zero.
pub const HALF_FLUSH: f64 = 1.0 / (1 << 14) as f64;

/// Gradients in f16 are stored multiplied by this, times the step's values rounded down to a power of two: near 1,
/// where f16 is exact to three digits, instead of below its range. What exceeds the range is clipped. tiny-cuda-nn's
/// default loss scale is the same.
const LOSS_SCALE: f64 = 128.0;

impl Storage {
    /// Bytes of a value.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What stored gradients are multiplied by in a step of `n_values` samples times channels: a power of two, so
    /// that dividing it out is exact.
    pub fn gradient_scale(self, n_values: usize) -> f32 {
        match self {
            Self::F32 => 1.0,
            Self::F16 => (LOSS_SCALE * f64::from(1_u32 << (n_values as u32).max(1).ilog2())) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_gradients_are_powers_of_two_near_the_number_of_values() {
        for n in [1, 3, 1000, 3 << 20, u32::MAX as usize] {
            let scale = f64::from(Storage::F16.gradient_scale(n));
            assert_eq!(scale.log2().fract(), 0.0, "{n}");
            let share = scale / LOSS_SCALE / n as f64;
            assert!(share > 0.5 && share <= 1.0, "{n}: {share}");
        }
        assert_eq!(Storage::F32.gradient_scale(7), 1.0);
    }
}
