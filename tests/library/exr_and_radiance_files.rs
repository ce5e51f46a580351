//! OpenEXR and Radiance files of every kind.

use afterimage::picture::{Loaded, Picture, PictureError, Pixels, Reading, load::parse};
use exr::prelude::{
    AnyChannel, AnyChannels, Encoding, FlatSamples, Image, Layer, LayerAttributes, WritableImage as _, f16,
};
use std::io::Cursor;
use std::num::NonZeroU32;
use std::path::Path;

/// 3 x 2 values, different for each `seed`.
fn values(seed: usize) -> Vec<f32> {
    (0..6).map(|i| (seed * 10 + i) as f32 * 0.25).collect()
}

fn floats(seed: usize) -> FlatSamples {
    FlatSamples::F32(values(seed))
}

/// A part with a name and the channels of the given names.
fn part(name: &str, channels: &[(&str, FlatSamples)]) -> Layer<AnyChannels<FlatSamples>> {
    let list = channels.iter().map(|(name, samples)| AnyChannel::new(*name, samples.clone()));
    let attributes = LayerAttributes::named(name);
    Layer::new((3, 2), attributes, Encoding::FAST_LOSSLESS, AnyChannels::sort(list.collect()))
}

fn file(parts: Vec<Layer<AnyChannels<FlatSamples>>>) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let window = exr::prelude::IntegerBounds::from_dimensions((3, 2));
    let image = Image::from_layers(exr::prelude::ImageAttributes::new(window), parts);
    image.write().to_buffered(&mut out).expect("written");
    out.into_inner()
}

fn read(parts: Vec<Layer<AnyChannels<FlatSamples>>>, page: u32) -> Result<Loaded, PictureError> {
    parse(&file(parts), Path::new("a.exr"), Reading { page: NonZeroU32::new(page), ..Reading::default() })
}

/// Channels side by side.
fn interleaved(channels: &[Vec<f32>]) -> Pixels {
    Pixels::F32((0..6).flat_map(|i| channels.iter().map(move |channel| channel[i])).collect())
}

#[test]
fn luminance_is_grey_with_or_without_alpha() {
    let found = read(vec![part("a", &[("Y", floats(1))])], 0).expect("it is read");
    assert_eq!((found.picture.width, found.picture.height, found.picture.channels), (3, 2, 1));
    assert_eq!(found.picture.pixels, interleaved(&[values(1)]));
    let found = read(vec![part("a", &[("A", floats(2)), ("Y", floats(1))])], 0).expect("it is read");
    assert_eq!(found.picture.pixels, interleaved(&[values(1), values(2)]));
    let halves = FlatSamples::F16(values(1).into_iter().map(f16::from_f32).collect());
    let found = read(vec![part("a", &[("Y", halves)])], 0).expect("it is read");
    assert_eq!(found.picture.pixels, interleaved(&[values(1)]));
    let numbers = FlatSamples::U32(vec![0, 1, 2, 3, 4, 70_000]);
    let found = read(vec![part("a", &[("Y", numbers)])], 0).expect("it is read");
    assert_eq!(found.picture.pixels, Pixels::F32(vec![0.0, 1.0, 2.0, 3.0, 4.0, 70_000.0]));
}

#[test]
fn files_without_colours_say_what_they_have() {
    for (names, list) in [(&["Z"][..], "Z"), (&["R", "G"], "G, R"), (&["Y", "RY", "BY"], "BY, RY, Y")] {
        let channels: Vec<_> = names.iter().map(|name| (*name, floats(1))).collect();
        let text = read(vec![part("a", &channels)], 0).expect_err("no colours").to_string();
        assert!(text.contains(&format!("its channels are {list})")), "{text}");
    }
}

fn rgb(prefix: &str, seed: usize) -> Vec<(String, FlatSamples)> {
    ["R", "G", "B"].iter().enumerate().map(|(i, c)| (format!("{prefix}{c}"), floats(seed + i))).collect()
}

#[test]
fn layers_and_parts_are_pictures() {
    // Channels are stored by their names, "Above.B" before "B".
    let names = |list: &[(String, FlatSamples)]| {
        list.iter().map(|(name, samples)| (name.clone(), samples.clone())).collect::<Vec<_>>()
    };
    let all = [names(&rgb("Above.", 10)), names(&rgb("", 20)), vec![("d.Z".to_owned(), floats(1))]].concat();
    let channels: Vec<_> = all.iter().map(|(name, samples)| (name.as_str(), samples.clone())).collect();
    let found = read(vec![part("a", &channels)], 0).expect("it is read");
    assert_eq!(found.picture.pixels, interleaved(&[values(20), values(21), values(22)]));
    assert!(found.notes[0].starts_with("a.exr has 2 pictures; the first is used"), "{:?}", found.notes);
    assert_eq!(found.notes[1], "a.exr also has the channels d.Z, which are not used");
    let found = read(vec![part("a", &channels)], 2).expect("it is read");
    assert_eq!(found.picture.pixels, interleaved(&[values(10), values(11), values(12)]));
    let parts = || {
        let colors = |seed| {
            let list = rgb("", seed);
            part(
                if seed == 10 { "left" } else { "right" },
                &list.iter().map(|(n, s)| (n.as_str(), s.clone())).collect::<Vec<_>>(),
            )
        };
        vec![part("depth", &[("Z", floats(1))]), colors(10), colors(20)]
    };
    for (page, seed) in [(0, 10), (1, 10), (2, 20)] {
        let found = read(parts(), page).expect("it is read");
        assert_eq!(found.picture.pixels, interleaved(&[values(seed), values(seed + 1), values(seed + 2)]));
    }
    assert!(read(parts(), 3).is_err());
}

/// A Radiance file of 3 x 2 stored pixels, not compressed: reds 1 to 6, greens 2, blues 4.
fn radiance(magic: &str, lines: &[&str], size: &str, end: &str) -> Result<Loaded, PictureError> {
    let header = [&[magic], lines, &["", size, ""]].concat().join(end);
    let pixels = (1..=6u8).flat_map(|red| [red * 16, 32, 64, 128 + 4]);
    let bytes: Vec<u8> = header.into_bytes().into_iter().chain(pixels).collect();
    parse(&bytes, Path::new("a.hdr"), Reading::default())
}

const PLAIN: [&str; 1] = ["FORMAT=32-bit_rle_rgbe"];

fn reds(picture: &Picture) -> Vec<f32> {
    (0..6).map(|pixel| picture.pixels.value(3 * pixel)).collect()
}

#[test]
fn all_headers_of_radiance_are_read() {
    let plain = radiance("#?RADIANCE", &PLAIN, "-Y 2 +X 3", "\n").expect("it is read");
    assert_eq!(reds(&plain.picture), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!((plain.picture.pixels.value(1), plain.picture.pixels.value(2)), (2.0, 4.0));
    for (magic, end) in [("#?RADIANCE", "\r\n"), ("#?RGBE", "\n"), ("#?AUTOPANO", "\r\n")] {
        assert_eq!(radiance(magic, &PLAIN, "-Y 2 +X 3", end).expect("it is read"), plain, "{magic}");
    }
    let text = radiance("#?RADIANCE", &["FORMAT=32-bit_rle_xyze"], "-Y 2 +X 3", "\n");
    assert!(text.expect_err("not RGB").to_string().contains("XYZ colours"));
}

#[test]
fn radiance_pictures_are_turned_upright() {
    for (size, width, expected) in [
        ("-Y 2 +X 3", 3, [1, 2, 3, 4, 5, 6]),
        ("-Y 2 -X 3", 3, [3, 2, 1, 6, 5, 4]),
        ("+Y 2 +X 3", 3, [4, 5, 6, 1, 2, 3]),
        ("+Y 2 -X 3", 3, [6, 5, 4, 3, 2, 1]),
        // Columns: each of three pixels, the first at the left or right, beginning at the top or bottom.
        ("+X 2 -Y 3", 2, [1, 4, 2, 5, 3, 6]),
        ("+X 2 +Y 3", 2, [3, 6, 2, 5, 1, 4]),
        ("-X 2 -Y 3", 2, [4, 1, 5, 2, 6, 3]),
        ("-X 2 +Y 3", 2, [6, 3, 5, 2, 4, 1]),
    ] {
        let found = radiance("#?RADIANCE", &PLAIN, size, "\n").expect("it is read").picture;
        assert_eq!((found.width, reds(&found)), (width, expected.map(|v| v as f32).to_vec()), "{size}");
    }
}

#[test]
fn exposures_are_divided_out() {
    let lines = ["EXPOSURE=2", PLAIN[0], "EXPOSURE= 0.25", "COLORCORR=1 2 4"];
    let found = radiance("#?RADIANCE", &lines, "-Y 2 +X 3", "\n").expect("it is read");
    let first: Vec<f32> = (0..3).map(|c| found.picture.pixels.value(c)).collect();
    assert_eq!(first, [1.0 / 0.5, 2.0 / 1.0, 4.0 / 2.0]);
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    assert!(found.notes[0].contains("EXPOSURE=0.5") && found.notes[1].contains("COLORCORR=1 2 4"));
    for line in ["EXPOSURE=0", "EXPOSURE=-1", "EXPOSURE=much", "COLORCORR=1 2", "EXPOSURE=inf"] {
        let text = radiance("#?RADIANCE", &[line], "-Y 2 +X 3", "\n").expect_err("no factor").to_string();
        assert!(text.contains("is not valid"), "{text}");
    }
}

#[test]
fn primaries_of_radiance_files_are_converted() {
    // Rec. 2020, whose grey is grey.
    let lines = [PLAIN[0], "PRIMARIES= .708 .292 .170 .797 .131 .046 .3127 .3290"];
    let found = radiance("#?RADIANCE", &lines, "-Y 2 +X 3", "\n").expect("it is read");
    assert!(found.notes[0].contains("converted from Rec. 2020 to linear sRGB"), "{:?}", found.notes);
    let usual = radiance("#?RADIANCE", &PLAIN, "-Y 2 +X 3", "\n").expect("it is read");
    assert_ne!(found.picture.pixels, usual.picture.pixels);
}

#[test]
fn a_renders_picture_comes_before_its_passes() {
    let of = |prefix: &str, seed: usize| rgb(prefix, seed);
    let channels = [of("V.AO.", 1), of("V.Combined.", 4), of("V.DiffCol.", 7)].concat();
    let channels: Vec<_> = channels.iter().map(|(name, values)| (name.as_str(), values.clone())).collect();
    let found = read(vec![part("a", &channels)], 0).expect("it is read");
    assert_eq!(found.picture.pixels, interleaved(&[values(4), values(5), values(6)]));
    let named = "of its layers (V.Combined, V.AO, V.DiffCol) V.Combined is used";
    assert!(found.notes.iter().any(|note| note.contains(named)), "{:?}", found.notes);
}
