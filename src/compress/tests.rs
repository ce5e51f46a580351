use super::bands::bands;
use super::fixed::{FixedColours, FixedLayer, Rows};
use super::format::{parse, write};
use super::*;
use crate::picture::{Picture, Pixels, SquaredError};
use proptest::prelude::*;

/// Layers whose integers are drawn from a small generator, with the given precision.
fn layers(shape: &Shape, mut seed: u32) -> Vec<FixedLayer> {
    let mut draw = |n: usize, spread: i32| -> Vec<i32> {
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as i32 % (2 * spread + 1) - spread
        };
        (0..n).map(|_| next()).collect()
    };
    let layer = |layer: shape::Layer| {
        let (weights, biases) = (draw(layer.n_weights(), 90), draw(layer.biases, 60));
        FixedLayer { weight_point: 8, bias_point: if biases.is_empty() { 0 } else { 6 }, weights, biases }
    };
    shape.layers().map(layer).to_vec()
}

fn grids(shape: &Shape) -> Vec<Rows> {
    let grid = |level| {
        let (width, height) = shape.grid(level);
        let mut rows = Rows::new((width, height), 0..height, 1);
        for (n, value) in rows.data.iter_mut().enumerate() {
            *value = if n % 7 < 5 { 0 } else { (n * n % 9) as i32 - 4 };
        }
        rows.data[0] = 1999;
        rows
    };
    (0..shape.levels).map(grid).collect()
}

fn file(width: u32, height: u32, channels: usize) -> (Shape, Vec<FixedLayer>, Vec<Rows>, Vec<u8>) {
    let shape = Shape::of(width, height, channels);
    let (layers, grids) = (layers(&shape, 9), grids(&shape));
    let file = write(&shape, &layers, &grids);
    (shape, layers, grids, file)
}

#[test]
fn what_is_decoded_is_what_was_encoded_bit_for_bit() {
    for (width, height, channels) in [(1, 1, 3), (3, 300, 1), (150, 261, 3), (65, 2, 1)] {
        let (shape, layers, grids, file) = file(width, height, channels);
        let parts = parse(&file).expect("a file");
        assert_eq!((parts.shape, &parts.layers), (shape, &layers));
        let own = FixedColours { shape: &shape, layers: &layers }.run(&grids, &(0..height as usize));
        let picture = CompressedPicture::parse(&file).expect("a file").decode().expect("a picture");
        assert_eq!(picture.pixels, Pixels::U8(own), "{width}x{height}");
    }
}

#[test]
fn the_last_refinement_is_the_picture() {
    let (_, _, _, file) = file(40, 400, 3);
    let picture = CompressedPicture::parse(&file).expect("a file");
    let all: Vec<Picture> = picture.refinements().map(|refined| refined.expect("a picture")).collect();
    assert_eq!(all.len(), 7);
    assert_eq!(all[6], picture.decode().expect("a picture"));
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "each grid changes something");
}

#[test]
fn rows_are_those_of_the_whole_and_read_no_other_bands() {
    let (shape, _, _, file) = file(40, 400, 3);
    let picture = CompressedPicture::parse(&file).expect("a file");
    let Pixels::U8(whole) = picture.decode().expect("a picture").pixels else { panic!("8 bits") };
    for rows in [0..1, 5..9, 120..140, 255..257, 399..400, 0..400] {
        let values = picture.rows(rows.clone()).expect("rows");
        let row = 40 * 3;
        assert_eq!(values, whole[rows.start as usize * row..rows.end as usize * row], "{rows:?}");
    }
    // With the last band of the finest grid cut off, and the checksum made right, the first rows are still read.
    let last = parse(&file).expect("a file").bands.last().expect("a band").1.len();
    assert_eq!(bands(&shape).last(), Some(&(0, 384..400)));
    let mut damaged = file.clone();
    let end = damaged.len() - 4;
    damaged[end - last..end].fill(0xff);
    let damaged = CompressedPicture::parse(&with_checksum(damaged)).expect("a file");
    assert_eq!(damaged.rows(0..300).expect("rows"), whole[..300 * 40 * 3]);
    assert!(damaged.decode().map_or(true, |picture| picture.pixels != Pixels::U8(whole)));
}

fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
    let end = file.len() - 4;
    let checksum = crc32fast::hash(&file[..end]);
    file[end..].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// Colours of a fixed file, which are part of the format: whatever changes them needs a new version.
#[test]
fn a_file_decodes_to_the_same_values_everywhere() {
    let bytes = include_bytes!("../../tests/pictures/astronaut.aim");
    let picture = CompressedPicture::parse(bytes).expect("a file").decode().expect("a picture");
    let Pixels::U8(values) = picture.pixels else { panic!("8 bits") };
    assert_eq!(crc32fast::hash(&values), CHECKSUM);
}

const CHECKSUM: u32 = 350_517_979;

/// Files with several bands and with integers far from what is expected, as they were first written; other decoders are
/// tested by them.
#[test]
fn files_of_version_1_are_written_as_ever() {
    let grey: &[u8] = include_bytes!("../../tests/pictures/far-grey.aim");
    let colours: &[u8] = include_bytes!("../../tests/pictures/far-colours.aim");
    assert!(file(3, 300, 1).3 == grey && file(70, 150, 3).3 == colours);
}

proptest! {
    #[test]
    fn damage_is_named_and_never_a_panic(place in any::<usize>(), bits in 1_u8.., repair: bool, cut in 0..40_usize) {
        let (_, _, _, file) = file(20, 150, 3);
        let mut damaged = file.clone();
        damaged.truncate(file.len() - cut);
        let n = damaged.len();
        damaged[place % n] ^= bits;
        if repair {
            damaged = with_checksum(damaged);
        }
        let read = CompressedPicture::parse(&damaged);
        prop_assert!(repair || read.is_err(), "a checksum is checked");
        if let Ok(picture) = read {
            prop_assert!(picture.shape().n_pixels() <= 8192 * damaged.len());
            _ = picture.rows(0..1);
        }
    }

    #[test]
    fn noise_is_no_file(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(CompressedPicture::parse(&bytes).is_err());
        let named = [&MAGIC[..], &bytes, &[0; 4]].concat();
        if let Ok(picture) = CompressedPicture::parse(&with_checksum(named)) {
            _ = picture.rows(0..1);
        }
    }
}

#[test]
fn a_size_that_no_file_of_few_bytes_has_is_refused() {
    let file = with_checksum([&MAGIC[..], &[0xff, 0x1f, 0xff, 0x1f, 3, 0, 0, 0, 0]].concat());
    let error = CompressedPicture::parse(&file).expect_err("4095 x 4095 in 13 bytes");
    assert_eq!(error, FormatError::Damaged("its picture is too large for so few bytes"));
    let version = [&b"AIM\x02"[..], &[0; 30]].concat();
    assert_eq!(CompressedPicture::parse(&version).expect_err("unknown"), FormatError::Version(2));
    assert_eq!(CompressedPicture::parse(b"GIF89a").expect_err("a GIF"), FormatError::Other);
}

/// A gradient with a disc and a texture.
fn scene(width: u32, height: u32, channels: usize) -> Picture {
    let value = |n: usize| {
        let (pixel, channel) = (n / channels, n % channels);
        let (x, y) = ((pixel % width as usize) as i32, (pixel / width as usize) as i32);
        let disc = (x - 20) * (x - 20) + (y - 15) * (y - 15) < 120;
        let base = if disc { 200 - 60 * channel as i32 } else { 40 + 2 * x + y };
        (base + (x * 7 + y * 13) % 9).clamp(0, 255) as u8
    };
    let pixels = Pixels::U8((0..(width * height) as usize * channels).map(value).collect());
    Picture { width, height, channels, pixels }
}

fn compressed(picture: &Picture, wish: Wish) -> Result<Compressed, CompressError> {
    compress(picture, wish, Effort { steps: 60, seed: 0 }, &mut |_| true)
}

/// What a band sees of the one before is the same in training: nothing. Each integer is expected to be the one above it, so
/// that the first row of a band costs much.
#[test]
fn the_bits_of_training_are_those_of_the_file() {
    const WIDTH: u32 = 100;
    const ABOVE: usize = 1;
    assert_eq!(shape::NEIGHBOURS[ABOVE], (0, -1));
    let shape = Shape::of(WIDTH, 300, 1);
    let mut layers: Vec<FixedLayer> = Vec::new();
    for (n, layer) in shape.layers().iter().enumerate() {
        let mut weights = vec![0; layer.n_weights()];
        match n {
            0 => weights[ABOVE * layer.outputs] = 1,
            1 | 2 => weights[0] = 1,
            _ => {}
        }
        layers.push(FixedLayer { weights, biases: vec![0; layer.biases], ..FixedLayer::default() });
    }
    let numbers = layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases));
    let weights = numbers.map(|&number| number as f32).collect();
    let mut trainer = train::Trainer::new(shape, &scene(WIDTH, 300, 1), weights, 0);
    trainer.set_numbers(|level, _, _| if level == 0 { 6.0 } else { 0.0 });
    trainer.round(train::Rounding::Hard);
    let file = write(&shape, &layers, &trainer.integers());
    let parts = parse(&file).expect("a file");
    let coded: usize = parts.bands.iter().map(|(_, bytes)| bytes.len()).sum();
    let expected = trainer.bits(0.0);
    // Probabilities are of 16 bits, and up to eight bytes end each of ten bands.
    let difference = 8.0 * coded as f64 - expected;
    assert!(
        (-0.01 * expected..0.01 * expected + 640.0).contains(&difference),
        "{coded} bytes, {expected} bits"
    );
}

#[test]
fn a_file_is_never_larger_than_wished_and_is_as_good_as_it_says() {
    for channels in [1, 3] {
        let picture = scene(70, 45, channels);
        for bits in [1.0, 2.0, 3.0] {
            let found = compressed(&picture, Wish::BitsPerPixel(bits)).expect("a file");
            assert!(8.0 * found.file.len() as f64 <= bits * 70.0 * 45.0, "{} bytes", found.file.len());
            let decoded = CompressedPicture::parse(&found.file).and_then(|p| p.decode()).expect("a picture");
            assert_eq!(SquaredError::between(&decoded, &picture).psnr(), found.psnr);
        }
        let found = compressed(&picture, Wish::Psnr(24.0)).expect("a file");
        assert!(found.psnr >= 24.0, "{} dB", found.psnr);
    }
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let picture = scene(70, 45, 3);
    let error = compressed(&picture, Wish::BitsPerPixel(0.01)).expect_err("4 bytes").to_string();
    assert!(error.starts_with("the smallest file has ") && error.contains("wish for more"), "{error}");
    let alpha = Picture { channels: 2, pixels: Pixels::U8(vec![0; 8]), width: 2, height: 2 };
    assert!(compressed(&alpha, Wish::Psnr(30.0)).expect_err("alpha").to_string().contains("no transparency"));
    let hdr = Picture { channels: 1, pixels: Pixels::F32(vec![0.0; 4]), width: 2, height: 2 };
    assert!(compressed(&hdr, Wish::Psnr(30.0)).expect_err("HDR").to_string().contains("HDR"));
    let stopped = compress(&picture, Wish::Psnr(30.0), Effort { steps: 60, seed: 0 }, &mut |_| false);
    assert!(matches!(stopped, Err(CompressError::Stopped)));
}
