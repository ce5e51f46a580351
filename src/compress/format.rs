//! The file: a header, the networks' weights, the bands of the grids, and a checksum. docs/FORMAT.md describes it.

use super::bands::{self, bands};
use super::coder::{Damaged, MAX_INTEGER, Reader, Writer};
use super::defaults;
use super::fixed::{FixedContext, FixedLayer, MAX_WEIGHT_POINT, POINT, Rows, fits};
use super::shape::{Layer, Shape};
use super::tables::{Density, N_SCALES, SCALE_STEPS};
use crate::picture::load::{MAX_PIXELS, MAX_SIDE};

/// What a file begins with; the last is the version.
pub const MAGIC: [u8; 4] = *b"AIM\x01";

/// Pixels for each byte of a file that there may be at most: an integer takes at least 2^-10 bits.
const MAX_PIXELS_A_BYTE: u64 = 8 << 10;

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It begins with something else.
    #[error("it is not a compressed picture (.aim)")]
    Other,
    /// Of a version that is not known.
    #[error("it has version {0} of the format, and this program knows version 1")]
    Version(u8),
    /// It is shorter than it says.
    #[error("it ends early")]
    Short,
    /// Its checksum is wrong.
    #[error("it is damaged: its checksum is wrong")]
    Checksum,
    /// It says what cannot be.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

impl From<Damaged> for FormatError {
    fn from(_: Damaged) -> Self {
        Self::Damaged("its bits are of no picture")
    }
}

/// A file's parts. The grids are still coded.
#[derive(Clone, Debug)]
pub(super) struct Parts<'a> {
    pub(super) shape: Shape,
    pub(super) layers: Vec<FixedLayer>,
    /// Bytes of the networks.
    pub(super) network_bytes: usize,
    pub(super) bands: Vec<(bands::Band, &'a [u8])>,
}

/// The file of a picture.
pub(super) fn write(shape: &Shape, layers: &[FixedLayer], grids: &[Rows]) -> Vec<u8> {
    let context = FixedContext::new(shape, layers);
    let mut file = MAGIC.to_vec();
    put_number(&mut file, shape.width as usize);
    put_number(&mut file, shape.height as usize);
    file.push(shape.channels as u8);
    let mut weights = Writer::default();
    let mut differences = layers.to_vec();
    defaults::subtract(shape, &mut differences);
    for layer in &differences {
        for (point, numbers) in [(layer.weight_point, &layer.weights), (layer.bias_point, &layer.biases)] {
            if !numbers.is_empty() {
                let scale = scale_of(numbers);
                file.extend([point as u8, scale as u8]);
                numbers.iter().for_each(|&number| weights.put(weight_density(scale), number));
            }
        }
    }
    let coded: Vec<Vec<u8>> = std::iter::once(weights.into_bytes())
        .chain(bands(shape).iter().map(|band| bands::write(&context, band, &grids[band.0])))
        .collect();
    coded.iter().for_each(|part| put_number(&mut file, part.len()));
    coded.iter().for_each(|part| file.extend_from_slice(part));
    let checksum = crc32fast::hash(&file);
    file.extend(checksum.to_le_bytes());
    file
}

/// Reads all but the grids.
pub(super) fn parse(file: &[u8]) -> Result<Parts<'_>, FormatError> {
    match file.first_chunk::<4>() {
        Some(magic) if magic[..3] == MAGIC[..3] && magic[3] != MAGIC[3] => {
            return Err(FormatError::Version(magic[3]));
        }
        Some(magic) if *magic == MAGIC => {}
        _ => return Err(FormatError::Other),
    }
    let (content, checksum) = file.split_last_chunk::<4>().ok_or(FormatError::Short)?;
    if u32::from_le_bytes(*checksum) != crc32fast::hash(content) {
        return Err(FormatError::Checksum);
    }
    let mut rest = content.get(4..).ok_or(FormatError::Short)?;
    let shape = shape(&mut rest, file.len() as u64)?;
    let mut codes = Vec::new();
    for Layer { inputs, outputs, biases } in shape.layers() {
        let weights = code(&mut rest, inputs * outputs, MAX_WEIGHT_POINT)?;
        codes.push((weights, code(&mut rest, biases, POINT)?));
    }
    let all = bands(&shape);
    let lengths = (0..=all.len()).map(|_| number(&mut rest)).collect::<Result<Vec<_>, _>>()?;
    let mut part = |length: &usize| rest.split_off(..*length).ok_or(FormatError::Short);
    let weights = part(&lengths[0])?;
    let bytes = lengths[1..].iter().map(part).collect::<Result<Vec<_>, _>>()?;
    if !rest.is_empty() {
        return Err(FormatError::Damaged("it is longer than it says"));
    }
    let mut reader = Reader::new(weights);
    let mut layers = Vec::new();
    for ((weights, biases), size) in codes.into_iter().zip(shape.layers()) {
        let mut read = |code: &Code| {
            (0..code.count).map(|_| reader.get(weight_density(code.scale))).collect::<Result<Vec<_>, _>>()
        };
        let layer = FixedLayer {
            weight_point: weights.point,
            bias_point: biases.point,
            weights: read(&weights)?,
            biases: read(&biases)?,
        };
        debug_assert!(fits(&layer, size));
        layers.push(layer);
    }
    defaults::add(&shape, &mut layers);
    Ok(Parts { shape, layers, network_bytes: weights.len(), bands: all.into_iter().zip(bytes).collect() })
}

/// How some numbers are coded.
struct Code {
    point: u32,
    scale: usize,
    count: usize,
}

fn code(rest: &mut &[u8], count: usize, max_point: u32) -> Result<Code, FormatError> {
    if count == 0 {
        return Ok(Code { point: 0, scale: 0, count });
    }
    let (point, scale) = (u32::from(byte(rest)?), usize::from(byte(rest)?));
    if point > max_point || scale >= N_SCALES {
        return Err(FormatError::Damaged("its weights have no such precision"));
    }
    Ok(Code { point, scale, count })
}

fn shape(rest: &mut &[u8], file_bytes: u64) -> Result<Shape, FormatError> {
    let (width, height) = (number(rest)? as u64, number(rest)? as u64);
    let side = 1..=u64::from(MAX_SIDE);
    let pixels = width.saturating_mul(height);
    if !side.contains(&width) || !side.contains(&height) || pixels > MAX_PIXELS {
        return Err(FormatError::Damaged("no picture has its size"));
    }
    if pixels > file_bytes * MAX_PIXELS_A_BYTE {
        return Err(FormatError::Damaged("its picture is too large for so few bytes"));
    }
    match byte(rest)? {
        channels @ (1 | 3) => Ok(Shape::of(width as u32, height as u32, usize::from(channels))),
        _ => Err(FormatError::Damaged("no picture has so many channels")),
    }
}

/// The distribution of weights with this index of a scale.
fn weight_density(scale: usize) -> Density {
    Density::new(0, scale as i32 - 4 * SCALE_STEPS)
}

/// The index of the scale that fits numbers best: their mean distance from 0.
fn scale_of(numbers: &[i32]) -> usize {
    let mean = numbers.iter().map(|n| f64::from(n.abs())).sum::<f64>() / numbers.len() as f64;
    let octaves = libm::log2(mean.max(1e-3)) + 4.0;
    (octaves * f64::from(SCALE_STEPS)).round().clamp(0.0, (N_SCALES - 1) as f64) as usize
}

/// The bits that numbers of a layer take.
pub(super) fn bits_of(numbers: &[i32]) -> f64 {
    let density = weight_density(scale_of(numbers));
    numbers
        .iter()
        .map(|&number| if number.abs() <= MAX_INTEGER { density.bits(number) } else { f64::INFINITY })
        .sum()
}

fn byte(rest: &mut &[u8]) -> Result<u8, FormatError> {
    rest.split_off_first().copied().ok_or(FormatError::Short)
}

/// Seven bits a byte, the lowest first; all but the last byte have their top bit set.
fn put_number(file: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        file.push(number as u8 | 0x80);
        number >>= 7;
    }
    file.push(number as u8);
}

fn number(rest: &mut &[u8]) -> Result<usize, FormatError> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = byte(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(number).map_err(|_| FormatError::Short);
        }
    }
    Err(FormatError::Damaged("a length has no end"))
}
