//! Pictures prepared for viewing: fitted into a box, 8-bit RGB.

use crate::picture::{Picture, Pixels, resize};
use image::{Rgb, RgbImage};

/// Pictures up to this size are enlarged.
const TINY_SIDE: u32 = 128;
/// Size to enlarge them to, at least, by an integer factor.
const ENLARGED_SIDE: u32 = 256;

/// The size of a picture fitted into a box: large pictures are scaled down, tiny ones up by an
/// integer factor, others keep their size.
pub fn fitted_size(width: u32, height: u32, max_width: u32, max_height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= TINY_SIDE {
        let factor = ENLARGED_SIDE.div_ceil(longest).min((max_width / width).min(max_height / height));
        return (width * factor.max(1), height * factor.max(1));
    }
    let scale = (f64::from(max_width) / f64::from(width)).min(f64::from(max_height) / f64::from(height));
    if scale >= 1.0 {
        return (width, height);
    }
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

/// Fits `picture` into a box of `max_width` by `max_height` ([`fitted_size`]): Lanczos down,
/// nearest neighbour up. HDR is clamped and sRGB-encoded; alpha is blended over a light checkerboard.
pub fn panel(picture: &Picture, max_width: u32, max_height: u32) -> RgbImage {
    let (width, height) = fitted_size(picture.width, picture.height, max_width, max_height);
    if width > picture.width {
        let factor = width / picture.width;
        return composite(picture, width, height, factor);
    }
    if (width, height) == (picture.width, picture.height) {
        return composite(picture, width, height, 1);
    }
    composite(&resize(picture, width, height), width, height, 1)
}

pub(super) fn picture_of(image: RgbImage) -> Picture {
    let (width, height) = image.dimensions();
    Picture { width, height, channels: 3, pixels: Pixels::U8(image.into_raw()) }
}

/// Each pixel of `picture` as a square of `factor` pixels.
fn composite(picture: &Picture, width: u32, height: u32, factor: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let pixel = (y / factor) as usize * picture.width as usize + (x / factor) as usize;
        let board = checkerboard(x, y);
        Rgb([0, 1, 2].map(|c| {
            let channel = if picture.color_channels() == 1 { 0 } else { c };
            (picture.display_over(pixel, channel, board).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
        }))
    })
}

fn checkerboard(x: u32, y: u32) -> f32 {
    const SQUARE: u32 = 8;
    if (x / SQUARE + y / SQUARE).is_multiple_of(2) { 1.0 } else { 0.9 }
}
