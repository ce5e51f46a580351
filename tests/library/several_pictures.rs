//! Files that hold several pictures, JPEGs with faults that lose nothing, and files that are no pictures.

use afterimage::picture::{Loaded, PictureError, Pixels, Reading, load::parse};
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{Frame, GrayImage, ImageEncoder, Luma, Rgba, RgbaImage};
use std::io::Write;
use std::num::NonZeroU32;
use std::path::Path;

fn read(bytes: &[u8], name: &str, page: u32) -> Result<Loaded, PictureError> {
    parse(bytes, Path::new(name), Reading { page: NonZeroU32::new(page), ..Reading::default() })
}

/// The first value of each pixel of page `page`.
fn firsts(bytes: &[u8], name: &str, page: u32) -> Vec<u8> {
    let picture = read(bytes, name, page).unwrap_or_else(|e| panic!("{name}, page {page}: {e}")).picture;
    let Pixels::U8(values) = picture.pixels else { panic!("8 bits") };
    values.into_iter().step_by(picture.channels).collect()
}

/// Frames of 4 x 1 pixels: all of one colour, which the first two of them show.
fn frame(red: u8) -> RgbaImage {
    RgbaImage::from_pixel(4, 1, Rgba([red, 0, 0, 255]))
}

fn gif() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    (1..=3).for_each(|i| encoder.encode_frame(Frame::new(frame(i * 50))).expect("written"));
    drop(encoder);
    out
}

/// An APNG of 4 x 1 grey pixels: 10, then 20 over the second and third, then 30 over the last. `other` puts a picture
/// before them that is not part of the animation.
fn apng(other: bool, dispose: png::DisposeOp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 4, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(3, 0).expect("an animation");
    encoder.set_sep_def_img(other).expect("not begun");
    encoder.set_dispose_op(dispose).expect("not begun");
    let mut writer = encoder.write_header().expect("begun");
    if other {
        writer.write_image_data(&[90; 4]).expect("written");
    }
    writer.write_image_data(&[10; 4]).expect("written");
    for (x, width, value) in [(1, 2, 20), (3, 1, 30)] {
        writer.set_frame_dimension(width, 1).expect("inside");
        writer.set_frame_position(x, 0).expect("inside");
        writer.write_image_data(&vec![value; width as usize]).expect("written");
    }
    writer.finish().expect("written");
    out
}

/// Three frames, and the EXIF orientation.
fn webp(orientation: u8) -> Vec<u8> {
    let chunk = |name: &[u8], contents: &[u8]| {
        let padding = &[0][..contents.len() % 2];
        [name, &(contents.len() as u32).to_le_bytes(), contents, padding].concat()
    };
    let frames = (1..=3).map(|i| {
        let mut still = Vec::new();
        let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut still);
        encoder.write_image(&frame(i * 50), 4, 1, image::ExtendedColorType::Rgba8).expect("written");
        // Position, size, duration, flags; then the chunk of the picture.
        let header = [0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 9, 0, 0, 2];
        chunk(b"ANMF", &[&header, &still[12..]].concat())
    });
    let size = [0x1a, 0, 0, 0, 3, 0, 0, 0, 0, 0];
    let exif =
        [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
    let frames = frames.collect::<Vec<_>>().concat();
    let all = [chunk(b"VP8X", &size), chunk(b"ANIM", &[0; 6]), frames, chunk(b"EXIF", &exif)].concat();
    chunk(b"RIFF", &[b"WEBP", all.as_slice()].concat())
}

#[test]
fn frames_of_animations_are_pages() {
    let none = png::DisposeOp::None;
    for (name, bytes) in [("a.gif", gif()), ("a.webp", webp(1)), ("a.png", apng(false, none))] {
        let found = read(&bytes, name, 0).unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected = format!("{name} has 3 pictures; the first is used, --page N takes another");
        assert_eq!(found.notes, [expected]);
        assert_eq!(found.picture, read(&bytes, name, 1).expect("the first").picture, "{name}");
        assert_eq!(read(&bytes, name, 1).expect("the first").notes, [""; 0], "{name}");
        let text = read(&bytes, name, 4).expect_err("there are three").to_string();
        assert_eq!(text, format!("{name} has 3 pictures, so --page cannot be 4"));
    }
    for page in 1..=3 {
        assert_eq!(firsts(&gif(), "a.gif", page), [page as u8 * 50; 4]);
        assert_eq!(firsts(&webp(1), "a.webp", page), [page as u8 * 50; 4]);
        let turned = read(&webp(6), "a.webp", page).expect("it is read").picture;
        assert_eq!((turned.width, turned.height), (1, 4));
    }
}

#[test]
fn frames_of_an_animated_png_are_composed() {
    let keeping = apng(false, png::DisposeOp::None);
    assert_eq!(firsts(&keeping, "a.png", 1), [10; 4]);
    assert_eq!(firsts(&keeping, "a.png", 2), [10, 20, 20, 10]);
    assert_eq!(firsts(&keeping, "a.png", 3), [10, 20, 20, 30]);
    assert_eq!(read(&keeping, "a.png", 2).expect("it is read").picture.channels, 1);
    // Each frame is taken away before the next, which leaves the rest transparent.
    let clearing = apng(false, png::DisposeOp::Background);
    let third = read(&clearing, "a.png", 3).expect("it is read").picture;
    assert_eq!(third.pixels, Pixels::U8(vec![0, 0, 0, 0, 0, 0, 30, 255]));
    // The picture that programs without animation show comes first.
    let other = apng(true, png::DisposeOp::None);
    assert_eq!(firsts(&other, "a.png", 0), [90; 4]);
    assert_eq!(firsts(&other, "a.png", 3), [10, 20, 20, 10]);
    assert!(read(&other, "a.png", 0).expect("it is read").notes[0].contains("4 pictures"));
}

fn jpeg(grey: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let picture = GrayImage::from_fn(40, 24, |x, y| Luma([grey.wrapping_add((x * y % 64) as u8)]));
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut out, 90)).expect("written");
    out
}

/// Several JPEGs in a file, with the index of CIPA DC-007. Of each its type and its bytes.
fn multi_picture(pictures: &[(u32, Vec<u8>)], big_endian: bool) -> Vec<u8> {
    let u16 = |v: u16| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let u32 = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let n = pictures.len() as u32;
    // Behind the marker, its length and its name.
    const BASE: u32 = 2 + 8;
    let segment_bytes = 8 + 8 + 2 + 12 + 4 + 16 * n;
    let mut index = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    index.extend([u32(8).to_vec(), u16(1).to_vec(), u16(0xb002).to_vec(), u16(7).to_vec()].concat());
    index.extend([u32(16 * n), u32(26), u32(0)].concat());
    let mut at = 0;
    for (i, (kind, bytes)) in pictures.iter().enumerate() {
        let length = bytes.len() as u32 + if i == 0 { segment_bytes } else { 0 };
        index.extend([u32(*kind), u32(length), u32(if i == 0 { 0 } else { at - BASE }), [0; 4]].concat());
        at += length;
    }
    let mut file = b"\xff\xd8\xff\xe2".to_vec();
    file.extend((segment_bytes as u16 - 2).to_be_bytes());
    file.extend(b"MPF\0");
    file.append(&mut index);
    assert_eq!(file.len() as u32, 2 + segment_bytes);
    file.extend(&pictures[0].1[2..]);
    pictures[1..].iter().for_each(|(_, bytes)| file.extend(bytes));
    file
}

#[test]
fn pictures_of_a_multi_picture_jpeg_are_pages() {
    const STEREO: u32 = 0x2_0002;
    const LARGE_THUMBNAIL: u32 = 0x1_0001;
    let expected: Vec<_> = [10, 60, 120].map(|grey| firsts(&jpeg(grey), "a.jpg", 0)).into();
    for big_endian in [false, true] {
        let all = [(STEREO, jpeg(10)), (LARGE_THUMBNAIL, jpeg(200)), (STEREO, jpeg(60)), (STEREO, jpeg(120))];
        let file = multi_picture(&all, big_endian);
        let note = read(&file, "a.mpo", 0).expect("it is read").notes.join(";");
        assert_eq!(note, "a.mpo has 3 pictures; the first is used, --page N takes another");
        for page in 1..=3 {
            assert!(firsts(&file, "a.mpo", page) == expected[page as usize - 1], "page {page}");
        }
        // A preview alone is no second picture.
        let file = multi_picture(&all[..2], big_endian);
        assert_eq!(read(&file, "a.jpg", 0).expect("it is read").notes, [""; 0]);
    }
}

/// The JPEG with a segment after its start.
fn with_segment(jpeg: &[u8], marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = (contents.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, contents, &jpeg[2..]].concat()
}

#[test]
fn a_gain_map_is_left_out_and_that_is_said() {
    let plain = firsts(&jpeg(10), "a.jpg", 0);
    let both = multi_picture(&[(0, jpeg(10)), (0, jpeg(99))], true);
    for (marker, contents) in [
        (0xe1, &b"http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version=\"1.0\"/>"[..]),
        (0xe2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"),
    ] {
        let segment_bytes = 4 + contents.len();
        let file = with_segment(&both, marker, contents);
        // The index counts from itself, so nothing in it changes.
        assert_eq!(file.len(), both.len() + segment_bytes);
        assert_eq!(firsts(&file, "a.jpg", 0), plain);
        let notes = read(&file, "a.jpg", 0).expect("it is read").notes;
        assert_eq!(notes, ["a.jpg has a gain map for HDR screens, which is not used"]);
        assert!(read(&file, "a.jpg", 2).is_err());
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)).expect("a fixture")
}

#[test]
fn a_jpeg_without_its_last_marker_is_read_and_one_cut_short_is_not() {
    for name in ["baseline.jpg", "progressive.jpg", "restart.jpg", "grey.jpg", "cmyk.jpg"] {
        let bytes = fixture(name);
        let whole = read(&bytes, name, 0).expect("it is read");
        assert_eq!((&bytes[bytes.len() - 2..], whole.notes.len()), (&[0xff, 0xd9][..], 0));
        for tail in [&[][..], &[0xff], &[0; 7]] {
            let open = [&bytes[..bytes.len() - 2], tail].concat();
            let found = read(&open, name, 0).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(found.picture, whole.picture, "{name}");
            assert!(found.notes[0].contains("lacks the mark of its end"), "{:?}", found.notes);
        }
        // Each byte less loses pixels, but the last may hold only padding.
        for (length, tail) in (2..bytes.len() - 3).flat_map(|length| [(length, 0), (length, 9)]) {
            let cut = [&bytes[..length], &vec![0; tail]].concat();
            assert!(read(&cut, name, 0).is_err(), "{name} cut to {length} of {}", bytes.len());
        }
    }
}

#[test]
fn bytes_between_the_segments_of_a_jpeg_are_skipped() {
    let bytes = fixture("baseline.jpg");
    let whole = read(&bytes, "a.jpg", 0).expect("it is read");
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).expect("a scan");
    for at in [2, scan] {
        for stray in [&[0u8; 1][..], &[1, 2, 3, 4, 5, 6, 7], b"\xff\0\xff\0ab"] {
            let file = [&bytes[..at], stray, &bytes[at..]].concat();
            let found = read(&file, "a.jpg", 0).unwrap_or_else(|e| panic!("{stray:?} at {at}: {e}"));
            assert_eq!(found.picture, whole.picture);
            let expected = format!("a.jpg has {} bytes between its segments", stray.len());
            assert!(found.notes[0].starts_with(&expected), "{:?}", found.notes);
        }
    }
    // Fill bytes are allowed.
    let filled = [&bytes[..scan], &[0xff; 5], &bytes[scan..]].concat();
    assert_eq!(read(&filled, "a.jpg", 0).expect("it is read"), whole);
}

fn refusal(bytes: &[u8], name: &str) -> String {
    let text = read(bytes, name, 0).expect_err(name).to_string();
    assert!(!text.contains("damaged"), "{text}");
    text
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_named() {
    let bytes = jpeg(10);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    for (marker, bits, expected) in [
        (0xc3, 8, "is a lossless JPEG"),
        (0xc1, 12, "is a JPEG of 12 bits a value"),
        (0xc5, 8, "is a hierarchical JPEG"),
        (0xc9, 8, "is a JPEG with arithmetic coding"),
    ] {
        let mut file = bytes.clone();
        (file[frame + 1], file[frame + 4]) = (marker, bits);
        let text = refusal(&file, "a.jpg");
        assert!(text.contains(expected) && text.contains("16 bits a value"), "{text}");
    }
}

#[test]
fn what_is_not_a_picture_that_is_read_is_named() {
    let mut tga = vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 4, 0, 24, 0];
    tga.extend([9; 48]);
    let mut old_tga = tga.clone();
    tga.write_all(b"\0\0\0\0\0\0\0\0TRUEVISION-XFILE.\0").expect("to memory");
    old_tga.extend([0xff; 9]);
    for (name, bytes, expected) in [
        ("a.heic", &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "is a HEIC picture"),
        ("a.avif", b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "is an AVIF picture"),
        ("a.cr3", b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "is a camera's raw file (CR3)"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "is a video"),
        ("a.jxl", b"\xff\x0a\x41\x42", "is a JPEG XL picture"),
        ("b.jxl", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14", "is a JPEG XL picture"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "is a JPEG 2000 picture"),
        ("a.j2k", b"\xff\x4f\xff\x51\0\x2f\0\0", "is a JPEG 2000 picture"),
        ("a.j2c", b"\xff\x4f\xff\x51\0\x2f\x40\0", "is an HTJ2K picture"),
        ("a.jph", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjph ", "is an HTJ2K picture"),
        ("a", tga.as_slice(), "is a TGA picture"),
        ("a.TGA", old_tga.as_slice(), "is a TGA picture"),
        ("a.psd", b"8BPS\0\x01\0\0", "is a Photoshop document"),
        ("a.dds", b"DDS \x7c\0\0\0", "is a DDS texture"),
        ("a.ico", b"\0\0\x01\0\x01\0\x10\x10", "is a Windows icon"),
        ("a.pdf", b"%PDF-1.7\n", "is a PDF document"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        ("b.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer"),
        ("c.png", b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        ("d.png", b"\x1f\x8b\x08\0", "is a gzip archive"),
        ("e.png", b"PK\x03\x04\x14\0", "is a ZIP archive"),
        ("f.png", b"", "is empty"),
        ("g.png", b"Dear all,\n", "is text"),
        ("h.png", &[0; 600], "begins with nothing but zeros"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "is a camera's raw file (RAF)"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\x02\0", "is a camera's raw file (CR2)"),
        ("a.orf", b"IIRO\x08\0\0\0", "is a camera's raw file (ORF)"),
        ("a.rw2", b"IIU\0\x18\0\0\0", "is a camera's raw file (RW2)"),
    ] {
        let text = refusal(bytes, name);
        assert!(text.starts_with(name) && text.contains(expected), "{name}: {text}");
        assert!(!text.contains("8-bit"), "{text}");
    }
    // A header that is plausible by chance, without the extension or the footer.
    assert!(refusal(&old_tga, "a.bin").contains("its contents are none of PNG"));
}

#[test]
fn cut_and_damaged_files_of_several_pictures_never_panic() {
    let mpo = multi_picture(&[(0, jpeg(10)), (0, jpeg(60))], false);
    for bytes in [gif(), webp(1), apng(true, png::DisposeOp::Previous), mpo] {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x7b;
            for page in 0..4 {
                let _ = read(&damaged, "a", page).is_ok();
                let _ = read(&bytes[..at], "a", page).is_ok();
            }
        }
    }
}
