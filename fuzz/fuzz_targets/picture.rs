//! A picture from a stranger: refused with a sentence, or as many values as its size says.
#![no_main]

use afterimage::picture::load::{MAX_DECODED_BYTES, MAX_PIXELS, Reading, parse};
use afterimage::picture::ColorHandling;
use libfuzzer_sys::fuzz_target;
use std::num::NonZeroU32;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    // None, or one of the first three.
    let page = NonZeroU32::new(bytes.len() as u32 % 4);
    let color = if bytes.len() % 8 < 4 { ColorHandling::Srgb } else { ColorHandling::Keep };
    if let Ok(loaded) = parse(bytes, Path::new("fuzz"), Reading { page, color }) {
        let picture = loaded.picture;
        assert!(picture.n_pixels() > 0 && picture.n_pixels() <= MAX_PIXELS);
        assert!((1..=4).contains(&picture.channels));
        assert_eq!(picture.pixels.len() as u64, picture.n_pixels() * picture.channels as u64);
        assert!(picture.pixels.len() as u64 <= MAX_DECODED_BYTES);
    }
});
