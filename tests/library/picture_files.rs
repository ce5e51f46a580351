//! Reading, writing and resampling pictures of every kind.

use afterimage::picture::{
    Depth, Picture, PictureBuilder, PictureError, Pixels, center_crop, load, resize, save_exr, save_png,
};
use image::codecs::{hdr::HdrEncoder, openexr::OpenExrEncoder};
use image::{ImageEncoder, ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

fn shape(picture: &Picture) -> (u32, u32, usize, Depth) {
    (picture.width, picture.height, picture.channels, picture.depth())
}

/// Loads `bytes` from a file whose name says nothing.
pub(crate) fn load_bytes(bytes: &[u8]) -> Result<Picture, PictureError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    load(file.path())
}

/// Noise, so that every byte of a file matters.
fn noise() -> RgbImage {
    let mut state = 1u32;
    RgbImage::from_fn(37, 23, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 8) as u8, (state >> 16) as u8, (state >> 24) as u8])
    })
}

/// `image` as a file of each format that is read.
fn all_formats(image: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = image.dimensions();
    let floats: Vec<f32> = image.as_raw().iter().map(|&v| f32::from(v) / 64.0).collect();
    let pixels: Vec<Rgb<f32>> = floats.chunks_exact(3).map(|c| Rgb([c[0], c[1], c[2]])).collect();
    let mut hdr = Vec::new();
    HdrEncoder::new(&mut hdr).encode(&pixels, width as usize, height as usize).unwrap();
    let mut exr = Cursor::new(Vec::new());
    let bytes = bytemuck::cast_slice(&floats);
    OpenExrEncoder::new(&mut exr)
        .write_image(bytes, width, height, image::ExtendedColorType::Rgb32F)
        .unwrap();
    let mut out = vec![("HDR", hdr), ("EXR", exr.into_inner())];
    for (name, format) in [
        ("PNG", ImageFormat::Png),
        ("JPEG", ImageFormat::Jpeg),
        ("WebP", ImageFormat::WebP),
        ("TIFF", ImageFormat::Tiff),
        ("BMP", ImageFormat::Bmp),
        ("GIF", ImageFormat::Gif),
        ("PNM", ImageFormat::Pnm),
        ("QOI", ImageFormat::Qoi),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        out.push((name, bytes.into_inner()));
    }
    out
}

#[test]
fn every_format_is_told_by_its_content() {
    let image = noise();
    for (name, bytes) in all_formats(&image) {
        let picture = load_bytes(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let depth = if ["HDR", "EXR"].contains(&name) { Depth::F32 } else { Depth::U8 };
        assert_eq!(shape(&picture), (37, 23, 3, depth), "{name}");
        if ["PNG", "WebP", "TIFF", "BMP", "PNM", "QOI"].contains(&name) {
            assert_eq!(picture.pixels, Pixels::U8(image.as_raw().clone()), "{name}");
        }
    }
}

#[test]
fn a_file_cut_short_is_refused_or_whole() {
    for (name, bytes) in all_formats(&noise()) {
        let whole = load_bytes(&bytes).unwrap();
        let mut refused = 0;
        for length in (0..bytes.len()).step_by(bytes.len() / 60 + 1).chain([bytes.len() - 20]) {
            match load_bytes(&bytes[..length]) {
                Ok(picture) => assert_eq!(picture, whole, "{name} cut to {length} of {}", bytes.len()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused >= 55, "{name}: {refused} refused");
    }
    for name in ["progressive.jpg", "baseline.jpg", "restart.jpg", "cmyk.jpg", "lossy.webp", "palette.png"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let whole = load_bytes(&bytes).unwrap();
        for length in 0..bytes.len() {
            if let Ok(picture) = load_bytes(&bytes[..length]) {
                assert_eq!(picture, whole, "{name} cut to {length} of {}", bytes.len());
            }
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    for (name, bytes) in all_formats(&noise()) {
        for at in (0..bytes.len()).step_by(bytes.len() / 150 + 1) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x5b;
            if let Ok(picture) = load_bytes(&damaged) {
                assert!(picture.n_pixels() > 0, "{name} damaged at {at}");
            }
        }
    }
}

#[test]
fn colour_types_become_what_they_are() {
    for (name, expected) in [
        ("palette.png", (40, 24, 3, Depth::U8)),
        ("palette_transparent.png", (40, 24, 4, Depth::U8)),
        ("bits.png", (40, 24, 1, Depth::U8)),
        ("grey.jpg", (40, 24, 1, Depth::U8)),
        ("cmyk.jpg", (40, 24, 3, Depth::U8)),
        ("cmyk.tif", (40, 24, 3, Depth::U8)),
        ("animated.gif", (40, 24, 3, Depth::U8)),
        ("lossless.webp", (40, 24, 3, Depth::U8)),
        ("progressive.jpg", (40, 24, 3, Depth::U8)),
    ] {
        let picture = load(&fixture(name)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(shape(&picture), expected, "{name}");
    }
    // The fixtures show one picture: x * 6, y * 10, (x * y) % 256.
    for name in ["cmyk.jpg", "cmyk.tif", "baseline.jpg", "progressive.jpg", "restart.jpg", "animated.gif"] {
        let picture = load(&fixture(name)).unwrap();
        for (x, y) in [(5usize, 4usize), (35, 3), (20, 20)] {
            let at = (y * 40 + x) * 3;
            for (c, expected) in [x * 6, y * 10].into_iter().enumerate() {
                let found = picture.pixels.value(at + c) * 255.0;
                let error = (found - expected as f32).abs();
                assert!(error < 40.0, "{name} at ({x}, {y}), channel {c}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn exif_orientation_turns_the_picture() {
    let (turned, upright) = (load(&fixture("turned.jpg")).unwrap(), load(&fixture("baseline.jpg")).unwrap());
    assert_eq!((turned.width, turned.height), (24, 40));
    // A quarter turn clockwise: the bottom left corner comes to the top left.
    let corner = |p: &Picture, x: u32, y: u32| p.pixels.value(((y * p.width + x) * 3 + 1) as usize);
    assert!((corner(&turned, 0, 0) - corner(&upright, 0, 23)).abs() < 0.1);
    assert!((corner(&turned, 23, 0) - corner(&upright, 0, 0)).abs() < 0.1);
}

/// A PNG may say how it is turned before its pixels or behind them.
#[test]
fn exif_of_a_png_turns_the_picture_wherever_it_is() {
    let mut png = Cursor::new(Vec::new());
    image::GrayImage::from_fn(3, 2, |x, y| image::Luma([(40 * y + 10 * x) as u8]))
        .write_to(&mut png, ImageFormat::Png)
        .unwrap();
    let png = png.into_inner();
    let exif = |orientation: u8| {
        let data =
            [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]];
        let chunk = [b"eXIf", &data.concat()[..]].concat();
        let length = (chunk.len() as u32 - 4).to_be_bytes();
        [&length, &chunk[..], &crc32fast::hash(&chunk).to_be_bytes()].concat()
    };
    let pixels = png.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let [before, behind] = [pixels, png.len() - 12];
    let with = |places: &[(usize, u8)]| {
        let mut bytes = png.clone();
        places.iter().for_each(|&(at, orientation)| drop(bytes.splice(at..at, exif(orientation))));
        load_bytes(&bytes).unwrap()
    };
    assert_eq!((with(&[]).width, with(&[]).pixels), (3, Pixels::U8(vec![0, 10, 20, 40, 50, 60])));
    for place in [before, behind] {
        let turned = with(&[(place, 6)]);
        assert_eq!((turned.width, turned.pixels), (2, Pixels::U8(vec![40, 0, 50, 10, 60, 20])), "at {place}");
    }
    let mirrored = with(&[(behind, 6), (before, 2)]);
    assert_eq!(
        (mirrored.width, mirrored.pixels),
        (3, Pixels::U8(vec![20, 10, 0, 60, 50, 40])),
        "the first counts"
    );
}

pub(crate) fn message(result: Result<Picture, PictureError>) -> String {
    result.expect_err("this must be refused").to_string()
}

#[test]
fn bad_files_get_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.png");
    std::fs::write(&path, "Dear all,\nthis is not a picture.\n").unwrap();
    let text = message(load(&path));
    assert!(text.contains("letter.png") && text.contains("PNG, JPEG, WebP"), "{text}");
    assert!(message(load_bytes(b"")).contains("is not a picture"));
    assert!(message(load(Path::new("nowhere.png"))).contains("cannot read nowhere.png"));
    assert!(message(load(folder.path())).contains("cannot read"));
    let jpeg = std::fs::read(fixture("baseline.jpg")).unwrap();
    let text = message(load_bytes(&jpeg[..jpeg.len() - 100]));
    assert!(text.contains("damaged or cut short"), "{text}");
}

#[test]
fn hostile_headers_are_refused_before_memory_is_taken() {
    // P6 headers say what they like.
    for header in ["P6 100000 2000 255\n", "P6 4000000000 4000000000 255\n", "P6 0 5 255\n", "P5 5 0 255\n"] {
        let text = message(load_bytes(header.as_bytes()));
        assert!(!text.is_empty());
    }
    let text = message(load_bytes(b"P6 20000 20000 255\nabc"));
    assert!(text.contains("20000x20000") && text.contains("megapixels"), "{text}");
    // A PNG whose header claims 14000x14000 pixels in a few bytes.
    let mut png = Cursor::new(Vec::new());
    noise().write_to(&mut png, ImageFormat::Png).unwrap();
    let mut png = png.into_inner();
    png[16..24].copy_from_slice(&[0, 0, 0x36, 0xb0, 0, 0, 0x36, 0xb0]);
    assert!(load_bytes(&png).is_err());
}

/// A PNG with a text of `n_bytes` before its pixels.
fn png_with_text(n_bytes: usize) -> Vec<u8> {
    let mut png = Vec::new();
    noise().write_to(&mut Cursor::new(&mut png), ImageFormat::Png).expect("encoded");
    let mut chunk = b"tEXtComment\0".to_vec();
    chunk.resize(4 + n_bytes, b'a');
    let crc = crc32fast::hash(&chunk).to_be_bytes();
    let text = [&(n_bytes as u32).to_be_bytes(), chunk.as_slice(), &crc].concat();
    // Behind the signature of 8 bytes and the header of 25.
    png.splice(33..33, text);
    png
}

#[test]
fn a_png_may_bring_little_beside_its_pixels() {
    let plain = load_bytes(&png_with_text(100)).expect("a short text");
    assert_eq!(load_bytes(&png_with_text(32 << 20)).expect("a long text"), plain);
    let refusal = load_bytes(&png_with_text(80 << 20)).expect_err("too long a text");
    assert!(matches!(refusal, PictureError::TooLarge { .. }), "{refusal:?}");
}

#[test]
fn values_that_are_not_numbers_are_refused() {
    let mut picture = PictureBuilder::new(3, 2, 3, Depth::F32);
    picture.push(&[0.5; 18]);
    let mut picture = picture.finish();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.exr");
    save_exr(&picture, &path).unwrap();
    assert_eq!(load(&path).unwrap(), picture);
    if let Pixels::F32(values) = &mut picture.pixels {
        values[4 * 3 + 1] = f32::NAN;
        values[5 * 3] = f32::INFINITY;
    }
    save_exr(&picture, &path).unwrap();
    let text = message(load(&path));
    assert!(text.contains("2 values") && text.contains("(1, 1)"), "{text}");
}

#[test]
fn png_round_trips_at_every_depth_and_channel_count() {
    let folder = tempfile::tempdir().unwrap();
    for channels in 1..=4usize {
        let n = 5 * 3 * channels;
        let deep: Vec<u16> = (0..n as u16).map(|i| i.wrapping_mul(4999)).collect();
        let shallow: Vec<u8> = deep.iter().map(|v| (v >> 8) as u8).collect();
        for pixels in [Pixels::U8(shallow), Pixels::U16(deep)] {
            let picture = Picture { width: 5, height: 3, channels, pixels };
            let path = folder.path().join(format!("{channels}.png"));
            save_png(&picture, &path).unwrap();
            assert_eq!(load(&path).unwrap(), picture);
        }
    }
    let nowhere = folder.path().join("missing/a.png");
    let picture = Picture { width: 1, height: 1, channels: 1, pixels: Pixels::U8(vec![0]) };
    let text = save_png(&picture, &nowhere).unwrap_err().to_string();
    assert!(text.contains("cannot write") && text.contains("missing"), "{text}");
}

#[test]
fn hdr_is_shown_clamped_and_curved() {
    let values = vec![-1.0, 0.0, 0.5, 4.0, 0.107_020_57, 0.5, 9.0, 0.0];
    let picture = Picture { width: 4, height: 1, channels: 2, pixels: Pixels::F32(values) };
    // Grey times alpha, and alpha: 0.5 linear is 188 at full opacity, 0.21404 is half of the sRGB range at half of it;
    // alpha stays linear.
    assert_eq!(picture.to_display().pixels, Pixels::U8(vec![0, 0, 188, 255, 128, 128, 0, 0]));
}

#[test]
fn built_pictures_are_clamped_and_rounded_to_nearest() {
    for (depth, expected) in [
        (Depth::U8, Pixels::U8(vec![0, 0, 128, 255, 255, 0, 1, 1])),
        (Depth::U16, Pixels::U16(vec![0, 0, 32768, 65535, 65535, 0, 257, 131])),
    ] {
        let mut builder = PictureBuilder::new(4, 2, 1, depth);
        builder.push(&[0.0, -3.0, 0.5]);
        builder.push(&[1.0, f32::INFINITY, f32::NAN, 1.0 / 255.0, 0.002 - 1e-6]);
        assert_eq!(builder.finish().pixels, expected);
    }
}

#[test]
fn resizing_keeps_constants_and_averages() {
    let flat = Picture { width: 7, height: 5, channels: 3, pixels: Pixels::U8(vec![200; 105]) };
    for (width, height) in [(1, 1), (3, 9), (70, 2), (7, 5)] {
        let resized = resize(&flat, width, height);
        assert_eq!(resized.pixels, Pixels::U8(vec![200; (width * height * 3) as usize]));
    }
    // Half black, half white: the middle of a wide filter is grey.
    let values = (0..64u8).map(|i| if i % 8 < 4 { 0 } else { 255 }).collect();
    let split = Picture { width: 8, height: 8, channels: 1, pixels: Pixels::U8(values) };
    assert_eq!(resize(&split, 1, 1).pixels, Pixels::U8(vec![128]));
}

#[test]
fn resizing_matches_pil() {
    // PIL: Image.fromarray((arange(12) ** 2 * 2).astype(uint8)[None]).resize((5, 1), LANCZOS)
    let values = (0..12u32).map(|i| (i * i * 2) as u8).collect();
    let ramp = Picture { width: 12, height: 1, channels: 1, pixels: Pixels::U8(values) };
    let Pixels::U8(found) = resize(&ramp, 5, 1).pixels else { panic!("8 bits") };
    assert_eq!(found, PIL_RAMP);
}

const PIL_RAMP: [u8; 5] = [1, 19, 60, 126, 212];

#[test]
fn resizing_weighs_colour_by_alpha() {
    // Opaque red beside transparent green: no green may bleed in.
    let pixels = Pixels::U8([255, 0, 0, 255, 0, 255, 0, 0].repeat(4));
    let picture = Picture { width: 8, height: 1, channels: 4, pixels };
    let Pixels::U8(small) = resize(&picture, 2, 1).pixels else { panic!("8 bits") };
    for pixel in small.chunks_exact(4) {
        assert_eq!(&pixel[..3], &[255, 0, 0]);
        assert!((100..160).contains(&pixel[3]), "alpha {}", pixel[3]);
    }
}

#[test]
fn crops_are_centred_and_checked() {
    let picture = Picture { width: 5, height: 3, channels: 1, pixels: Pixels::U8((0..15).collect()) };
    assert_eq!(center_crop(&picture, 2, 1).unwrap().pixels, Pixels::U8(vec![6, 7]));
    assert_eq!(center_crop(&picture, 5, 3).unwrap(), picture);
    for (width, height) in [(6, 1), (1, 4), (0, 1)] {
        let text = message(center_crop(&picture, width, height));
        assert!(text.contains(&format!("{width}x{height}")) && text.contains("5x3"), "{text}");
    }
}
