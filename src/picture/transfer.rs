//! How values in linear light become those that a network is trained on.
//!
//! A network learns values near 1. Linear light may lie anywhere: a scene in candela per square metre near 1000, a lamp
//! 60,000 times as bright as the room around it. Values are scaled, and where they span too much they are also
//! compressed by a logarithm. Integers are trained on as they are.

use super::color::n_colors;
use super::{Picture, Pixels};
use crate::names::named;
use std::borrow::Cow;

named! {
    /// The curve of a [`Transfer`].
    pub enum Curve {
        /// v * scale.
        Linear "linear",
        /// ln(1 + v * scale) / 4, odd-symmetric around 0: differences count in proportion to brightness.
        Log "log",
    }
}

/// From a picture's values to those that a network is trained on, and back. Alpha is never changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer {
    /// Factor before the curve, finite and above 0.
    pub scale: f32,
    /// The curve.
    pub curve: Curve,
}

/// With a wider range than this between the median and the peak, small values are lost beside large ones.
const LINEAR_RANGE: f32 = 16.0;
/// Brings the logarithm of usual values near 1.
const LOG_GAIN: f32 = 0.25;
/// The median times the scale of a logarithm: below the median it is still nearly even.
const LOG_MEDIAN: f32 = 64.0;
/// At most this times the scale is the 99th percentile, so that a background of almost 0 does not count as detail.
const LOG_HIGH: f32 = 1_048_576.0;
/// A value this many times above the median is taken for an error: the sun is 10^12 times as bright as a night.
const MAX_RANGE: f32 = 1e13;
/// Values looked at to find the median.
const N_PROBED: usize = 1 << 20;

impl Transfer {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { scale: 1.0, curve: Curve::Linear };

    /// The transfer that suits `picture`, with a given `curve` or the one that it needs: the identity for integers. The
    /// scale is a power of two, so that pictures with a usual brightness near 1 and no extremes keep their values.
    pub fn for_picture(picture: &Picture, curve: Option<Curve>) -> Self {
        let Some(Levels { median, high, peak, .. }) = Levels::of(picture) else { return Self::IDENTITY };
        let needed = if peak <= LINEAR_RANGE * median { Curve::Linear } else { Curve::Log };
        let curve = curve.unwrap_or(needed);
        let scale = match curve {
            Curve::Linear => 1.0 / high,
            Curve::Log => (LOG_MEDIAN / median).min(LOG_HIGH / high),
        };
        Self { scale: power_of_two(scale), curve }
    }

    /// Whether values stay as they are.
    pub fn is_identity(self) -> bool {
        self == Self::IDENTITY
    }

    /// The value that the network is trained on for `value`.
    #[inline]
    pub fn encode(self, value: f32) -> f32 {
        match self.curve {
            Curve::Linear => value * self.scale,
            Curve::Log => (LOG_GAIN * libm::log1pf(value.abs() * self.scale)).copysign(value),
        }
    }

    /// The picture's value for a value of the network. NaN stays NaN; what is beyond the largest float becomes that.
    #[inline]
    pub fn decode(self, value: f32) -> f32 {
        let decoded = match self.curve {
            Curve::Linear => value / self.scale,
            Curve::Log => libm::expm1f(value.abs() / LOG_GAIN).copysign(value) / self.scale,
        };
        decoded.clamp(-f32::MAX, f32::MAX)
    }

    /// The derivatives of [`Self::decode_pixels`], from the derivatives `by` of the network's `values`: (pixels,
    /// `channels`) each.
    pub fn decode_derivatives(self, values: &[f64], by: &mut [[f64; 2]], channels: usize) {
        let (scale, gain) = (f64::from(self.scale), f64::from(LOG_GAIN));
        let is_color = |place: usize| place % channels < n_colors(channels);
        for (_, (value, by)) in values.iter().zip(by).enumerate().filter(|(place, _)| is_color(*place)) {
            let factor = match self.curve {
                Curve::Linear => 1.0 / scale,
                Curve::Log => libm::exp(value.abs() / gain) / (gain * scale),
            };
            *by = by.map(|d| factor * d);
        }
    }

    /// [`Self::decode`] of the colours of pixels with `channels` channels: (pixels, channels).
    pub fn decode_pixels(self, values: &mut [f32], channels: usize) {
        self.map_colors(values, channels, Self::decode);
    }

    /// `picture` as the network is trained on it: a copy unless this is the identity.
    pub fn encode_picture(self, picture: &Picture) -> Picture {
        let mut encoded = picture.clone();
        if let Pixels::F32(values) = &mut encoded.pixels {
            self.map_colors(values, picture.channels, Self::encode);
        }
        encoded
    }

    fn map_colors(self, values: &mut [f32], channels: usize, map: impl Fn(Self, f32) -> f32) {
        if self.is_identity() {
            return;
        }
        let n_colors = n_colors(channels);
        for pixel in values.chunks_exact_mut(channels) {
            pixel[..n_colors].iter_mut().for_each(|value| *value = map(self, *value));
        }
    }
}

fn power_of_two(value: f32) -> f32 {
    libm::exp2f(libm::log2f(value).round().clamp(-126.0, 126.0))
}

/// How bright a picture in linear light is.
struct Levels {
    /// Of the values that are not 0.
    median: f32,
    /// The 99th percentile.
    high: f32,
    /// The largest magnitude, and its index.
    peak: f32,
    peak_at: usize,
}

impl Levels {
    /// `None` for integers, and for a picture that is 0 everywhere.
    fn of(picture: &Picture) -> Option<Self> {
        let (peak, peak_at) = picture.hdr_peak()?;
        let n_colors = picture.color_channels();
        // A step that shares no factor with the number of channels meets each of them.
        let at_least = picture.pixels.len() / N_PROBED + 1;
        let step = (at_least..).find(|step| step % 2 == 1 && step % 3 != 0).expect("one in six is");
        let places = (0..picture.pixels.len()).step_by(step);
        let colors = places.filter(|place| place % picture.channels < n_colors);
        let mut probed: Vec<f32> =
            colors.map(|place| picture.pixels.value(place).abs()).filter(|&v| v > 0.0).collect();
        probed.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| probed.get((probed.len() as f64 * share) as usize).copied();
        // A few bright pixels between those probed.
        Some(Self { median: at(0.5).unwrap_or(peak), high: at(0.99).unwrap_or(peak), peak, peak_at })
    }
}

impl Picture {
    /// The value that PSNR is relative to: 1 for integers, the largest magnitude of a colour for linear light (1 if all
    /// are 0).
    pub fn peak(&self) -> f32 {
        self.hdr_peak().map_or(1.0, |(peak, _)| peak)
    }

    /// The factor at which a screen shows a picture in linear light: 1 unless it would be nearly black or white.
    pub fn exposure(&self) -> f32 {
        let Some(Levels { median, high, .. }) = Levels::of(self) else { return 1.0 };
        let bright = high.min(8.0 * median);
        if (1.0 / 8.0..=8.0).contains(&bright) { 1.0 } else { power_of_two(1.0 / bright) }
    }

    /// The picture at `exposure`: in linear light a factor for colours, of integers the picture itself.
    pub fn exposed(&self, exposure: f32) -> Cow<'_, Self> {
        match &self.pixels {
            Pixels::F32(values) if exposure != 1.0 => {
                let mut values = values.clone();
                let transfer = Transfer { scale: exposure, curve: Curve::Linear };
                transfer.map_colors(&mut values, self.channels, Transfer::encode);
                Cow::Owned(Self { pixels: Pixels::F32(values), ..*self })
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// The picture as a screen shows it at `exposure`, at 8 bits, with the same channels. Integers are kept as they
    /// are, at any depth.
    pub fn shown(&self, exposure: f32) -> Cow<'_, Self> {
        match self.is_hdr() {
            true => Cow::Owned(self.exposed(exposure).to_display()),
            false => Cow::Borrowed(self),
        }
    }

    /// The value of each channel that errors are relative to: [`Self::peak`] for colours, 1 for alpha.
    pub fn peaks(&self) -> [f64; 4] {
        let (peak, n_colors) = (f64::from(self.peak()), self.color_channels());
        std::array::from_fn(|channel| if channel < n_colors { peak } else { 1.0 })
    }

    /// The largest magnitude of a colour in linear light and its index; `None` for integers and if all are 0.
    fn hdr_peak(&self) -> Option<(f32, usize)> {
        let Pixels::F32(values) = &self.pixels else { return None };
        let n_colors = self.color_channels();
        let (mut peak, mut at) = (0.0, 0);
        for (index, &value) in values.iter().enumerate() {
            if value.abs() > peak && index % self.channels < n_colors {
                (peak, at) = (value.abs(), index);
            }
        }
        (peak > 0.0).then_some((peak, at))
    }

    /// The place and value of a colour that no scene can hold beside the others, and their median.
    pub fn out_of_range(&self) -> Option<OutOfRange> {
        let Levels { median, peak, peak_at, .. } = Levels::of(self)?;
        let (pixel, width) = (peak_at / self.channels, self.width as usize);
        let found =
            OutOfRange { value: self.pixels.value(peak_at), median, x: pixel % width, y: pixel / width };
        (peak > MAX_RANGE * median).then_some(found)
    }
}

/// A value so far above the others that it must be an error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutOfRange {
    /// The value.
    pub value: f32,
    /// The median magnitude of the picture's values that are not 0.
    pub median: f32,
    /// Its column.
    pub x: usize,
    /// Its row.
    pub y: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(values: Vec<f32>) -> Picture {
        Picture { width: values.len() as u32, height: 1, channels: 1, pixels: Pixels::F32(values) }
    }

    /// A scene from 0.2 to 1.4.
    fn scene() -> Vec<f32> {
        (0..1000).map(|i| 0.2 + (i % 100) as f32 * 0.012).collect()
    }

    #[test]
    fn a_usual_scene_and_integers_keep_their_values() {
        assert!(Transfer::for_picture(&grey(scene()), None).is_identity());
        let bytes = Picture { width: 2, height: 1, channels: 1, pixels: Pixels::U8(vec![3, 250]) };
        assert!(Transfer::for_picture(&bytes, None).is_identity());
        // A curve that is asked for gets its own scale.
        assert_eq!(Transfer::for_picture(&grey(scene()), Some(Curve::Log)).scale, 64.0);
        assert!(Transfer::for_picture(&grey(vec![0.0; 9]), None).is_identity());
        assert_eq!((bytes.peak(), grey(vec![0.5, -7.0]).peak(), grey(vec![0.0]).peak()), (1.0, 7.0, 1.0));
    }

    #[test]
    fn every_channel_of_a_large_picture_is_looked_at() {
        // With a step of 3, which its size suggests, only the first would be.
        let values = (0..700 * 700 * 3).map(|i| if i % 3 == 0 { 1e-6 } else { 1.0 }).collect();
        let picture = Picture { width: 700, height: 700, channels: 3, pixels: Pixels::F32(values) };
        assert_eq!(Levels::of(&picture).expect("it has light").median, 1.0);
    }

    #[test]
    fn a_dark_and_a_bright_scene_are_scaled_alike() {
        for factor in [1e-4, 1e3, 3e7] {
            let values: Vec<f32> = scene().into_iter().map(|v| v * factor).collect();
            let transfer = Transfer::for_picture(&grey(values.clone()), None);
            assert_eq!(transfer.curve, Curve::Linear, "times {factor}");
            let largest = values.iter().map(|&v| transfer.encode(v)).fold(0.0, f32::max);
            assert!((0.5..=2.0).contains(&largest), "times {factor}: {largest}");
            assert!(values.iter().all(|&v| transfer.decode(transfer.encode(v)) == v));
        }
    }

    #[test]
    fn a_scene_with_a_sun_is_compressed() {
        let mut values = scene();
        values[500] = 60_000.0;
        let transfer = Transfer::for_picture(&grey(values.clone()), None);
        assert_eq!(transfer.curve, Curve::Log);
        assert!(transfer.encode(60_000.0) < 16.0, "{}", transfer.encode(60_000.0));
        assert!(transfer.encode(1.0) - transfer.encode(0.5) > 0.15, "the scene keeps its contrast");
        for value in values.into_iter().chain([0.0, -0.3, -1e5]) {
            let back = transfer.decode(transfer.encode(value));
            assert!((back - value).abs() <= 1e-5 * value.abs(), "{value} came back as {back}");
        }
        assert_eq!(transfer.decode(1e9), f32::MAX);
        assert!(transfer.decode(f32::NAN).is_nan());
    }

    #[test]
    fn previews_of_dark_and_bright_scenes_are_neither_black_nor_white() {
        assert_eq!(grey(scene()).exposure(), 1.0);
        for factor in [1e-4, 1e3] {
            let picture = grey(scene().into_iter().map(|v| v * factor).collect());
            let shown = picture.shown(picture.exposure()).into_owned();
            let Pixels::U8(values) = shown.pixels else { panic!("8 bits are shown") };
            let (dark, bright) =
                (values.iter().filter(|&&v| v < 30).count(), values.iter().filter(|&&v| v == 255).count());
            assert!(dark == 0 && bright < 500, "times {factor}: {dark} dark and {bright} white of 1000");
        }
        let deep = Picture { width: 1, height: 1, channels: 1, pixels: Pixels::U16(vec![7]) };
        assert_eq!(*deep.shown(5.0), deep);
    }

    #[test]
    fn alpha_is_left_alone() {
        let transfer = Transfer { scale: 4.0, curve: Curve::Linear };
        let picture =
            Picture { width: 1, height: 2, channels: 2, pixels: Pixels::F32(vec![1.0, 0.5, 2.0, 0.25]) };
        let encoded = transfer.encode_picture(&picture);
        assert_eq!(encoded.pixels, Pixels::F32(vec![4.0, 0.5, 8.0, 0.25]));
        let Pixels::F32(mut values) = encoded.pixels else { unreachable!() };
        transfer.decode_pixels(&mut values, 2);
        assert_eq!(Pixels::F32(values), picture.pixels);
    }

    #[test]
    fn a_value_beyond_any_scene_is_named() {
        let mut values = scene();
        values[500] = 1e12;
        assert_eq!(grey(values.clone()).out_of_range(), None);
        values[500] = -1e30;
        let found = grey(values).out_of_range().expect("too large");
        assert_eq!((found.value, found.x, found.y), (-1e30, 500, 0));
    }
}
