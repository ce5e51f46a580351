//! The sRGB curve, and pictures as a screen shows them.

use super::builder::to_u8;
use super::{Picture, Pixels};

/// Linear light to sRGB-encoded, both in [0, 1] (IEC 61966-2-1). Values outside are clamped.
pub fn srgb_from_linear(linear: f32) -> f32 {
    let v = linear.clamp(0.0, 1.0);
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * libm::powf(v, 1.0 / 2.4) - 0.055 }
}

/// sRGB-encoded to linear light, both in [0, 1] (IEC 61966-2-1). Values outside are clamped.
pub fn linear_from_srgb(encoded: f32) -> f32 {
    let v = encoded.clamp(0.0, 1.0);
    if v <= 0.040_45 { v / 12.92 } else { libm::powf((v + 0.055) / 1.055, 2.4) }
}

impl Picture {
    /// Whether the last channel is alpha.
    pub fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Number of channels other than alpha: 1 or 3.
    pub fn color_channels(&self) -> usize {
        self.channels - usize::from(self.has_alpha())
    }

    /// Value `index` as a screen shows it: sRGB-encoded in [0, 1]. HDR colours are clamped and
    /// sRGB-encoded; alpha stays linear.
    #[inline]
    pub fn display_value(&self, index: usize) -> f32 {
        let value = self.pixels.value(index);
        if !self.is_hdr() {
            value
        } else if index % self.channels < self.color_channels() {
            srgb_from_linear(value)
        } else {
            value.clamp(0.0, 1.0)
        }
    }

    /// The picture as a screen shows it, at 8 bits, with the same channels.
    pub fn to_display(&self) -> Self {
        let values = (0..self.pixels.len()).map(|i| to_u8(self.display_value(i)));
        Self { pixels: Pixels::U8(values.collect()), ..*self }
    }
}
