//! Curves, strips and films, of ordinary and of awkward inputs.

use afterimage::picture::{Picture, Pixels, load, save_png};
use afterimage::report::curves::{psnr_picture, psnr_svg};
use afterimage::report::panel::{fitted_size, panel};
use afterimage::report::{
    CurvePoint, Film, ReportError, Series, Strip, epoch_label, save_film, save_psnr_curves,
};
use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use std::io::BufReader;
use std::path::PathBuf;

fn series(name: &str, rows: &[(u64, f64, Option<f64>)]) -> Series {
    let point = |&(epoch, psnr_train, psnr_test): &(u64, f64, Option<f64>)| CurvePoint {
        epoch,
        seconds: 0.25 * epoch as f64,
        psnr_train,
        psnr_test,
    };
    Series { name: name.to_owned(), points: rows.iter().map(point).collect() }
}

fn awkward() -> Vec<Vec<Series>> {
    let infinity = f64::INFINITY;
    vec![
        vec![],
        vec![series("empty", &[])],
        vec![series("one point", &[(0, 8.2, Some(8.3))])],
        vec![series("constant", &[(0, 20.0, Some(20.0)), (9, 20.0, Some(20.0))])],
        vec![series("perfect", &[(0, 9.0, None), (5, infinity, None)])],
        vec![series("only perfect", &[(0, infinity, Some(infinity))])],
        vec![series("not numbers", &[(0, f64::NAN, None), (5, f64::NEG_INFINITY, None)])],
        vec![series("far", &[(0, -300.0, Some(1e-9)), (u64::MAX / 2, 1e6, Some(7.0))])],
        vec![series("<&>\"\u{1} \u{3bc}", &[(0, 1.0, None)]), series("b", &[(3, 2.0, Some(1.0))])],
        (0..30)
            .map(|i| {
                series("long name of a run, all the same", &[(0, 9.0, Some(9.0)), (i, 30.0, Some(29.0))])
            })
            .collect(),
    ]
}

#[test]
fn curves_are_drawn_of_anything() {
    for case in awkward() {
        let svg = psnr_svg(&case);
        assert_well_formed(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let picture = psnr_picture(&case);
        assert_eq!((picture.width, picture.height, picture.channels), (1920, 1200, 3));
    }
}

/// Tags nest, attributes are quoted, and no bare `<` or `&` is left in the text.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        for after in rest[..start].split('&').skip(1) {
            let entity = after.split(';').next().unwrap();
            assert!(["amp", "lt", "gt", "quot"].contains(&entity), "bare & before {after:?}");
        }
        let end = start + rest[start..].find('>').expect("a tag that ends");
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "left open: {open:?}");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn curves_name_their_lines_and_values() {
    let run = series("fox", &[(0, 10.0, Some(9.5)), (100, 31.23, Some(28.41))]);
    let svg = psnr_svg(std::slice::from_ref(&run));
    for text in ["train 31.2 dB", "test 28.4 dB", "PSNR (dB)", ">epoch<", "#0072b2", "#d55e00"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    let svg = psnr_svg(&[run, series("owl", &[(0, 8.0, None), (50, f64::INFINITY, None)])]);
    for text in ["fox 28.4 dB", "owl exact"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    let folder = tempfile::tempdir().unwrap();
    save_psnr_curves(folder.path(), &[]).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let missing = folder.path().join("missing");
    assert!(save_psnr_curves(&missing, &[]).unwrap_err().to_string().contains("cannot write"));
}

fn ramp(width: u32, height: u32, channels: usize) -> Picture {
    let n = width as usize * height as usize * channels;
    Picture { width, height, channels, pixels: Pixels::U8((0..n).map(|i| i as u8).collect()) }
}

#[test]
fn panels_are_of_a_size_to_look_at() {
    for ((width, height), expected) in [
        ((32, 32), (256, 256)),
        ((128, 128), (256, 256)),
        ((1, 1), (256, 256)),
        ((100, 3), (300, 9)),
        ((129, 200), (129, 200)),
        ((1024, 512), (512, 256)),
        ((6028, 3391), (512, 288)),
        ((300, 1280), (150, 640)),
        ((100_000, 1), (512, 1)),
        ((1, 100_000), (1, 640)),
    ] {
        assert_eq!(fitted_size(width, height, 512, 640), expected, "{width}x{height}");
    }
    assert_eq!(panel(&ramp(3, 2, 1), 512, 640).get_pixel(255, 0).0, [2; 3], "nearest neighbour");
    // A transparent pixel shows the board.
    let clear = Picture { width: 1, height: 1, channels: 4, pixels: Pixels::U8(vec![9, 9, 9, 0]) };
    let board = panel(&clear, 512, 640);
    assert_eq!((board.get_pixel(0, 0).0, board.get_pixel(8, 0).0), ([255; 3], [230; 3]));
}

#[test]
fn strips_hold_any_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strip.png");
    Strip::default().save(&path).unwrap();
    for (width, height) in [(1, 1), (700, 2), (2, 700), (40, 30)] {
        let mut strip = Strip::default();
        for channels in 1..=4 {
            strip.push(&ramp(width, height, channels), epoch_label(12, 27.31, None));
        }
        strip.push(&ramp(width, height, 3), "ground truth");
        strip.save(&path).unwrap();
        let picture = load(&path).unwrap();
        assert_eq!(picture.channels, 3);
        assert!(picture.width > 5 * 128, "{} wide", picture.width);
        // The labels leave dark pixels in the bottom rows.
        let Pixels::U8(values) = &picture.pixels else { panic!("8 bits") };
        assert!(values[values.len() - (picture.width * 3 * 28) as usize..].iter().any(|&v| v < 60));
    }
}

#[test]
fn labels_say_epoch_and_quality() {
    assert_eq!(epoch_label(12, 27.31, None), "epoch 12 \u{b7} 27.3 dB");
    assert_eq!(epoch_label(12, 27.31, Some(25.0)), "epoch 12 \u{b7} 27.3 dB, test 25.0 dB");
    assert_eq!(epoch_label(12, f64::INFINITY, None), "epoch 12 \u{b7} exact");
    assert_eq!(epoch_label(12, f64::NAN, None), "epoch 12");
}

#[test]
fn films_have_the_frames_delays_and_colours_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut snapshots: Vec<(u64, PathBuf)> = Vec::new();
    for epoch in 0..9u64 {
        let mut picture = ramp(50, 40, 4);
        if let Pixels::U8(values) = &mut picture.pixels {
            for pixel in values.chunks_exact_mut(4) {
                pixel.copy_from_slice(&[20 * epoch as u8, 200, 90, 255]);
            }
        }
        let path = folder.path().join(format!("{epoch}.png"));
        save_png(&picture, &path).unwrap();
        snapshots.push((epoch, path));
    }
    let path = folder.path().join("progress.gif");
    save_film(&path, &snapshots, &Film { max_frames: 5, ..Film::default() }).unwrap();
    let decoder = GifDecoder::new(BufReader::new(std::fs::File::open(&path).unwrap())).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    let delays: Vec<u32> = frames.iter().map(|f| f.delay().numer_denom_ms().0).collect();
    assert_eq!(delays, [600, 600, 600, 600, 2500], "epochs 0, 1, 2, 4 and 8");
    for (frame, red) in [(&frames[0], 0), (&frames[4], 160)] {
        assert_eq!(frame.buffer().dimensions(), (300, 240));
        let found = frame.buffer().get_pixel(100, 100).0;
        for (found, expected) in found.into_iter().zip([red, 200u8, 90]) {
            assert!(found.abs_diff(expected) <= 6, "{found}, not {expected}");
        }
    }
    assert!(std::fs::read(&path).unwrap().windows(11).any(|w| w == b"NETSCAPE2.0"), "it loops");
}

#[test]
fn films_of_the_wrong_frames_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("progress.gif");
    assert!(matches!(save_film(&path, &[], &Film::default()), Err(ReportError::NoFrames)));
    let frame = |name: &str, width| {
        let path = folder.path().join(name);
        save_png(&ramp(width, 200, 3), &path).unwrap();
        path
    };
    let odd = [(0, frame("a.png", 200)), (1, frame("b.png", 201))];
    let text = save_film(&path, &odd, &Film::default()).unwrap_err().to_string();
    assert!(text.contains("b.png is 201x200"), "{text}");
    for (width, height) in [(1, 1), (3000, 1), (1, 3000)] {
        let source = folder.path().join("c.png");
        save_png(&ramp(width, height, 2), &source).unwrap();
        save_film(&path, &[(0, source)], &Film::default()).unwrap();
    }
    assert!(path.exists());
}
