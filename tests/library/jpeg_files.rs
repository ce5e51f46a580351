//! JPEG files that have their scans in other orders than most.

use crate::picture_files::{load_bytes, message};
use afterimage::picture::Pixels;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A JPEG file of a smooth picture, with its components in one scan, in one each, or progressive.
fn jpeg((width, height): (u16, u16), sampling: SamplingFactor, kind: &str) -> Vec<u8> {
    let wave = |x: u16, y: u16, c: u16| {
        let phase = f64::from(x * (1 + c)) / 9.0 + f64::from(y * (3 - c)) / 13.0;
        (127.5 + 120.0 * phase.sin()) as u8
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values: Vec<u8> = places.flat_map(|(x, y)| [0, 1, 2].map(|c| wave(x, y, c))).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 95);
    encoder.set_sampling_factor(sampling);
    encoder.set_optimized_huffman_tables(kind != "one scan");
    encoder.set_progressive(kind == "progressive");
    encoder.encode(&values, width, height, ColorType::Rgb).unwrap();
    file
}

#[test]
fn a_jpeg_is_the_same_however_its_scans_are_ordered() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
    for size in [(65, 47), (64, 48), (7, 90), (33, 16)] {
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2] {
            let values = |kind| {
                let Pixels::U8(values) = load_bytes(&jpeg(size, sampling, kind)).unwrap().pixels else {
                    panic!()
                };
                values
            };
            let (expected, progressive) = (values("one scan"), values("progressive"));
            assert!(expected == progressive, "{size:?} {sampling:?} progressive");
            // By another decoder. Y may be off by 1 where its inverse transform rounds, Cb by 2 where it is enlarged too, of which
            // blue gets 1.772 times: 1 + 2 * 1.772 and its own rounding.
            let apart = values("apart");
            let worst = expected.iter().zip(&apart).map(|(&a, &b)| a.abs_diff(b)).max();
            assert!(worst <= Some(5), "{size:?} {sampling:?}: {worst:?}");
        }
    }
    let file = jpeg((65, 47), F_2_2, "apart");
    let last = file.len() - 40;
    let cut = load_bytes(&[&file[..last], &[0xff, 0xd9]].concat());
    assert!(message(cut).contains("damaged or cut short"), "a part of a scan is missing");
}

/// `file` with Adobe's marker of RGB in place of JFIF's, and with components that are numbered as those of JFIF are.
fn in_adobe_rgb(mut file: Vec<u8>) -> Vec<u8> {
    let markers: Vec<usize> =
        (2..file.len() - 1).filter(|&i| file[i] == 0xff && [0xc0, 0xda].contains(&file[i + 1])).collect();
    for at in markers {
        let (first, step) = if file[at + 1] == 0xc0 { (at + 10, 3) } else { (at + 5, 2) };
        let n = usize::from(file[first - 1]);
        (0..n).for_each(|k| file[first + step * k] += 1);
    }
    let jfif = 2..4 + usize::from(file[5]);
    file.splice(jfif, *b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00");
    file
}

#[test]
fn scans_of_their_own_are_in_the_colours_that_adobe_says() {
    let values = |kind| {
        let file = in_adobe_rgb(jpeg((40, 40), SamplingFactor::F_1_1, kind));
        let Pixels::U8(values) = load_bytes(&file).unwrap().pixels else { panic!() };
        values
    };
    let (expected, apart) = (values("one scan"), values("apart"));
    let worst = expected.iter().zip(&apart).map(|(&a, &b)| a.abs_diff(b)).max();
    assert!(worst <= Some(1), "the inverse transform alone rounds: {worst:?}");
    let Pixels::U8(usual) = load_bytes(&jpeg((40, 40), SamplingFactor::F_1_1, "one scan")).unwrap().pixels
    else {
        panic!()
    };
    assert!(expected != usual, "Adobe's marker changes the colours");
}

#[test]
fn a_marker_may_be_behind_fill_bytes() {
    let file = jpeg((40, 40), SamplingFactor::F_2_2, "apart");
    let scan = (20..file.len() - 1)
        .filter(|&i| file[i] == 0xff && file[i + 1] == 0xda)
        .nth(1)
        .expect("a second scan");
    let tables =
        (20..scan).rev().take_while(|&i| i > 0).filter(|&i| file[i] == 0xff && file[i + 1] == 0xc4).nth(1);
    let mut filled = file.clone();
    let at = tables.expect("tables before it");
    filled.splice(at..at, [0xff, 0xff]);
    assert!(load_bytes(&filled).unwrap() == load_bytes(&file).unwrap());
}
