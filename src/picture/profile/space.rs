//! A colour space, and conversion from it to sRGB or to linear light with sRGB's primaries.

use super::curve::Curve;
use crate::picture::alpha::{associate, straighten};
use crate::picture::builder::{to_u8, to_u16};
use crate::picture::color::{linear_from_srgb, n_colors, srgb_from_linear};
use crate::picture::{Picture, Pixels};
use moxcms::{
    ColorProfile, DataColorSpace, Layout, Matrix3d, ProfileText, TransformF32Executor, TransformOptions,
};
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;

/// The colour space that a profile describes.
#[derive(Clone)]
pub struct Space {
    name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// A curve for each primary, and a matrix from their linear light to that of sRGB's primaries.
    Rgb(Arc<[Curve; 3]>, [[f32; 3]; 3]),
    Grey(Arc<Curve>),
    /// Tables of measured colours, whose transform ends in sRGB.
    Table(Arc<TransformF32Executor>),
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Difference that one level of 255 makes.
const LEVEL: f32 = 1.0 / 255.0;

/// Pixels of a thread at a time.
const PART: usize = 4096;

impl Space {
    /// The space of an ICC profile for pictures in colour or, if `grey`, in grey.
    ///
    /// # Errors
    /// Why the profile cannot be used, as a part of a sentence.
    pub fn from_icc(icc: &[u8], grey: bool) -> Result<Self, String> {
        let profile = ColorProfile::new_from_slice(icc).map_err(|e| format!("it cannot be read: {e}"))?;
        Self::of(&profile, grey)
    }

    /// As [`Self::from_icc`], of a parsed profile.
    pub(super) fn of(profile: &ColorProfile, grey: bool) -> Result<Self, String> {
        let for_other = |what: &str| Err(format!("it is for pictures in {what}"));
        let kind = match (profile.color_space, grey) {
            (DataColorSpace::Gray, true) => {
                let curve = profile.gray_trc.as_ref().ok_or("it has no curve for grey")?;
                Kind::Grey(Arc::new(Curve::new(curve)?.into_luminance(profile.pcs)))
            }
            (DataColorSpace::Rgb, false) => rgb(profile)?,
            (DataColorSpace::Gray, false) => return for_other("grey"),
            (DataColorSpace::Rgb, true) => return for_other("RGB"),
            (DataColorSpace::Cmyk, _) => return for_other("CMYK"),
            (other, _) => return for_other(&format!("{other:?}")),
        };
        Ok(Self { name: description(profile), kind })
    }

    /// What the profile calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Whether colours differ from sRGB by less than a level of 255.
    pub fn is_srgb(&self) -> bool {
        const STEPS: usize = 8;
        let step = |i: usize| i as f32 / STEPS as f32;
        let greys = (0..=255u8).flat_map(|v| [f32::from(v) / 255.0; 3]);
        let colors = (0..(STEPS + 1).pow(3)).flat_map(|i| {
            [step(i % (STEPS + 1)), step(i / (STEPS + 1) % (STEPS + 1)), step(i / (STEPS + 1).pow(2))]
        });
        let before: Vec<f32> = match self.kind {
            Kind::Grey(_) => (0..=255u8).map(|v| f32::from(v) / 255.0).collect(),
            _ => greys.chain(colors).collect(),
        };
        let mut after = before.clone();
        self.encode(&mut after, if matches!(self.kind, Kind::Grey(_)) { 1 } else { 3 });
        before.iter().zip(&after).all(|(a, b)| (a - b).abs() < LEVEL)
    }

    /// Whether it is linear light with sRGB's primaries.
    pub(super) fn is_linear_srgb(&self) -> bool {
        match &self.kind {
            Kind::Rgb(curves, matrix) => curves.iter().all(Curve::is_linear) && is_identity(matrix),
            Kind::Grey(curve) => curve.is_linear(),
            Kind::Table(_) => false,
        }
    }

    /// Converts encoded pixels, (n, channels), to sRGB, clamped to its range. Returns how many pixels were clipped by
    /// more than a level of 255 or two. Alpha is kept.
    pub fn encode(&self, pixels: &mut [f32], channels: usize) -> u64 {
        let n_colors = n_colors(channels);
        match &self.kind {
            Kind::Table(transform) => {
                let colors: Vec<f32> =
                    pixels.chunks_exact(channels).flat_map(|pixel| &pixel[..n_colors]).copied().collect();
                let mut encoded = vec![0.0; colors.len()];
                transform.transform(&colors, &mut encoded).expect("whole pixels of three channels");
                for (pixel, encoded) in pixels.chunks_exact_mut(channels).zip(encoded.chunks_exact(n_colors))
                {
                    (0..n_colors).for_each(|c| pixel[c] = encoded[c].clamp(0.0, 1.0));
                }
                0
            }
            Kind::Grey(curve) => {
                for pixel in pixels.chunks_exact_mut(channels) {
                    pixel[..n_colors].iter_mut().for_each(|v| *v = srgb_from_linear(curve.at(*v)));
                }
                0
            }
            Kind::Rgb(curves, matrix) => {
                let mut clipped = 0;
                for pixel in pixels.chunks_exact_mut(channels) {
                    let linear: [f32; 3] = std::array::from_fn(|c| curves[c].at(pixel[c]));
                    let linear = product(matrix, linear);
                    // sRGB's slope is 12.92 at 0 and 0.44 at 1.
                    let is_outside = |v: f32| !(-2.0 * LEVEL / 12.92..=1.0 + 2.0 * LEVEL / 0.44).contains(&v);
                    clipped += u64::from(linear.iter().any(|&v| is_outside(v)));
                    (0..3).for_each(|c| pixel[c] = srgb_from_linear(linear[c]));
                }
                clipped
            }
        }
    }

    /// Converts floats to linear light with sRGB's primaries, unbounded. Colours are times alpha before and after.
    fn linearize(&self, pixels: &mut [f32], channels: usize) {
        match &self.kind {
            Kind::Grey(curve) if curve.is_linear() => {}
            Kind::Rgb(curves, matrix) if curves.iter().all(Curve::is_linear) => {
                for pixel in pixels.chunks_exact_mut(channels) {
                    let linear = product(matrix, [pixel[0], pixel[1], pixel[2]]);
                    pixel[..3].copy_from_slice(&linear);
                }
            }
            _ if !channels.is_multiple_of(2) => self.linearize_straight(pixels, channels),
            _ => {
                straighten(pixels, channels);
                self.linearize_straight(pixels, channels);
                associate(pixels, channels);
            }
        }
    }

    fn linearize_straight(&self, pixels: &mut [f32], channels: usize) {
        match &self.kind {
            Kind::Grey(curve) => {
                pixels.iter_mut().step_by(channels).for_each(|v| *v = curve.extended(*v));
            }
            Kind::Rgb(curves, matrix) => {
                for pixel in pixels.chunks_exact_mut(channels) {
                    let linear = std::array::from_fn(|c| curves[c].extended(pixel[c]));
                    pixel[..3].copy_from_slice(&product(matrix, linear));
                }
            }
            Kind::Table(_) => {
                self.encode(pixels, channels);
                for pixel in pixels.chunks_exact_mut(channels) {
                    pixel[..3].iter_mut().for_each(|v| *v = linear_from_srgb(*v));
                }
            }
        }
    }

    /// Converts a picture of integers to sRGB at its depth, or one of floats to linear light with sRGB's primaries.
    /// Returns the share of pixels clipped since sRGB does not have their colours.
    pub fn convert(&self, picture: &mut Picture) -> f64 {
        let (channels, n_pixels) = (picture.channels, picture.n_pixels() as f64);
        let clipped = match &mut picture.pixels {
            Pixels::U8(values) => self.encode_integers(values, channels, |v| f32::from(v) / 255.0, to_u8),
            Pixels::U16(values) => self.encode_integers(values, channels, |v| f32::from(v) / 65535.0, to_u16),
            Pixels::F32(values) => {
                values.par_chunks_mut(PART * channels).for_each(|part| self.linearize(part, channels));
                0
            }
        };
        clipped as f64 / n_pixels
    }

    /// [`Self::encode`] for integers, which `widen` and `round` convert.
    fn encode_integers<T: Copy + Send>(
        &self,
        values: &mut [T],
        channels: usize,
        widen: fn(T) -> f32,
        round: fn(f32) -> T,
    ) -> u64 {
        let parts = values.par_chunks_mut(PART * channels).map(|part| {
            let mut floats: Vec<f32> = part.iter().map(|&v| widen(v)).collect();
            let clipped = self.encode(&mut floats, channels);
            for (pixel, floats) in part.chunks_exact_mut(channels).zip(floats.chunks_exact(channels)) {
                (0..n_colors(channels)).for_each(|c| pixel[c] = round(floats[c]));
            }
            clipped
        });
        parts.sum()
    }
}

/// Multiplies each pixel's colours by `matrix`.
pub(super) fn apply(picture: &mut Picture, matrix: &[[f32; 3]; 3]) {
    let channels = picture.channels;
    if let (Pixels::F32(values), 3..) = (&mut picture.pixels, channels) {
        values.par_chunks_exact_mut(channels).for_each(|pixel| {
            let linear = product(matrix, [pixel[0], pixel[1], pixel[2]]);
            pixel[..3].copy_from_slice(&linear);
        });
    }
}

fn rgb(profile: &ColorProfile) -> Result<Kind, String> {
    let srgb = ColorProfile::new_srgb();
    let has_table = profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some();
    if has_table || !profile.is_matrix_shaper() {
        let transform =
            profile.create_transform_f32(Layout::Rgb, &srgb, Layout::Rgb, TransformOptions::default());
        return transform.map(Kind::Table).map_err(|e| format!("it cannot be used: {e}"));
    }
    let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc].map(|curve| {
        let curve = curve.as_ref().ok_or("it has no curve for a colour")?;
        Curve::new(curve)
    });
    let [red, green, blue] = curves;
    let matrix = to_f32(profile.transform_matrix(&srgb));
    match matrix.iter().flatten().all(|v| v.is_finite()) {
        true => Ok(Kind::Rgb(Arc::new([red?, green?, blue?]), matrix)),
        false => Err("its primaries are not valid".to_owned()),
    }
}

pub(super) fn to_f32(matrix: Matrix3d) -> [[f32; 3]; 3] {
    matrix.v.map(|row| row.map(|v| v as f32))
}

pub(super) fn product(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

pub(super) fn is_identity(matrix: &[[f32; 3]; 3]) -> bool {
    let wanted = |row: usize, column: usize| f32::from(u8::from(row == column));
    (0..9).all(|i| (matrix[i / 3][i % 3] - wanted(i / 3, i % 3)).abs() < 2e-3)
}

/// The profile's description, which is untrusted text.
pub(super) fn description(profile: &ColorProfile) -> String {
    const MAX_CHARS: usize = 60;
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.as_str(),
        Some(ProfileText::Localizable(all)) => all
            .iter()
            .find(|text| text.language.starts_with("en"))
            .or(all.first())
            .map_or("", |text| text.value.as_str()),
        Some(ProfileText::Description(text)) => text.ascii_string.as_str(),
        None => "",
    };
    let plain: String = text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    match plain.trim() {
        "" => "its profile".to_owned(),
        plain => plain.to_owned(),
    }
}
