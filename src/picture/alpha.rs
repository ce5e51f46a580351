//! Colours with alpha, kept apart from it (straight) or times it (associated).
//!
//! Pictures of integers hold straight colours and those of floats associated ones, as PNG and OpenEXR do: only
//! associated colours can give light without opacity, such as a glow.

use super::{Picture, Pixels};
use rayon::prelude::*;

/// Multiplies the colours of each pixel by its alpha, the last of its 2 or 4 `channels`.
pub(super) fn associate(values: &mut [f32], channels: usize) {
    assert!(channels.is_multiple_of(2), "{channels} channels, without alpha");
    for pixel in values.chunks_exact_mut(channels) {
        if let [colors @ .., alpha] = pixel {
            colors.iter_mut().for_each(|c| *c *= *alpha);
        }
    }
}

/// Divides the colours of each pixel by its alpha. Without opacity there is no straight colour; black stands for it.
pub(super) fn straighten(values: &mut [f32], channels: usize) {
    assert!(channels.is_multiple_of(2), "{channels} channels, without alpha");
    for pixel in values.chunks_exact_mut(channels) {
        if let [colors @ .., alpha] = pixel {
            let scale = straight_scale(*alpha);
            colors.iter_mut().for_each(|c| *c *= scale);
        }
    }
}

/// What an associated colour is multiplied by to become straight.
#[inline]
pub(super) fn straight_scale(alpha: f32) -> f32 {
    if alpha > 1e-6 { alpha.recip() } else { 0.0 }
}

/// How a file stores colours with alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// As they are.
    Straight,
    /// Times alpha.
    Associated,
}

/// Converts `picture`, stored as `stored`, to the form in which pictures of its kind are held.
pub(super) fn to_held(picture: &mut Picture, stored: Stored) {
    let channels = picture.channels;
    if !picture.has_alpha() {
        return;
    }
    match (&mut picture.pixels, stored) {
        (Pixels::F32(values), Stored::Straight) => {
            values.par_chunks_mut(ROW * channels).for_each(|row| associate(row, channels));
        }
        (Pixels::U8(values), Stored::Associated) => {
            let straight = |value: u8, alpha: u8| divide(value.into(), alpha.into(), 255) as u8;
            values.par_chunks_exact_mut(channels).for_each(|pixel| straighten_integers(pixel, straight));
        }
        (Pixels::U16(values), Stored::Associated) => {
            let straight = |value: u16, alpha: u16| divide(value.into(), alpha.into(), 65535) as u16;
            values.par_chunks_exact_mut(channels).for_each(|pixel| straighten_integers(pixel, straight));
        }
        _ => {}
    }
}

/// Pixels of a thread at a time.
const ROW: usize = 4096;

fn straighten_integers<T: Copy>(pixel: &mut [T], straight: impl Fn(T, T) -> T) {
    if let [colors @ .., alpha] = pixel {
        colors.iter_mut().for_each(|c| *c = straight(*c, *alpha));
    }
}

/// `value / alpha` of `largest`, rounded to nearest; 0 for an alpha of 0.
fn divide(value: u32, alpha: u32, largest: u32) -> u32 {
    let divided = (u64::from(value) * u64::from(largest) + u64::from(alpha) / 2).checked_div(alpha.into());
    divided.map_or(0, |divided| divided.min(largest.into()) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey_alpha(pixels: Pixels) -> Picture {
        Picture { width: pixels.len() as u32 / 2, height: 1, channels: 2, pixels }
    }

    #[test]
    fn integers_become_straight_and_floats_associated() {
        let mut integers = grey_alpha(Pixels::U8(vec![10, 20, 200, 100, 7, 0, 9, 255]));
        let before = integers.clone();
        to_held(&mut integers, Stored::Straight);
        assert_eq!(integers, before);
        to_held(&mut integers, Stored::Associated);
        // 10 / 20 of 255 is 127.5; a colour above its alpha is clipped; none is left without opacity.
        assert_eq!(integers.pixels, Pixels::U8(vec![128, 20, 255, 100, 0, 0, 9, 255]));
        let mut deep = grey_alpha(Pixels::U16(vec![1000, 4000]));
        to_held(&mut deep, Stored::Associated);
        assert_eq!(deep.pixels, Pixels::U16(vec![16384, 4000]));
        let mut floats = grey_alpha(Pixels::F32(vec![8.0, 0.25, 3.0, 0.0]));
        let before = floats.clone();
        to_held(&mut floats, Stored::Associated);
        assert_eq!(floats, before);
        to_held(&mut floats, Stored::Straight);
        assert_eq!(floats.pixels, Pixels::F32(vec![2.0, 0.25, 0.0, 0.0]));
    }
}
