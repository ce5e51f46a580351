//! Colour spaces and alpha of files, as they are read.

use crate::picture_files::fixture;
use afterimage::picture::load::{Loaded, Reading, parse};
use afterimage::picture::{ColorHandling, Picture, PictureError, Pixels, resize, save_exr};
use exr::meta::attribute::Chromaticities;
use exr::prelude::{SpecificChannels, Vec2, WritableImage};
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use moxcms::{ColorProfile, ToneReprCurve};
use std::io::Cursor;
use std::path::Path;
use tiff::encoder::colortype::{RGBA8, RGBA32Float};
use tiff::tags::Tag;

/// Six colours in a row, and more of the last.
const COLORS: [[u8; 3]; 6] =
    [[200, 100, 50], [30, 60, 90], [128, 128, 128], [90, 200, 120], [255, 255, 255], [0, 255, 0]];

fn bytes_of<const N: usize>(colors: &[[u8; N]]) -> Vec<u8> {
    colors.as_flattened().to_vec()
}

/// A PNG with these chunks before its pixels.
fn png(colors: &[u8], channels: usize, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let kind =
        [ExtendedColorType::L8, ExtendedColorType::La8, ExtendedColorType::Rgb8, ExtendedColorType::Rgba8];
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    encoder.write_image(colors, (colors.len() / channels) as u32, 1, kind[channels - 1]).expect("a PNG");
    with_chunks(png, chunks)
}

fn with_chunks(mut png: Vec<u8>, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut at = 33;
    for (name, data) in chunks {
        let body = [name.as_slice(), data].concat();
        let length = (data.len() as u32).to_be_bytes();
        let chunk = [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat();
        let end = at + chunk.len();
        png.splice(at..at, chunk);
        at = end;
    }
    png
}

/// With a profile.
fn profiled(profile: &ColorProfile, colors: &[u8], channels: usize) -> Vec<u8> {
    let kind = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(profile.encode().expect("a profile")).expect("PNGs have profiles");
    encoder.write_image(colors, (colors.len() / channels) as u32, 1, kind).expect("a PNG");
    png
}

fn read(bytes: &[u8], color: ColorHandling) -> Result<Loaded, PictureError> {
    parse(bytes, Path::new("folder/a.file"), Reading { color, ..Reading::default() })
}

fn converted(bytes: &[u8]) -> Loaded {
    read(bytes, ColorHandling::Srgb).unwrap_or_else(|e| panic!("{e}"))
}

fn values(picture: &Picture) -> Vec<u8> {
    let Pixels::U8(values) = &picture.pixels else { panic!("8 bits") };
    values.clone()
}

fn floats(picture: &Picture) -> Vec<f32> {
    let Pixels::F32(values) = &picture.pixels else { panic!("floats") };
    values.clone()
}

fn assert_near(found: &[u8], expected: &[u8], tolerance: u8) {
    assert_eq!(found.len(), expected.len());
    let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= tolerance);
    assert!(near, "{found:?}, not {expected:?}");
}

/// [`COLORS`] of Display P3 in sRGB, by LittleCMS 2.19.
const FROM_P3: [[u8; 3]; 6] =
    [[215, 93, 31], [17, 61, 93], [128, 128, 128], [0, 203, 111], [255, 255, 255], [0, 255, 0]];

#[test]
fn profiles_are_converted_as_littlecms_does() {
    // Values by PIL's ImageCms.profileToProfile(..., renderingIntent=0).
    let adobe = [[227, 100, 42], [0, 57, 91], [129, 129, 129], [0, 201, 116], [255, 255, 255], [0, 255, 0]];
    let prophoto =
        [[255, 80, 46], [0, 83, 113], [146, 146, 146], [0, 226, 123], [255, 255, 255], [0, 255, 0]];
    for (profile, expected, name) in [
        (ColorProfile::new_display_p3(), FROM_P3, "Display P3"),
        (ColorProfile::new_adobe_rgb(), adobe, "Adobe RGB 1998"),
        (ColorProfile::new_pro_photo_rgb(), prophoto, "ProPhoto RGB"),
    ] {
        let Loaded { picture, notes, profile } = converted(&profiled(&profile, &bytes_of(&COLORS), 3));
        assert_near(&values(&picture), &bytes_of(&expected), 1);
        assert!(notes[0].starts_with(&format!("a.file: converted from {name} to sRGB; ")), "{notes:?}");
        assert!(notes[0].ends_with("of the pixels, are clipped") && notes.len() == 1, "{notes:?}");
        assert_eq!(profile, None);
    }
    let greys = [0, 20, 100, 128, 200, 255];
    for (gamma, expected) in [(2.2, [0, 12, 100, 129, 201, 255]), (1.8, [0, 26, 119, 146, 210, 255])] {
        let profile = ColorProfile::new_gray_with_gamma(gamma);
        let Loaded { picture, notes, .. } = converted(&profiled(&profile, &greys, 1));
        assert_near(&values(&picture), &expected, 1);
        assert_eq!(notes, ["a.file: converted from its profile to sRGB"]);
    }
}

#[test]
fn every_format_with_a_profile_is_converted() {
    let icc = ColorProfile::new_display_p3().encode().expect("a profile");
    let colors = COLORS.iter().flat_map(|color| color.repeat(16)).collect::<Vec<u8>>();
    let colors = colors.repeat(16);
    let (width, height, kind) = (96, 16, ExtendedColorType::Rgb8);
    let mut files = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let [png, jpeg, webp, tiff] = &mut files;
    fn write(mut encoder: impl ImageEncoder, icc: &[u8], colors: &[u8], size: (u32, u32, ExtendedColorType)) {
        encoder.set_icc_profile(icc.to_vec()).expect("the format has profiles");
        encoder.write_image(colors, size.0, size.1, size.2).expect("a picture");
    }
    write(PngEncoder::new(png), &icc, &colors, (width, height, kind));
    write(JpegEncoder::new_with_quality(jpeg, 100), &icc, &colors, (width, height, kind));
    write(WebPEncoder::new_lossless(webp), &icc, &colors, (width, height, kind));
    write(TiffEncoder::new(Cursor::new(&mut *tiff)), &icc, &colors, (width, height, kind));
    for (i, file) in files.iter().enumerate() {
        let Loaded { picture, notes, .. } = converted(file);
        for (color, expected) in FROM_P3.iter().enumerate() {
            let at = (8 * 96 + 16 * color + 8) * 3;
            // JPEG rounds before the conversion.
            let tolerance = if i == 1 { 6 } else { 1 };
            assert_near(&values(&picture)[at..at + 3], expected, tolerance);
        }
        assert!(notes[0].contains("Display P3"), "{notes:?}");
        let kept = read(file, ColorHandling::Keep).expect("a picture");
        assert_eq!((kept.profile.as_deref(), kept.notes.len()), (Some(icc.as_slice()), 0));
        let at = (8 * 96 + 8) * 3;
        assert_near(&values(&kept.picture)[at..at + 3], &COLORS[0], 3);
    }
}

#[test]
fn what_is_srgb_in_effect_is_left_alone() {
    let colors = bytes_of(&COLORS);
    let be = |values: &[u32]| values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>();
    let primaries = be(&[31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]);
    // A curve of 1024 values, like the profile of IEC 61966-2-1 itself.
    let mut table = ColorProfile::new_srgb();
    let curve = |i: usize| afterimage::picture::color::linear_from_srgb(i as f32 / 1023.0) * 65535.0;
    let curve = ToneReprCurve::Lut((0..1024).map(|i| curve(i).round() as u16).collect());
    (table.red_trc, table.green_trc) = (Some(curve.clone()), Some(curve.clone()));
    (table.blue_trc, table.cicp) = (Some(curve), None);
    for file in [
        png(&colors, 3, &[]),
        profiled(&ColorProfile::new_srgb(), &colors, 3),
        profiled(&table, &colors, 3),
        png(&colors, 3, &[(b"gAMA", be(&[45455])), (b"cHRM", primaries)]),
        png(&colors, 3, &[(b"gAMA", be(&[45000]))]),
        png(&colors, 3, &[(b"sRGB", vec![0]), (b"gAMA", be(&[100_000]))]),
        png(&colors, 3, &[(b"cICP", vec![1, 13, 0, 1]), (b"gAMA", be(&[100_000]))]),
    ] {
        for color in [ColorHandling::Srgb, ColorHandling::Keep] {
            let loaded = read(&file, color).expect("a picture");
            assert_eq!(values(&loaded.picture), colors);
            assert_eq!((loaded.notes.len(), loaded.profile), (0, None));
        }
    }
}

#[test]
fn chunks_of_a_png_say_what_its_values_are() {
    let colors = bytes_of(&COLORS);
    let gamma = |v: u32| (b"gAMA", v.to_be_bytes().to_vec());
    // Linear light at 8 bits, and gamma 1.8.
    let linear = converted(&png(&colors, 3, &[gamma(100_000)]));
    assert_near(&values(&linear.picture)[..3], &[229, 168, 122], 1);
    assert_eq!(linear.notes, ["a.file: converted from linear light to sRGB"]);
    let mac = converted(&png(&[0, 20, 100, 128, 200, 255], 1, &[gamma(55_555)]));
    assert_near(&values(&mac.picture), &[0, 26, 119, 146, 210, 255], 1);
    assert_eq!(mac.notes, ["a.file: converted from gamma 1.8 to sRGB"]);
    // Code points come before a profile, and a profile before gamma.
    let p3 = converted(&png(&colors, 3, &[(b"cICP", vec![12, 13, 0, 1]), gamma(100_000)]));
    assert_near(&values(&p3.picture), &bytes_of(&FROM_P3), 1);
    let profile = profiled(&ColorProfile::new_display_p3(), &colors, 3);
    let both = converted(&with_chunks(profile.clone(), &[gamma(100_000)]));
    assert_eq!(both.picture, p3.picture);
    let srgb = converted(&with_chunks(profile, &[(b"cICP", vec![1, 13, 0, 1])]));
    assert_eq!(values(&srgb.picture), colors);
    // Kept, they become a profile that says the same.
    let kept = read(&png(&colors, 3, &[gamma(100_000)]), ColorHandling::Keep).expect("a picture");
    assert_eq!(values(&kept.picture), colors);
    let icc = ColorProfile::new_from_slice(&kept.profile.expect("a profile")).expect("a profile");
    assert_eq!(values(&converted(&profiled(&icc, &colors, 3)).picture), values(&linear.picture));
}

#[test]
fn hdr_video_becomes_an_hdr_picture() {
    // 148 of 255 is 58 % PQ, 203 cd/m^2; 191 is 75 % HLG. Alpha of half.
    for (transfer, value) in [(16, 148), (18, 191)] {
        let file = png(&[value, value, value, 128], 4, &[(b"cICP", vec![9, transfer, 0, 1])]);
        let Loaded { picture, notes, .. } = converted(&file);
        let found = floats(&picture);
        assert!((0..3).all(|c| (found[c] - 0.502).abs() < 0.02), "{found:?}");
        assert!((found[3] - 128.0 / 255.0).abs() < 1e-6);
        assert!(notes[0].contains("Rec. 2020 to linear sRGB, an HDR picture in which 1 is 203"), "{notes:?}");
        let refusal = read(&file, ColorHandling::Keep).expect_err("nothing to write it to").to_string();
        assert!(refusal.contains("--color"), "{refusal}");
    }
}

#[test]
fn profiles_of_other_pictures_are_ignored_with_a_word() {
    let colors = bytes_of(&COLORS);
    let unreadable = png(&colors, 3, &[]);
    for (file, reason) in [
        (profiled(&ColorProfile::new_gray_with_gamma(1.8), &colors, 3), "it is for pictures in grey"),
        (profiled(&ColorProfile::new_display_p3(), &[1, 2, 3], 1), "it is for pictures in RGB"),
        (with_chunks(unreadable, &[(b"cICP", vec![200, 13, 0, 1])]), "its code points 200 and 13"),
    ] {
        let loaded = converted(&file);
        assert!(loaded.notes[0].starts_with("a.file: its colour profile is ignored, since "), "{loaded:?}");
        assert!(loaded.notes[0].contains(reason), "{:?}", loaded.notes);
    }
}

#[test]
fn a_press_profile_converts_cmyk() {
    let icc = std::fs::read(fixture("press.icc")).expect("a profile");
    let jpeg = std::fs::read(fixture("cmyk.jpg")).expect("a JPEG");
    let data = [b"ICC_PROFILE\0\x01\x01", icc.as_slice()].concat();
    let segment = [&[0xff, 0xe2], &((data.len() + 2) as u16).to_be_bytes()[..], &data].concat();
    let file = [&jpeg[..2], &segment, &jpeg[2..]].concat();
    let Loaded { picture, notes, .. } = converted(&file);
    assert_eq!(notes, ["a.file: converted from Test press to sRGB"]);
    // By PIL's ImageCms.profileToProfile, which makes the darkest ink black.
    for ((x, y), expected) in
        [((5, 4), [50, 49, 27]), ((20, 20), [130, 192, 140]), ((10, 15), [87, 147, 143])]
    {
        let at = (y * 40 + x) * 3;
        assert_near(&values(&picture)[at..at + 3], &expected, 9);
    }
    // Without one, as before.
    let kept = read(&file, ColorHandling::Keep).expect("a picture");
    assert_eq!(kept.picture, converted(&jpeg).picture);
    assert!(kept.notes[0].contains("CMYK"), "{:?}", kept.notes);
}

fn exr(color: [f32; 4], chromaticities: Option<Chromaticities>) -> Vec<u8> {
    let channels = SpecificChannels::rgba(move |_: Vec2<usize>| (color[0], color[1], color[2], color[3]));
    let mut image = exr::prelude::Image::from_channels((2, 2), channels);
    image.attributes.chromaticities = chromaticities;
    let mut file = Cursor::new(Vec::new());
    image.write().to_buffered(&mut file).expect("an EXR");
    file.into_inner()
}

#[test]
fn primaries_of_an_exr_are_converted_and_alpha_is_held_as_it_is() {
    let at = |x: f32, y: f32| Vec2(x, y);
    let of = |red, green, blue, white| Some(Chromaticities { red, green, blue, white });
    let d65 = at(0.3127, 0.329);
    let glow = [0.4, 0.2, 0.1, 0.0];
    let plain = converted(&exr(glow, None));
    assert_eq!((floats(&plain.picture)[..4].to_vec(), plain.notes.len()), (glow.to_vec(), 0));
    let srgb = of(at(0.64, 0.33), at(0.30, 0.60), at(0.15, 0.06), d65);
    let same = converted(&exr(glow, srgb));
    assert_eq!((same.picture, same.notes.len()), (plain.picture, 0));
    let rec2020 = of(at(0.708, 0.292), at(0.170, 0.797), at(0.131, 0.046), d65);
    let wide = converted(&exr(glow, rec2020));
    // ITU-R BT.2087.
    let expected = [0.4 * 1.6605 - 0.2 * 0.5876 - 0.1 * 0.0728, 0.1759, 0.0844];
    let found = floats(&wide.picture);
    assert!((0..3).all(|c| (found[c] - expected[c]).abs() < 2e-3), "{found:?}, not {expected:?}");
    assert_eq!(wide.notes, ["a.file: converted from Rec. 2020 to linear sRGB"]);
    // White of another white point stays white.
    let aces = of(at(0.7347, 0.2653), at(0.0, 1.0), at(0.0001, -0.077), at(0.32168, 0.33767));
    let white = floats(&converted(&exr([3.0, 3.0, 3.0, 1.0], aces)).picture);
    assert!((0..3).all(|c| (white[c] - 3.0).abs() < 5e-3), "{white:?}");
    let kept = read(&exr(glow, rec2020), ColorHandling::Keep).expect("a picture");
    assert!(floats(&kept.picture)[..4] == glow && kept.notes[0].contains("not applied"), "{kept:?}");
}

fn tiff_in(file: &mut Vec<u8>) -> tiff::encoder::TiffEncoder<Cursor<&mut Vec<u8>>> {
    tiff::encoder::TiffEncoder::new(Cursor::new(file)).expect("a TIFF")
}

#[test]
fn alpha_of_a_tiff_is_what_its_tag_says() {
    let integers = |alpha: u16| {
        let mut file = Vec::new();
        let mut tiff = tiff_in(&mut file);
        let mut image = tiff.new_image::<RGBA8>(2, 1).expect("an image");
        image.encoder().write_tag(Tag::ExtraSamples, &[alpha][..]).expect("a tag");
        image.write_data(&[50, 20, 0, 100, 9, 9, 9, 255]).expect("pixels");
        file
    };
    let of = |file: &[u8]| values(&converted(file).picture);
    assert_eq!(of(&integers(2)), [50, 20, 0, 100, 9, 9, 9, 255]);
    assert_eq!(of(&integers(1)), [128, 51, 0, 100, 9, 9, 9, 255]);
    let float = |alpha: u16| {
        let mut file = Vec::new();
        let mut tiff = tiff_in(&mut file);
        let mut image = tiff.new_image::<RGBA32Float>(1, 1).expect("an image");
        image.encoder().write_tag(Tag::ExtraSamples, &[alpha][..]).expect("a tag");
        image.write_data(&[2.0, 1.0, 0.0, 0.25]).expect("pixels");
        file
    };
    assert_eq!(floats(&converted(&float(1)).picture), [2.0, 1.0, 0.0, 0.25]);
    assert_eq!(floats(&converted(&float(2)).picture), [0.5, 0.25, 0.0, 0.25]);
}

#[test]
fn light_without_opacity_survives_resizing_and_files() {
    let pixels = [[4.0, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]].as_flattened().repeat(32);
    let glow = Picture { width: 8, height: 8, channels: 4, pixels: Pixels::F32(pixels) };
    let small = floats(&resize(&glow, 1, 1));
    assert!((0..3).all(|c| (small[c] - [2.0, 1.0, 0.5][c]).abs() < 0.05), "{small:?}");
    assert!((small[3] - 0.5).abs() < 0.02, "{small:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("glow.exr");
    save_exr(&glow, &path).expect("written");
    assert_eq!(afterimage::picture::load(&path).expect("an EXR"), glow);
    // Weighing by brightness counts alpha once.
    assert_eq!(glow.brightness()[..2], [7.0 / 3.0, 0.0]);
}

#[test]
fn a_qoi_may_be_linear() {
    let mut file = Vec::new();
    let encoder = image::codecs::qoi::QoiEncoder::new(&mut file);
    let color = ExtendedColorType::Rgb8;
    ImageEncoder::write_image(encoder, &[55, 55, 55], 1, 1, color).expect("written");
    assert!(converted(&file).notes.is_empty());
    // The last byte of the header: all channels are linear.
    file[13] = 1;
    let Loaded { picture, notes, .. } = converted(&file);
    assert_eq!(notes, ["a.file: converted from linear light to sRGB"]);
    // 55 / 255 of linear light.
    assert_eq!(values(&picture), [128; 3]);
}

#[test]
fn a_profile_that_cannot_be_unpacked_is_said() {
    // Not a stream of zlib.
    let damaged = (b"iCCP", b"Adobe RGB\0\0nothing".to_vec());
    let file = png(&bytes_of(&COLORS), 3, &[damaged]);
    assert_eq!(converted(&file).notes, ["folder/a.file: its colour profile cannot be read and is ignored"]);
}

/// A JPEG of one colour whose Exif data has this interoperability index.
fn camera_jpeg(color: [u8; 3], index: &[u8; 3], icc: Option<&ColorProfile>) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc.encode().expect("a profile")).expect("JPEGs have profiles");
    }
    encoder.write_image(&color.repeat(256), 16, 16, ExtendedColorType::Rgb8).expect("a JPEG");
    // Three directories of one entry each: tag, type, count and value.
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&[1, 0], &tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value, &[0; 4]].concat()
    };
    let pointer = |tag: u16, to: u32| entry(tag, 4, 1, to.to_le_bytes());
    let [a, b, c] = *index;
    let interoperability = entry(1, 2, 4, [a, b, c, 0]);
    let exif =
        [&b"Exif\0\0II*\0\x08\0\0\0"[..], &pointer(0x8769, 26), &pointer(0xa005, 44), &interoperability];
    let exif = exif.concat();
    let segment = [&[0xff, 0xe1], &(exif.len() as u16 + 2).to_be_bytes()[..], &exif].concat();
    jpeg.splice(2..2, segment);
    jpeg
}

#[test]
fn a_camera_says_adobe_rgb_without_a_profile() {
    let (color, adobe) = ([150, 110, 100], ColorProfile::new_adobe_rgb());
    let expected = values(&converted(&profiled(&adobe, &color, 3)).picture);
    let Loaded { picture, notes, .. } = converted(&camera_jpeg(color, b"R03", None));
    assert_eq!(notes, ["a.file: converted from Adobe RGB (1998) to sRGB"]);
    assert_near(&values(&picture)[..3], &expected, 2);
    assert!(color[0].abs_diff(expected[0]) > 5, "{expected:?}");
    // An sRGB picture, and a profile, which says more.
    for (index, icc) in [(b"R98", None), (b"R03", Some(ColorProfile::new_srgb()))] {
        let Loaded { picture, notes, .. } = converted(&camera_jpeg(color, index, icc.as_ref()));
        assert!(notes.is_empty(), "{notes:?}");
        assert_near(&values(&picture)[..3], &color, 2);
    }
    let Loaded { picture, profile, .. } =
        read(&camera_jpeg(color, b"R03", None), ColorHandling::Keep).expect("kept");
    assert_near(&values(&picture)[..3], &color, 2);
    assert!(profile.is_some(), "the profile is handed on");
}
