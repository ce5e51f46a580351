//! What is written is read.

use afterimage::picture::{Depth, Format, Picture, Pixels, RowsOf, Target, load, write_rows};
use std::path::Path;

const EXTENSIONS: [&str; 13] =
    ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "ppm", "pgm", "pnm", "qoi", "hdr", "exr"];

/// Values that every depth holds exactly, and Radiance's shared exponent too.
fn values(n: usize, depth: Depth) -> Vec<f32> {
    let integer = |i: usize| (i * 37 % 256) as f32 / 255.0;
    let float = |i: usize| (i * 37 % 128) as f32 / 32.0 - 1.0;
    (0..n).map(|i| if depth == Depth::F32 { float(i).max(0.25) } else { integer(i) }).collect()
}

/// Grey as three equal colours, to compare what formats without grey hold.
fn colored(picture: &Picture) -> Vec<f32> {
    let (n, colors) = (picture.channels, picture.color_channels());
    let value = |pixel: usize, c: usize| picture.pixels.value(pixel * n + if colors == 1 { 0 } else { c });
    (0..picture.n_pixels() as usize).flat_map(|pixel| [0, 1, 2].map(|c| value(pixel, c))).collect()
}

#[test]
fn every_file_that_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut n_files = 0;
    for extension in EXTENSIONS {
        let format = Format::of(Path::new(&format!("a.{extension}"))).expect("it is written");
        for channels in 1..=4 {
            for (depth, bits) in [(Depth::U8, 8), (Depth::U16, 16), (Depth::F32, 32)] {
                let Ok(target) = Target::new(format, (channels, depth), Some(bits)) else { continue };
                let path = folder.path().join(format!("{channels}-{bits}.{extension}"));
                let mut values = values(4 * 3 * channels, depth);
                if channels % 2 == 0 {
                    values.iter_mut().skip(channels - 1).step_by(channels).for_each(|alpha| *alpha = 1.0);
                }
                let rows = RowsOf { width: 4, height: 3, channels, depth, profile: None };
                write_rows(&path, target, rows, [values.clone()].into_iter()).expect("written");
                let found = load(&path).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!((found.width, found.height, found.depth()), (4, 3, depth), "{extension}");
                let colors = if channels < 3 { 1 } else { 3 };
                let expected: Vec<f32> = values
                    .chunks_exact(channels)
                    .flat_map(|pixel| [0, 1, 2].map(|c| pixel[if colors == 1 { 0 } else { c }]))
                    .collect();
                for (found, expected) in colored(&found).into_iter().zip(expected) {
                    // JPEG at quality 92 of what is nearly noise.
                    let tolerance = if format == Format::Jpeg { 0.5 } else { 1e-6 };
                    let error = (found - expected).abs();
                    assert!(error <= tolerance, "{extension}, {channels} channels: {found}, not {expected}");
                }
                n_files += 1;
            }
        }
    }
    // 13 extensions of 4 channels; PNG has 2 depths, TIFF twice 3, PGM no colours.
    assert_eq!(n_files, (13 + 1 + 4) * 4 - 2);
}

#[test]
fn a_float_tiff_keeps_its_values_and_its_channels() {
    let folder = tempfile::tempdir().expect("a folder");
    for channels in [1, 3] {
        let target = Target::new(Format::Tiff, (channels, Depth::F32), Some(32)).expect("TIFF has 32 bits");
        let values: Vec<f32> = (0..6 * channels).map(|i| i as f32 * 100.5 - 30.0).collect();
        let rows = RowsOf { width: 3, height: 2, channels, depth: Depth::F32, profile: None };
        let path = folder.path().join("a.tif");
        write_rows(&path, target, rows, [values.clone()].into_iter()).expect("written");
        let expected = Picture { width: 3, height: 2, channels, pixels: Pixels::F32(values) };
        assert_eq!(load(&path).expect("it is read"), expected);
    }
}

#[test]
fn graymaps_are_grey_and_pixmaps_are_coloured() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |extension: &str, channels: usize| {
        let path = folder.path().join("a").with_extension(extension);
        let target = Target::new(Format::of(&path)?, (channels, Depth::U8), None)?;
        let rows = RowsOf { width: 1, height: 1, channels, depth: Depth::U8, profile: None };
        write_rows(&path, target, rows, [vec![0.5; channels]].into_iter())?;
        Ok::<_, afterimage::picture::PictureError>(std::fs::read(&path).expect("written")[..2].to_vec())
    };
    for (extension, channels, expected) in [
        ("pgm", 1, b"P5"),
        ("pgm", 2, b"P5"),
        ("ppm", 1, b"P6"),
        ("ppm", 3, b"P6"),
        ("pnm", 1, b"P5"),
        ("pnm", 4, b"P6"),
    ] {
        assert_eq!(
            start(extension, channels).expect("written"),
            expected,
            "{extension}, {channels} channels"
        );
    }
    for channels in [3, 4] {
        let text = start("pgm", channels).expect_err("it has colours").to_string();
        assert!(text.contains(".pgm file holds grey only"), "{text}");
    }
}
