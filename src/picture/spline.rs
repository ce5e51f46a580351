//! Cubic spline interpolation between every other pixel of a picture: what a network that has seen only those must be better
//! than (Unser, "Splines: a perfect fit for signal and image processing", 1999).

use super::{Picture, SquaredError};
use crate::model::SampleSet;
use rayon::prelude::*;

/// The error of the cubic spline through the training pixels, at the test pixels; none where every pixel is trained on or
/// some are masked, and for pictures in linear light or with alpha.
pub fn spline_error(picture: &Picture, samples: &SampleSet) -> Option<SquaredError> {
    let has_colors_alone = picture.channels % 2 == 1 && !picture.is_hdr();
    let is_whole = samples.stride() == 2 && samples.masked.is_none();
    let tested = |x, y| samples.in_test_split(x, y);
    if is_whole && has_colors_alone { error_of(picture, tested) } else { None }
}

/// [`spline_error`] at the pixels that are `tested`; none for a picture of too few.
fn error_of(picture: &Picture, tested: impl Fn(u32, u32) -> bool + Sync) -> Option<SquaredError> {
    let (columns, rows) = (picture.width.div_ceil(2) as usize, picture.height.div_ceil(2) as usize);
    if columns < 2 || rows < 2 {
        return None;
    }
    let mut error = SquaredError::default();
    for channel in 0..picture.channels {
        let value = |x: usize, y: usize| {
            picture.pixels.value((y * picture.width as usize + x) * picture.channels + channel)
        };
        let mut spline: Vec<f64> =
            (0..columns * rows).map(|i| f64::from(value(2 * (i % columns), 2 * (i / columns)))).collect();
        (0..rows).for_each(|row| coefficients(&mut spline, row * columns, 1, columns));
        (0..columns).for_each(|column| coefficients(&mut spline, column, columns, rows));
        let across: Vec<_> = (0..picture.width).map(|x| weights(x, columns)).collect();
        let error_of_row = |y: u32| {
            let (down, mut error) = (weights(y, rows), SquaredError::default());
            for x in (0..picture.width).filter(|&x| tested(x, y)) {
                let across = &across[x as usize];
                let row = |row: usize| -> f64 {
                    across.iter().map(|(column, w)| w * spline[row * columns + column]).sum()
                };
                let found: f64 = down.iter().map(|&(n, w)| w * row(n)).sum();
                error.add_value(found.clamp(0.0, 1.0) as f32, value(x as usize, y as usize));
            }
            error
        };
        // One after the other, so that any number of threads gives the same sum.
        let of_rows: Vec<SquaredError> = (0..picture.height).into_par_iter().map(error_of_row).collect();
        of_rows.into_iter().for_each(|of_row| error.merge(of_row));
    }
    Some(error)
}

/// Replaces samples, of which the first is at `first` and the next a `step` behind, by coefficients of B-splines. Beyond
/// its ends a row goes on as in a mirror.
fn coefficients(values: &mut [f64], first: usize, step: usize, count: usize) {
    const POLE: f64 = -0.267_949_192_431_122_7; // sqrt(3) - 2
    let at = |n: usize| first + n * step;
    // Twenty more would change less than 1e-11 of the sum.
    let (mut sum, mut power) = (0.0, 1.0);
    for n in 0..20 {
        let period = 2 * count - 2;
        let mirrored = n % period;
        sum += power * values[at(mirrored.min(period - mirrored))];
        power *= POLE;
    }
    values[at(0)] = sum;
    for n in 1..count {
        values[at(n)] += POLE * values[at(n - 1)];
    }
    let (last, before) = (values[at(count - 1)], values[at(count - 2)]);
    values[at(count - 1)] = POLE / (POLE * POLE - 1.0) * (last + POLE * before);
    for n in (0..count - 1).rev() {
        values[at(n)] = POLE * (values[at(n + 1)] - values[at(n)]);
    }
    (0..count).for_each(|n| values[at(n)] *= 6.0);
}

/// The coefficients that the value at `place`, of which every other is a sample, is the sum of, with their weights.
fn weights(place: u32, count: usize) -> [(usize, f64); 4] {
    let (sample, last) = ((place / 2) as isize, count as isize - 1);
    let weights = match place % 2 {
        0 => [1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0, 0.0],
        _ => [1.0 / 48.0, 23.0 / 48.0, 23.0 / 48.0, 1.0 / 48.0],
    };
    let mirrored = |n: isize| {
        let n = n.rem_euclid(2 * last);
        n.min(2 * last - n)
    };
    std::array::from_fn(|k| (mirrored(sample - 1 + k as isize) as usize, weights[k]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn picture(width: u32, height: u32, value: impl Fn(u32, u32) -> f64) -> Picture {
        let pixels = (0..width * height).map(|i| (65535.0 * value(i % width, i / width)).round() as u16);
        Picture { width, height, channels: 1, pixels: Pixels::U16(pixels.collect()) }
    }

    #[test]
    fn it_goes_through_the_pixels_and_keeps_what_a_mirror_keeps() {
        let noise = |x: u32, y: u32| f64::from((x * 7919 + y * 104_729 + x * y * 31) % 1000) / 1000.0;
        for (width, height) in [(17, 12), (3, 3), (4, 40)] {
            let rough = picture(width, height, noise);
            let error = error_of(&rough, |x, y| x % 2 == 0 && y % 2 == 0).expect("an error");
            assert_eq!(error.count, u64::from(width.div_ceil(2) * height.div_ceil(2)));
            assert!(error.mse() < 1e-14, "{width}x{height}: {}", error.mse());
        }
        // A cosine with its ends at extremes is its own mirror; the spline of 16 samples a period is close to it.
        let wave = |x: u32| 0.5 + 0.4 * libm::cos(f64::from(x) * std::f64::consts::PI / 16.0);
        let smooth = picture(33, 33, |x, y| 0.5 * (wave(x) + wave(y)));
        let error = error_of(&smooth, |x, y| x % 2 == 1 && y % 2 == 1).expect("an error");
        assert_eq!(error.count, 16 * 16);
        assert!(error.psnr() > 80.0, "{}", error.psnr());
    }

    #[test]
    fn two_samples_go_on_as_in_a_mirror() {
        // What is behind the last is what is before it.
        let edge = picture(4, 4, |x, _| if x == 0 { 0.0 } else { 0.5 });
        let error = |place| error_of(&edge, move |x, _| x == place).expect("an error").mse();
        assert!(error(1) > 0.0 && (error(3) - error(1)).abs() < 1e-9, "{} {}", error(1), error(3));
    }

    #[test]
    fn what_it_says_of_the_portrait_is_what_scipy_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
        let portrait = crate::picture::load(&path).expect("the portrait");
        let error = error_of(&portrait, |x, y| x % 2 == 1 && y % 2 == 1).expect("an error");
        assert!((error.psnr() - SCIPY).abs() < 0.01, "{}", error.psnr());
    }

    /// Of `map_coordinates(channel[::2, ::2], [y + 0.5, x + 0.5], order=3, mode="mirror")`, clipped, in dB.
    const SCIPY: f64 = 27.345;
}
