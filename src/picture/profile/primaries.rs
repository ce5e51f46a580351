//! Primaries given by their positions in the CIE 1931 diagram.

use super::described::Chromaticities;
use super::space::to_f32;
use moxcms::{Chromaticity, ColorPrimaries, ColorProfile, XyY};

const D65: [f32; 2] = [0.3127, 0.3290];
const ACES: [f32; 2] = [0.32168, 0.33767];

/// Of sRGB and Rec. 709.
pub(super) const SRGB: Chromaticities = [[0.64, 0.33], [0.30, 0.60], [0.15, 0.06], D65];
pub(super) const REC_2020: Chromaticities = [[0.708, 0.292], [0.170, 0.797], [0.131, 0.046], D65];
pub(super) const P3: Chromaticities = [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], D65];

/// Names of primaries.
const KNOWN: [(&str, Chromaticities); 8] = [
    ("sRGB", SRGB),
    ("Rec. 2020", REC_2020),
    ("Display P3", P3),
    ("DCI-P3", [P3[0], P3[1], P3[2], [0.314, 0.351]]),
    ("Adobe RGB", [[0.64, 0.33], [0.21, 0.71], [0.15, 0.06], D65]),
    ("ProPhoto RGB", [[0.7347, 0.2653], [0.1596, 0.8404], [0.0366, 0.0001], [0.3457, 0.3585]]),
    ("ACES2065-1", [[0.7347, 0.2653], [0.0, 1.0], [0.0001, -0.077], ACES]),
    ("ACEScg", [[0.713, 0.293], [0.165, 0.830], [0.128, 0.044], ACES]),
];

/// Whether two are the same but for rounding.
pub(super) fn are_same(a: &Chromaticities, b: &Chromaticities) -> bool {
    a.as_flattened().iter().zip(b.as_flattened()).all(|(a, b)| (a - b).abs() < 2e-3)
}

/// The name of a space with these primaries.
pub(super) fn name(chromaticities: &Chromaticities) -> Option<&'static str> {
    KNOWN.iter().find(|(_, known)| are_same(known, chromaticities)).map(|(name, _)| *name)
}

pub(super) fn white(chromaticities: &Chromaticities) -> XyY {
    let [x, y] = chromaticities[3];
    XyY { x: x.into(), y: y.into(), yb: 1.0 }
}

pub(super) fn primaries(chromaticities: &Chromaticities) -> ColorPrimaries {
    let point = |i: usize| Chromaticity::new(chromaticities[i][0], chromaticities[i][1]);
    ColorPrimaries { red: point(0), green: point(1), blue: point(2) }
}

/// From linear light of these primaries to that of sRGB's; whites are adapted by Bradford's method. `None` if they
/// span no colours.
pub(super) fn to_srgb(chromaticities: &Chromaticities) -> Option<[[f32; 3]; 3]> {
    let [red, green, blue, white] = chromaticities;
    let doubled_area = (green[0] - red[0]) * (blue[1] - red[1]) - (green[1] - red[1]) * (blue[0] - red[0]);
    if doubled_area.abs() < 1e-3 || white[1] < 1e-3 {
        return None;
    }
    let colorants = |c: &Chromaticities| ColorProfile::colorants_matrix(self::white(c), primaries(c));
    let matrix = to_f32(colorants(&SRGB).inverse().mat_mul(colorants(chromaticities)));
    matrix.iter().flatten().all(|v| v.is_finite()).then_some(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::profile::space::{is_identity, product};

    #[test]
    fn matrices_agree_with_published_ones() {
        assert!(is_identity(&to_srgb(&SRGB).expect("colours")));
        // ITU-R BT.2087: from Rec. 2020 to Rec. 709.
        let found = to_srgb(&REC_2020).expect("colours");
        let expected = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]];
        for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 2e-4, "{found}, not {expected}");
        }
        // Another white becomes white.
        for (name, known) in KNOWN {
            let white = product(&to_srgb(&known).expect("colours"), [1.0; 3]);
            assert!(white.iter().all(|v| (v - 1.0).abs() < 1e-3), "{name}: {white:?}");
        }
        assert_eq!(name(&REC_2020), Some("Rec. 2020"));
        assert_eq!(to_srgb(&[[0.3, 0.3]; 4]), None);
    }
}
