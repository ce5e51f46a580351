//! Resampling and cropping.

use super::alpha::{associate, straighten};
use super::{Picture, PictureBuilder, PictureError, Pixels, Result};
use rayon::prelude::*;
use std::f64::consts::PI;

/// Resamples to `width` by `height` with a separable three-lobed Lanczos filter, like PIL's
/// `Image.resize(..., LANCZOS)`: when shrinking, the filter is stretched by the scale to prevent
/// aliasing. Opaque 8-bit pictures also use PIL's arithmetic (22-bit fixed-point weights, values
/// rounded to 8 bits between the two passes), so that results are comparable with training from
/// Python on the same picture. All others are resampled in floats.
///
/// Colours are weighted by alpha. Values that overshoot the range of the depth, or for HDR the range of
/// the picture's colours or its alpha, are clamped.
///
/// # Panics
/// When a side is 0.
pub fn resize(picture: &Picture, width: u32, height: u32) -> Picture {
    assert!(width > 0 && height > 0, "resize to {width}x{height}");
    if (width, height) == (picture.width, picture.height) {
        return picture.clone();
    }
    if let (Pixels::U8(values), false) = (&picture.pixels, picture.has_alpha()) {
        let pixels = Pixels::U8(resize_u8(picture, values, width, height));
        return Picture { width, height, channels: picture.channels, pixels };
    }
    let narrowed = resize_rows(picture, &taps(picture.width, width));
    let rows = taps(picture.height, height);
    let ranges = value_ranges(picture);
    let row_len = width as usize * picture.channels;
    let mut builder = PictureBuilder::new(width, height, picture.channels, picture.depth());
    let mut out = vec![0.0f32; row_len];
    for tap in &rows {
        out.fill(0.0);
        for (y, &weight) in (tap.first..).zip(&tap.weights) {
            let weight = weight as f32;
            let row = &narrowed[y * row_len..][..row_len];
            for (sum, &value) in out.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        if picture.has_straight_alpha() {
            straighten(&mut out, picture.channels);
        }
        for pixel in out.chunks_exact_mut(picture.channels) {
            for (value, &(low, high)) in pixel.iter_mut().zip(&ranges) {
                *value = value.clamp(low, high);
            }
        }
        builder.push(&out);
    }
    builder.finish()
}

/// Crops to `width` by `height` pixels at the centre. An odd remainder is cut off at the right or the
/// bottom.
///
/// # Errors
/// When the crop is empty or larger than the picture.
pub fn center_crop(picture: &Picture, width: u32, height: u32) -> Result<Picture> {
    if width == 0 || height == 0 || width > picture.width || height > picture.height {
        return Err(PictureError::CropTooLarge {
            crop_width: width,
            crop_height: height,
            width: picture.width,
            height: picture.height,
        });
    }
    let channels = picture.channels;
    let left = ((picture.width - width) / 2) as usize * channels;
    let top = ((picture.height - height) / 2) as usize;
    let (stride, len) = (picture.width as usize * channels, width as usize * channels);
    let starts = (top..top + height as usize).map(|y| y * stride + left);
    let pixels = match &picture.pixels {
        Pixels::U8(v) => Pixels::U8(starts.flat_map(|at| &v[at..at + len]).copied().collect()),
        Pixels::U16(v) => Pixels::U16(starts.flat_map(|at| &v[at..at + len]).copied().collect()),
        Pixels::F32(v) => Pixels::F32(starts.flat_map(|at| &v[at..at + len]).copied().collect()),
    };
    Ok(Picture { width, height, channels, pixels })
}

/// The source samples of one output sample.
struct Tap {
    first: usize,
    /// Sum to 1.
    weights: Vec<f64>,
}

/// Fractional bits of PIL's weights for 8-bit pictures.
const WEIGHT_BITS: u32 = 22;

impl Tap {
    fn fixed_point(&self) -> Vec<i32> {
        let scale = f64::from(1 << WEIGHT_BITS);
        self.weights.iter().map(|w| (w * scale).round() as i32).collect()
    }
}

/// Both passes in PIL's fixed-point arithmetic.
fn resize_u8(picture: &Picture, values: &[u8], width: u32, height: u32) -> Vec<u8> {
    let channels = picture.channels;
    let fixed = |taps: Vec<Tap>| -> Vec<(usize, Vec<i32>)> {
        taps.iter().map(|tap| (tap.first, tap.fixed_point())).collect()
    };
    let (columns, rows) = (fixed(taps(picture.width, width)), fixed(taps(picture.height, height)));
    let half = 1 << (WEIGHT_BITS - 1);
    let round = |sum: i32| (sum >> WEIGHT_BITS).clamp(0, 255) as u8;
    let (in_len, out_len) = (picture.width as usize * channels, width as usize * channels);

    let mut narrowed = vec![0u8; picture.height as usize * out_len];
    narrowed.par_chunks_exact_mut(out_len).zip(values.par_chunks_exact(in_len)).for_each(|(out, row)| {
        for ((first, weights), out) in columns.iter().zip(out.chunks_exact_mut(channels)) {
            for (c, out) in out.iter_mut().enumerate() {
                let samples = row[first * channels + c..].iter().step_by(channels);
                *out = round(weights.iter().zip(samples).fold(half, |sum, (w, &v)| sum + w * i32::from(v)));
            }
        }
    });

    let mut out = vec![0u8; height as usize * out_len];
    out.par_chunks_exact_mut(out_len).zip(&rows).for_each(|(out, (first, weights))| {
        let mut sums = vec![half; out_len];
        for (weight, row) in weights.iter().zip(narrowed[first * out_len..].chunks_exact(out_len)) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(value);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = round(sum);
        }
    });
    out
}

/// The [`Tap`]s of `to` outputs along an axis of `from` inputs.
fn taps(from: u32, to: u32) -> Vec<Tap> {
    const LOBES: f64 = 3.0;
    let scale = f64::from(from) / f64::from(to);
    let stretch = scale.max(1.0);
    let support = LOBES * stretch;
    let tap = |i: u32| {
        let center = (f64::from(i) + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from as usize);
        let weight = |x: usize| lanczos((x as f64 + 0.5 - center) / stretch, LOBES);
        let sum: f64 = (first..end).map(weight).sum();
        Tap { first, weights: (first..end).map(|x| weight(x) / sum).collect() }
    };
    (0..to).map(tap).collect()
}

/// sinc(x) sinc(x / lobes) inside the lobes, 0 outside.
fn lanczos(x: f64, lobes: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { libm::sin(PI * x) / (PI * x) };
    if x.abs() < lobes { sinc(x) * sinc(x / lobes) } else { 0.0 }
}

/// The horizontal pass: (picture.height, columns.len(), channels), colours multiplied by alpha.
fn resize_rows(picture: &Picture, columns: &[Tap]) -> Vec<f32> {
    let channels = picture.channels;
    let in_len = picture.width as usize * channels;
    let out_len = columns.len() * channels;
    let is_straight = picture.has_straight_alpha();
    let mut out = vec![0.0f32; picture.height as usize * out_len];
    let one_row = |row: &mut Vec<f32>, (y, out): (usize, &mut [f32])| {
        row.clear();
        row.extend((y * in_len..(y + 1) * in_len).map(|i| picture.pixels.value(i)));
        if is_straight {
            associate(row, channels);
        }
        for (tap, out) in columns.iter().zip(out.chunks_exact_mut(channels)) {
            for (pixel, &weight) in row[tap.first * channels..].chunks_exact(channels).zip(&tap.weights) {
                for (sum, &value) in out.iter_mut().zip(pixel) {
                    *sum += weight as f32 * value;
                }
            }
        }
    };
    out.par_chunks_exact_mut(out_len).enumerate().for_each_init(Vec::new, one_row);
    out
}

/// The range of each channel. Colours of HDR share one.
fn value_ranges(picture: &Picture) -> Vec<(f32, f32)> {
    let Pixels::F32(values) = &picture.pixels else { return vec![(0.0, 1.0); picture.channels] };
    let range = |values: &mut dyn Iterator<Item = &f32>| {
        let start = (f32::INFINITY, f32::NEG_INFINITY);
        values.fold(start, |(low, high), &v| (low.min(v), high.max(v)))
    };
    let (n_colors, channels) = (picture.color_channels(), picture.channels);
    let mut colors = values.chunks_exact(channels).flat_map(|pixel| &pixel[..n_colors]);
    let mut ranges = vec![range(&mut colors); n_colors];
    if picture.has_alpha() {
        ranges.push(range(&mut values.iter().skip(n_colors).step_by(channels)));
    }
    ranges
}
