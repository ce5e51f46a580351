//! PQ and HLG (ITU-R BT.2100), the encodings of HDR video, as linear light. 203 cd/m^2, the white of a page, is 1 (ITU-R
//! BT.2408).

use super::space::product;
use crate::picture::{Picture, Pixels};
use rayon::prelude::*;

/// The encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HdrCurve {
    /// Perceptual quantizer.
    Pq,
    /// Hybrid log-gamma.
    Hlg,
}

const WHITE: f32 = 203.0;

impl HdrCurve {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pq => "PQ",
            Self::Hlg => "HLG",
        }
    }

    /// Light of a display for encoded colours: BT.2100, tables 4 and 5; HLG on a display of 1000 cd/m^2.
    fn light(self, encoded: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Pq => encoded.map(|v| pq(v) * (10_000.0 / WHITE)),
            Self::Hlg => {
                let scene = encoded.map(hlg);
                let luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2];
                let gain = libm::powf(luminance.max(0.0), 0.2) * (1000.0 / WHITE);
                scene.map(|v| v * gain)
            }
        }
    }

    /// `picture` as floats in linear light, through `matrix` to sRGB's primaries, colours times alpha.
    pub(super) fn decode(self, picture: &Picture, matrix: &[[f32; 3]; 3]) -> Picture {
        let (channels, n_colors) = (picture.channels, picture.color_channels());
        let mut values = vec![0.0; picture.pixels.len()];
        values.par_chunks_exact_mut(channels).enumerate().for_each(|(pixel, out)| {
            let value = |c: usize| picture.pixels.value(pixel * channels + c);
            let alpha = if picture.has_alpha() { value(n_colors) } else { 1.0 };
            let encoded = std::array::from_fn(|c| value(c.min(n_colors - 1)));
            let linear = product(matrix, self.light(encoded));
            (0..n_colors).for_each(|c| out[c] = linear[c] * alpha);
            if picture.has_alpha() {
                out[n_colors] = alpha;
            }
        });
        Picture { pixels: Pixels::F32(values), ..*picture }
    }
}

/// 1 is 10,000 cd/m^2.
fn pq(encoded: f32) -> f32 {
    let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 4096.0 * 128.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 4096.0 * 32.0, 2392.0 / 4096.0 * 32.0);
    let root = libm::powf(encoded.clamp(0.0, 1.0), 1.0 / m2);
    libm::powf((root - c1).max(0.0) / (c2 - c3 * root), 1.0 / m1)
}

/// Scene light in [0, 1].
fn hlg(encoded: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    let v = encoded.clamp(0.0, 1.0);
    if v <= 0.5 { v * v / 3.0 } else { (libm::expf((v - c) / a) + b) / 12.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_is_one() {
        // BT.2408: 203 cd/m^2 is 58 % PQ and 75 % HLG; BT.2100: full PQ is 10,000 cd/m^2, full HLG the display's 1000.
        for (curve, encoded, expected, tolerance) in [
            (HdrCurve::Pq, 0.5807, 1.0, 0.002),
            (HdrCurve::Pq, 1.0, 10_000.0 / 203.0, 1e-2),
            (HdrCurve::Pq, 0.0, 0.0, 1e-6),
            (HdrCurve::Hlg, 0.75, 1.0, 0.01),
            (HdrCurve::Hlg, 1.0, 1000.0 / 203.0, 1e-3),
            (HdrCurve::Hlg, 0.0, 0.0, 1e-6),
        ] {
            let found = curve.light([encoded; 3])[1];
            assert!((found - expected).abs() < tolerance, "{curve:?} of {encoded}: {found}, not {expected}");
        }
    }
}
