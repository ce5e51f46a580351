//! Pictures in the inks of a press, with its profile.

use super::space::description;
use crate::picture::color::rgb_from_ycbcr;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use rayon::prelude::*;

/// Pixels of a thread at a time.
const PART: usize = 4096;

/// sRGB of `inks`, (n, 4) with 255 for full ink, and the profile's name; `None` if the profile is not of such inks.
pub(in crate::picture) fn cmyk_to_srgb(inks: &[u8], icc: &[u8]) -> Option<(Vec<u8>, String)> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    if profile.color_space != DataColorSpace::Cmyk {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options).ok()?;
    let mut pixels = vec![0; inks.len() / 4 * 3];
    pixels.par_chunks_mut(PART * 3).zip(inks.par_chunks(PART * 4)).for_each(|(pixels, inks)| {
        transform.transform(inks, pixels).expect("as many pixels as inks");
    });
    Some((pixels, description(&profile)))
}

/// Full ink as 255, from the values of a JPEG: Adobe's programs store CMYK with 0 for full ink, and YCCK as the YCbCr of
/// inks with 255 for full ink beside a K with 0.
pub(in crate::picture) fn inks_of_jpeg(values: &mut [u8], is_ycck: bool) {
    for pixel in values.chunks_exact_mut(4) {
        if is_ycck {
            let inks = rgb_from_ycbcr([pixel[0], pixel[1], pixel[2]]);
            pixel[..3].copy_from_slice(&inks);
        } else {
            pixel[..3].iter_mut().for_each(|v| *v = 255 - *v);
        }
        pixel[3] = 255 - pixel[3];
    }
}
