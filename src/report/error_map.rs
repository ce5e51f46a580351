//! Error maps.

use crate::picture::{Picture, Pixels, Transparent};

/// The error drawn white, as a share of the range.
pub(crate) const ERROR_SCALE: f32 = 0.25;

/// From no error to [`ERROR_SCALE`], with evenly rising lightness, so that it is readable without colour.
const RAMP: [[f32; 3]; 5] =
    [[0.0, 0.0, 0.0], [64.0, 22.0, 110.0], [178.0, 52.0, 92.0], [244.0, 142.0, 54.0], [255.0, 255.0, 255.0]];

/// The absolute error of each pixel, in row order: the mean over channels, alpha included, of values
/// as a screen shows them. The full range is 1. Of a pixel whose colour is hidden in the truth it is that of alpha.
///
/// # Panics
/// When the pictures differ in size or channels.
pub(crate) fn pixel_errors(reconstruction: &Picture, truth: &Picture, transparent: Transparent) -> Vec<f32> {
    let shape = |p: &Picture| (p.width, p.height, p.channels);
    assert_eq!(shape(reconstruction), shape(truth), "(width, height, channels) of pictures to compare");
    let hidden = truth.hidden(transparent);
    let error = |pixel: usize| {
        let first =
            if hidden.is_some_and(|hidden| hidden.contains(pixel)) { truth.color_channels() } else { 0 };
        let values = pixel * truth.channels + first..(pixel + 1) * truth.channels;
        let sum: f32 = values.map(|i| (reconstruction.display_value(i) - truth.display_value(i)).abs()).sum();
        sum / (truth.channels - first) as f32
    };
    (0..truth.n_pixels() as usize).map(error).collect()
}

/// The errors of [`pixel_errors`] as colours, from black for 0 to white from [`ERROR_SCALE`] on.
///
/// # Panics
/// When the pictures differ in size or channels.
pub fn error_map(reconstruction: &Picture, truth: &Picture, transparent: Transparent) -> Picture {
    let pixels = pixel_errors(reconstruction, truth, transparent).into_iter().flat_map(color).collect();
    Picture { width: truth.width, height: truth.height, channels: 3, pixels: Pixels::U8(pixels) }
}

fn color(error: f32) -> [u8; 3] {
    ramp(error / ERROR_SCALE)
}

/// The colour at `share` of the scale, clamped to [0, 1].
pub(super) fn ramp(share: f32) -> [u8; 3] {
    let place = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let below = (place as usize).min(RAMP.len() - 2);
    let share = place - below as f32;
    [0, 1, 2].map(|c| (RAMP[below][c] * (1.0 - share) + RAMP[below + 1][c] * share + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lightness_rises_with_the_error() {
        assert_eq!((color(0.0), color(ERROR_SCALE), color(9.0)), ([0; 3], [255; 3], [255; 3]));
        let lightness = |error: f32| {
            let [r, g, b] = color(error).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let steps: Vec<f32> = (0..=100).map(|i| lightness(i as f32 / 100.0 * ERROR_SCALE)).collect();
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{steps:?}");
    }

    #[test]
    fn an_error_is_averaged_over_channels() {
        let picture =
            |values: Vec<u8>| Picture { width: 1, height: 1, channels: 3, pixels: Pixels::U8(values) };
        let map = error_map(&picture(vec![255, 0, 0]), &picture(vec![0, 0, 0]), Transparent::Fill);
        assert_eq!(map.pixels, Pixels::U8(vec![255; 3]));
        let same = error_map(&picture(vec![9, 8, 7]), &picture(vec![9, 8, 7]), Transparent::Fill);
        assert_eq!(same.pixels, Pixels::U8(vec![0; 3]));
    }

    #[test]
    fn hidden_colours_have_no_error() {
        let picture =
            |values: Vec<u8>| Picture { width: 2, height: 1, channels: 2, pixels: Pixels::U8(values) };
        let (truth, other) = (picture(vec![0, 0, 0, 51]), picture(vec![255, 51, 0, 51]));
        assert_eq!(pixel_errors(&other, &truth, Transparent::Fill), [0.2, 0.0]);
        assert_eq!(pixel_errors(&other, &truth, Transparent::Keep), [0.6, 0.0]);
    }
}
