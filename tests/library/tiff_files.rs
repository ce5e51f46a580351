//! TIFF files of every kind, put together from their tags.

use afterimage::picture::{Depth, Loaded, Picture, PictureError, Pixels, Reading, load::parse};
use std::num::NonZeroU32;
use std::path::Path;

/// A directory: its tags with the type and the bytes of their values, its pixels, and the directories below it.
#[derive(Clone, Default)]
struct Directory {
    tags: Vec<(u16, u16, Vec<u8>)>,
    pixels: Vec<u8>,
    n_strips: u32,
    children: Vec<Directory>,
}

const WHITE_IS_ZERO: u16 = 0;
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const FLOATS: u16 = 3;

impl Directory {
    /// `width` and `height`, bits and samples, how they mean colours, and little-endian bytes.
    fn new(size: (u16, u16), bits: u16, n_samples: u16, photometric: u16, pixels: Vec<u8>) -> Self {
        let new = Self { pixels, n_strips: 1, ..Self::default() };
        let new = new.with(256, &[size.0]).with(257, &[size.1]).with(258, &vec![bits; n_samples.into()]);
        new.with(259, &[1]).with(262, &[photometric]).with(277, &[n_samples]).with(278, &[size.1])
    }

    fn with(mut self, tag: u16, values: &[u16]) -> Self {
        const SHORT: u16 = 3;
        self.tags.push((tag, SHORT, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
        self
    }

    fn with_bytes(mut self, tag: u16, bytes: &[u8]) -> Self {
        const UNDEFINED: u16 = 7;
        self.tags.push((tag, UNDEFINED, bytes.to_vec()));
        self
    }

    fn with_longs(mut self, tag: u16, values: &[u32]) -> Self {
        const LONG: u16 = 4;
        self.tags.push((tag, LONG, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
        self
    }

    fn reduced(self) -> Self {
        self.with_longs(254, &[1])
    }

    /// Appends the directory to `file`, and returns where it is.
    fn write(self, file: &mut Vec<u8>) -> u32 {
        let children: Vec<u32> = self.children.iter().map(|child| child.clone().write(file)).collect();
        let pixels_at = file.len() as u32;
        file.extend_from_slice(&self.pixels);
        let n_strips = self.n_strips.max(1);
        let n_bytes = self.pixels.len() as u32 / n_strips;
        let starts: Vec<u32> = (0..n_strips).map(|strip| pixels_at + strip * n_bytes).collect();
        let mut whole = self.with_longs(273, &starts).with_longs(279, &vec![n_bytes; starts.len()]);
        if !children.is_empty() {
            whole = whole.with_longs(330, &children);
        }
        whole.tags.sort();
        let mut entries = (whole.tags.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, mut value) in whole.tags {
            let count = value.len() / [1, 1, 1, 2, 4].get(usize::from(kind)).unwrap_or(&1);
            entries.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            entries.extend((count as u32).to_le_bytes());
            if value.len() > 4 {
                entries.extend((file.len() as u32).to_le_bytes());
                file.append(&mut value);
            } else {
                value.resize(4, 0);
                entries.append(&mut value);
            }
        }
        let at = file.len() as u32;
        file.append(&mut entries);
        file.extend([0; 4]);
        at
    }
}

fn file(directories: &[Directory]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for directory in directories {
        let at = directory.clone().write(&mut file);
        file[link..link + 4].copy_from_slice(&at.to_le_bytes());
        link = file.len() - 4;
    }
    file
}

fn read(directories: &[Directory], page: u32) -> Result<Loaded, PictureError> {
    parse(
        &file(directories),
        Path::new("a.tif"),
        Reading { page: NonZeroU32::new(page), ..Reading::default() },
    )
}

fn picture(directory: Directory) -> Picture {
    read(&[directory], 0).expect("it is read").picture
}

fn bytes<const N: usize, T: Copy>(values: &[T], to: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&v| to(v)).collect()
}

#[test]
fn floats_of_all_sizes_are_read() {
    let values = [0.5f32, -1.0, 2.0, 0.25, 1000.0, 0.125];
    let halves = values.map(half::f16::from_f32);
    for (n_samples, width) in [(1, 6), (3, 2)] {
        let photometric = if n_samples == 1 { BLACK_IS_ZERO } else { RGB };
        for (bits, pixels) in [
            (16, bytes(&halves, half::f16::to_le_bytes)),
            (32, bytes(&values, f32::to_le_bytes)),
            (64, bytes(&values.map(f64::from), f64::to_le_bytes)),
        ] {
            let directory = Directory::new((width, 1), bits, n_samples, photometric, pixels);
            let found = picture(directory.with(339, &vec![FLOATS; n_samples.into()]));
            assert_eq!(found.pixels, Pixels::F32(values.to_vec()), "{bits} bits, {n_samples} samples");
            assert_eq!((found.width, found.channels), (width.into(), n_samples.into()));
        }
    }
}

#[test]
fn grey_of_few_bits_is_spread_over_the_range() {
    // Rows of three values begin with a new byte.
    for (bits, pixels, expected) in [
        (1, vec![0b0100_0000, 0b1010_0000], [0, 255, 0, 255, 0, 255]),
        (2, vec![0b0001_1000, 0b1100_0100], [0, 85, 170, 255, 0, 85]),
        (4, vec![0x01, 0xf0, 0x8a, 0x20], [0, 17, 255, 136, 170, 34]),
    ] {
        let found = picture(Directory::new((3, 2), bits, 1, BLACK_IS_ZERO, pixels.clone()));
        assert_eq!(found.pixels, Pixels::U8(expected.to_vec()), "{bits} bits");
        let found = picture(Directory::new((3, 2), bits, 1, WHITE_IS_ZERO, pixels));
        assert_eq!(found.pixels, Pixels::U8(expected.map(|v| 255 - v).to_vec()), "{bits} bits, inverted");
    }
}

#[test]
fn alpha_is_told_from_other_samples() {
    let grey = |extra: &[u16]| {
        let directory = Directory::new((2, 1), 8, 2, BLACK_IS_ZERO, vec![10, 20, 30, 40]);
        let directory = if extra.is_empty() { directory } else { directory.with(338, extra) };
        read(&[directory], 0).expect("it is read")
    };
    // Associated grey is divided by its alpha.
    for (extra, expected) in [(1, vec![128, 20, 191, 40]), (2, vec![10, 20, 30, 40])] {
        let found = grey(&[extra]);
        assert_eq!((found.picture.channels, found.notes.len()), (2, 0));
        assert_eq!(found.picture.pixels, Pixels::U8(expected));
    }
    for extra in [&[0][..], &[]] {
        let found = grey(extra);
        assert_eq!(found.picture.pixels, Pixels::U8(vec![10, 30]), "{extra:?}");
        assert!(found.notes[0].contains("the last is neither colour nor alpha"), "{:?}", found.notes);
    }
    let inverted = Directory::new((1, 1), 8, 2, WHITE_IS_ZERO, vec![10, 20]).with(338, &[2]);
    assert_eq!(picture(inverted).pixels, Pixels::U8(vec![245, 20]));
    let deep = Directory::new((1, 1), 16, 2, BLACK_IS_ZERO, vec![1, 2, 3, 4]).with(338, &[2]);
    assert_eq!(picture(deep).pixels, Pixels::U16(vec![0x0201, 0x0403]));
    // Two more samples than colours, the first of them alpha.
    let five = Directory::new((1, 1), 8, 5, RGB, vec![1, 2, 3, 4, 5]).with(338, &[2, 0]);
    let found = read(&[five], 0).expect("it is read");
    assert_eq!(found.picture.pixels, Pixels::U8(vec![1, 2, 3, 4]));
    assert!(found.notes[0].contains("5 values a pixel"), "{:?}", found.notes);
    // Channel by channel.
    let planar = Directory::new((2, 1), 8, 2, BLACK_IS_ZERO, vec![1, 2, 3, 4]).with(338, &[2]);
    let planar = Directory { n_strips: 2, ..planar.with(284, &[2]) };
    let found = read(&[planar], 0).expect("it is read");
    assert_eq!(found.picture.pixels, Pixels::U8(vec![1, 3, 2, 4]));
}

#[test]
fn palettes_become_colours_of_their_depth() {
    let table = |colors: [[u16; 4]; 3]| colors.concat();
    let directory =
        |colors| Directory::new((4, 1), 2, 1, PALETTE, vec![0b0001_1011]).with(320, &table(colors));
    let eight = [[0, 257, 514, 65_535], [65_535, 0, 257, 0], [0, 0, 0, 771]];
    let expected = vec![0, 255, 0, 1, 0, 0, 2, 1, 0, 255, 0, 3];
    assert_eq!(picture(directory(eight)).pixels, Pixels::U8(expected.clone()));
    // Some writers leave the lower byte empty, others the upper.
    let upper = eight.map(|colors| colors.map(|v| v & 0xff00));
    assert_eq!(picture(directory(upper)).pixels, Pixels::U8(expected.clone()));
    let lower = eight.map(|colors| colors.map(|v| v & 0xff));
    assert_eq!(picture(directory(lower)).pixels, Pixels::U8(expected));
    let deep = [[0, 1000, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]];
    let found = picture(directory(deep));
    assert_eq!(found.depth(), Depth::U16);
    assert_eq!(found.pixels, Pixels::U16(vec![0, 4, 8, 1000, 5, 9, 2, 6, 10, 3, 7, 11]));
}

fn refusal(directory: Directory) -> String {
    read(&[directory], 0).expect_err("it is refused").to_string()
}

#[test]
fn what_is_not_read_is_named() {
    let grey = |bits: u16, format: u16| {
        let pixels = vec![0; usize::from(bits)];
        Directory::new((2, 2), bits, 1, BLACK_IS_ZERO, pixels).with(339, &[format])
    };
    for (directory, expected) in [
        (grey(16, 2), "signed integers"),
        (grey(32, 1), "integers of 32 bits"),
        (grey(64, 6), "complex numbers"),
        (Directory::new((1, 1), 8, 3, 8, vec![0; 3]), "CIELab"),
        (Directory::new((1, 1), 8, 4, BLACK_IS_ZERO, vec![0; 4]), "4 values a pixel that are not said to be"),
        (Directory::new((1, 1), 8, 1, PALETTE, vec![0]), "palette that is not in the file"),
        (Directory::new((1, 1), 12, 1, BLACK_IS_ZERO, vec![0; 2]), "integers of 12 bits"),
    ] {
        let text = refusal(directory);
        assert!(text.contains(expected) && text.starts_with("a.tif has "), "{text}");
        assert!(!text.contains("damaged"), "{text}");
    }
    for (number, name) in
        [(50_000, "Zstandard"), (34_712, "JPEG 2000"), (3, "CCITT Group 3"), (999, "method 999")]
    {
        let mut directory = flat((2, 2), 0);
        directory.tags.retain(|(tag, ..)| *tag != 259);
        let text = refusal(directory.with(259, &[number]));
        assert!(text.starts_with(&format!("a.tif is compressed with {name} and")), "{text}");
    }
}

fn flat(size: (u16, u16), value: u8) -> Directory {
    Directory::new(size, 8, 1, BLACK_IS_ZERO, vec![value; usize::from(size.0) * usize::from(size.1)])
}

#[test]
fn raw_files_are_refused_whatever_their_thumbnail() {
    let thumbnail = || flat((4, 3), 9).reduced();
    let raw = Directory::new((8, 6), 16, 1, 32_803, vec![0; 96]);
    let with_raw = Directory { children: vec![raw], ..thumbnail() };
    let compressed = Directory { tags: vec![], ..Directory::default() }.with(259, &[34_713]);
    for directories in [
        vec![with_raw],
        vec![thumbnail(), compressed],
        // DNGVersion.
        vec![thumbnail().with_longs(50_706, &[1])],
    ] {
        let text = read(&directories, 0).expect_err("it is raw").to_string();
        assert!(text.contains("raw file") && text.contains("develop"), "{text}");
    }
    let by_name = parse(&file(&[flat((4, 3), 1)]), Path::new("a.NEF"), Reading::default());
    assert!(by_name.expect_err("it is raw").to_string().contains("raw file"));
}

#[test]
fn the_largest_copy_or_the_first_page_is_taken() {
    let taken = |directories: &[Directory]| {
        let found = read(directories, 0).expect("it is read");
        let Pixels::U8(values) = found.picture.pixels else { panic!("8 bits") };
        (values[0], found.notes.join(";"))
    };
    // Thumbnails first, with and without saying so.
    let (value, note) = taken(&[flat((4, 3), 1).reduced(), flat((8, 6), 2)]);
    assert_eq!(value, 2);
    assert!(note.contains("a.tif has 2 pictures; the largest, number 2, is used, --page N"), "{note}");
    assert_eq!(taken(&[flat((4, 3), 1), flat((16, 12), 2), flat((8, 6), 3)]).0, 2);
    // A thumbnail with other proportions says that it is one.
    assert_eq!(taken(&[flat((4, 4), 1).reduced(), flat((8, 6), 2)]).0, 2);
    // Below the first.
    let pyramid = Directory { children: vec![flat((4, 3), 2), flat((2, 2), 3)], ..flat((8, 6), 1) };
    let (value, note) = taken(&[pyramid]);
    assert!(value == 1 && note.contains("3 pictures; the first"), "{note}");
    let upside_down = Directory { children: vec![flat((8, 6), 2)], ..flat((4, 3), 1) };
    assert_eq!(taken(&[upside_down]).0, 2);
    // Pages of about one size, and of other proportions.
    assert_eq!(taken(&[flat((20, 30), 1), flat((21, 31), 2), flat((90, 20), 3)]).0, 1);
    assert_eq!(taken(&[flat((20, 30), 1)]), (1, String::new()));
    // A mask is no picture.
    assert_eq!(taken(&[flat((20, 30), 1), flat((20, 30), 2).with_longs(254, &[4])]), (1, String::new()));
}

#[test]
fn pages_are_counted_through_the_main_list_first() {
    let first = Directory { children: vec![flat((2, 2), 4)], ..flat((4, 3), 1) };
    let all = [first, flat((5, 3), 2), flat((6, 3), 3)];
    for page in 1..=4 {
        let found = read(&all, page).expect("it is read");
        let Pixels::U8(values) = found.picture.pixels else { panic!("8 bits") };
        assert_eq!((u32::from(values[0]), found.notes.len()), (page, 0));
    }
    let text = read(&all, 5).expect_err("there are four").to_string();
    assert_eq!(text, "a.tif has 4 pictures, so --page cannot be 5");
}

#[test]
fn directories_in_a_circle_end() {
    let mut bytes = file(&[flat((4, 3), 1), flat((4, 3), 2)]);
    let end = bytes.len() - 4;
    let first: [u8; 4] = bytes[4..8].try_into().expect("four");
    bytes[end..].copy_from_slice(&first);
    let found = parse(&bytes, Path::new("a.tif"), Reading::default()).expect("it is read");
    assert!(found.notes[0].contains("2 pictures"), "{:?}", found.notes);
}

#[test]
fn big_tiffs_and_big_endian_ones_are_read() {
    use tiff::encoder::{TiffEncoder, colortype};
    let values: Vec<u16> = (0..5 * 3 * 3).map(|v| v * 1000).collect();
    let mut out = std::io::Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new_big(&mut out).expect("begun");
    for _ in 0..2 {
        encoder.write_image::<colortype::RGB16>(5, 3, &values).expect("written");
    }
    let reading = Reading { page: NonZeroU32::new(2), ..Reading::default() };
    let found = parse(out.get_ref(), Path::new("a.tif"), reading).expect("it is read");
    assert_eq!(found.picture.pixels, Pixels::U16(values));
    // Made by hand: 2x1 grey values of 16 bits.
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 2 << 16),
        (257, 3, 1 << 16),
        (258, 3, 16 << 16),
        (259, 3, 1 << 16),
        (262, 3, 1 << 16),
        (273, 4, 8),
        (277, 3, 1 << 16),
        (278, 3, 1 << 16),
        (279, 4, 4),
    ];
    let mut bytes = b"MM\0*\0\0\0\x0c\x01\x02\x03\x04".to_vec();
    bytes.extend([0, 9]);
    for (tag, kind, value) in entries {
        bytes.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        bytes.extend([1u32.to_be_bytes(), value.to_be_bytes()].concat());
    }
    bytes.extend([0; 4]);
    let found = parse(&bytes, Path::new("a.tif"), Reading::default()).expect("it is read");
    assert_eq!(found.picture.pixels, Pixels::U16(vec![0x0102, 0x0304]));
}

#[test]
fn cmyk_is_converted_by_its_profile_or_that_is_said() {
    const CMYK: u16 = 5;
    let icc = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/press.icc"));
    let inks = vec![0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0];
    let plain = Directory::new((3, 1), 8, 4, CMYK, inks);
    let bare = read(std::slice::from_ref(&plain), 0).expect("it is read");
    assert_eq!(bare.picture.pixels, Pixels::U8(vec![255, 255, 255, 0, 0, 0, 0, 255, 255]));
    assert!(bare.notes[0].contains("converted to RGB without a profile"), "{:?}", bare.notes);
    let found = read(&[plain.with_bytes(34_675, &icc.expect("a profile"))], 0).expect("it is read");
    assert_eq!(found.notes, ["a.tif: converted from Test press to sRGB"]);
    let Pixels::U8(values) = &found.picture.pixels else { panic!("8 bits") };
    assert!(values[..3].iter().all(|&v| v > 200) && values[3..6].iter().all(|&v| v < 90), "{values:?}");
    assert!(values[6] < values[7] && values[6] > 0, "cyan ink is no pure cyan: {values:?}");
}
