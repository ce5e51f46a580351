//! The picture as words, as kernels read it.

use crate::picture::{Picture, Pixels};
use std::ops::Range;

/// Storage bindings a picture is split over.
pub(crate) const PICTURE_PARTS: usize = 4;

/// The picture on the device: a whole number of words per pixel.
pub(crate) fn words_per_pixel(picture: &Picture) -> usize {
    match picture.pixels {
        Pixels::U8(_) => 1,
        Pixels::U16(_) => picture.channels.div_ceil(2),
        Pixels::F32(_) => picture.channels,
    }
}

/// Words of the pixels `pixels` of `picture`: little-endian fields of 8, 16 or 32 bits.
pub(crate) fn pack(picture: &Picture, pixels: Range<usize>) -> Vec<u32> {
    let per_pixel = words_per_pixel(picture);
    let mut words = vec![0; pixels.len() * per_pixel];
    for (pixel, words) in pixels.zip(words.chunks_exact_mut(per_pixel)) {
        pack_pixel(picture, pixel, words);
    }
    words
}

#[inline(always)]
pub(crate) fn pack_pixel(picture: &Picture, pixel: usize, words: &mut [u32]) {
    let values = pixel * picture.channels..(pixel + 1) * picture.channels;
    match &picture.pixels {
        Pixels::U8(v) => words[0] = v[values].iter().rev().fold(0, |word, &b| word << 8 | u32::from(b)),
        Pixels::U16(v) => {
            for (word, pair) in words.iter_mut().zip(v[values].chunks(2)) {
                *word = pair.iter().rev().fold(0, |word, &b| word << 16 | u32::from(b));
            }
        }
        Pixels::F32(v) => {
            words.iter_mut().zip(&v[values]).for_each(|(word, value)| *word = value.to_bits());
        }
    }
}
