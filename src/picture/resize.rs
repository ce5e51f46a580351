//! Resampling and cropping.

use super::{Picture, PictureBuilder, PictureError, Pixels};
use rayon::prelude::*;
use std::f64::consts::PI;

/// Resamples to `width` by `height` with a Lanczos filter of three lobes, separably, the way
/// PIL's `Image.resize(..., LANCZOS)` does: when shrinking, the filter is stretched by the scale,
/// so nothing aliases. Intermediate values are floats and not clamped, as in PIL's "F" mode; PIL's
/// 8-bit mode rounds and clamps between the two passes, which shows beside hard edges.
///
/// Colours are weighted by alpha. Values overshooting the depth's range, or for HDR the range of
/// the picture's own values, are clamped.
///
/// # Panics
/// When a side is 0.
pub fn resize(picture: &Picture, width: u32, height: u32) -> Picture {
    assert!(width > 0 && height > 0, "resize to {width}x{height}");
    if (width, height) == (picture.width, picture.height) {
        return picture.clone();
    }
    let narrowed = resize_rows(picture, &taps(picture.width, width));
    let rows = taps(picture.height, height);
    let (low, high) = value_range(picture);
    let row_len = width as usize * picture.channels;
    let mut builder = PictureBuilder::new(width, height, picture.channels, picture.depth());
    let mut out = vec![0.0f32; row_len];
    for tap in &rows {
        out.fill(0.0);
        for (y, &weight) in (tap.first..).zip(&tap.weights) {
            let row = &narrowed[y * row_len..][..row_len];
            for (sum, &value) in out.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        if picture.has_alpha() {
            divide_by_alpha(&mut out, picture.channels);
        }
        for value in &mut out {
            *value = value.clamp(low, high);
        }
        builder.push(&out);
    }
    builder.finish()
}

/// Cuts `width` by `height` pixels out of the middle; of an odd rest, the larger part is cut off
/// at the right or the bottom.
///
/// # Errors
/// When the crop is empty or larger than the picture.
pub fn center_crop(picture: &Picture, width: u32, height: u32) -> Result<Picture, PictureError> {
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

/// The source samples that make one output sample.
struct Tap {
    first: usize,
    /// Adds up to 1.
    weights: Vec<f32>,
}

/// One [`Tap`] for each of `to` outputs along an axis of `from` inputs.
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
        Tap { first, weights: (first..end).map(|x| (weight(x) / sum) as f32).collect() }
    };
    (0..to).map(tap).collect()
}

/// sinc(x) sinc(x / lobes) within the lobes, 0 beyond.
fn lanczos(x: f64, lobes: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if x.abs() < lobes { sinc(x) * sinc(x / lobes) } else { 0.0 }
}

/// The horizontal pass: (picture.height, columns.len(), channels), colours multiplied by alpha.
fn resize_rows(picture: &Picture, columns: &[Tap]) -> Vec<f32> {
    let channels = picture.channels;
    let in_len = picture.width as usize * channels;
    let out_len = columns.len() * channels;
    let mut out = vec![0.0f32; picture.height as usize * out_len];
    let one_row = |row: &mut Vec<f32>, (y, out): (usize, &mut [f32])| {
        row.clear();
        row.extend((y * in_len..(y + 1) * in_len).map(|i| picture.pixels.value(i)));
        if picture.has_alpha() {
            multiply_by_alpha(row, channels);
        }
        for (tap, out) in columns.iter().zip(out.chunks_exact_mut(channels)) {
            for (pixel, &weight) in row[tap.first * channels..].chunks_exact(channels).zip(&tap.weights) {
                for (sum, &value) in out.iter_mut().zip(pixel) {
                    *sum += weight * value;
                }
            }
        }
    };
    out.par_chunks_exact_mut(out_len).enumerate().for_each_init(Vec::new, one_row);
    out
}

fn multiply_by_alpha(values: &mut [f32], channels: usize) {
    for pixel in values.chunks_exact_mut(channels) {
        if let [colors @ .., alpha] = pixel {
            colors.iter_mut().for_each(|c| *c *= *alpha);
        }
    }
}

/// Where alpha vanishes the colour is unknown and becomes black.
fn divide_by_alpha(values: &mut [f32], channels: usize) {
    for pixel in values.chunks_exact_mut(channels) {
        if let [colors @ .., alpha] = pixel {
            let scale = if *alpha > 1e-6 { alpha.recip() } else { 0.0 };
            colors.iter_mut().for_each(|c| *c *= scale);
        }
    }
}

fn value_range(picture: &Picture) -> (f32, f32) {
    match &picture.pixels {
        Pixels::F32(values) => {
            let start = (f32::INFINITY, f32::NEG_INFINITY);
            values.iter().fold(start, |(low, high), &v| (low.min(v), high.max(v)))
        }
        _ => (0.0, 1.0),
    }
}
