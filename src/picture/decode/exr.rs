//! OpenEXR: colours or luminance with or without alpha, of any part and layer.
//!
//! `image` reads only R, G and B of the first part that has them, so the `exr` crate is used directly.

use super::{AS_FLOATS, Decoded, Source, Taken};
use crate::picture::alpha::Stored;
use crate::picture::claim::{Claim, MAX_PIXELS, MAX_SIDE};
use crate::picture::error::uses;
use crate::picture::profile::Described;
use crate::picture::{Picture, PictureError, Pixels, Result};
use ::exr::block;
use ::exr::block::lines::LineRef;
use ::exr::block::reader::ChunksReader;
use ::exr::error::Error;
use ::exr::meta::BlockDescription;
use ::exr::meta::attribute::{ChannelDescription, SampleType};
use ::exr::meta::header::Header;
use half::f16;
use image::ImageFormat;
use std::io::{BufRead, Seek};

/// Most channels of a part. Renders may have hundreds.
const MAX_CHANNELS: usize = 4096;

/// A picture of the file: channels of a part that belong together.
struct Layer {
    part: usize,
    /// What the names of its channels begin with.
    prefix: String,
    /// Indices of red, green and blue or of luminance, then of alpha.
    channels: Vec<usize>,
}

pub(super) fn decode<R: BufRead + Seek>(source: Source<'_, R>) -> Result<Decoded> {
    let Source { path, reader, size_bytes, page } = source;
    let source = Source { path, reader: (), size_bytes, page };
    let file = block::read(reader, false).map_err(|e| from_exr_error(path, e))?;
    let headers = file.headers();
    let layers = layers(headers);
    if layers.is_empty() {
        return Err(without_colors(path, headers));
    }
    let (index, mut notes) = source.choose(layers.len(), Taken::First)?;
    notes.extend(
        unused(headers, &layers)
            .map(|names| format!("{} also has the channels {names}, which are not used", path.display())),
    );
    notes.extend(named(&layers, index).map(|text| format!("{}: {text}", path.display())));
    let layer = &layers[index];
    let header = headers[layer.part].clone();
    check(&source, &header, layer)?;
    let refuse = |e| from_exr_error(path, e);
    let wanted = |_: &_, tile: ::exr::block::chunk::TileCoordinates, block: block::BlockIndex| {
        block.layer == layer.part && tile.is_largest_resolution_level()
    };
    let mut blocks = file.filter_chunks(false, wanted).map_err(refuse)?.sequential_decompressor(false);
    let mut canvas = Canvas::new(&header, layer);
    while let Some(block) = blocks.decompress_next_block() {
        let block = block.map_err(refuse)?;
        if block.data.len() != header.channels.bytes_per_pixel * block.index.pixel_size.area() {
            return Err(source.damaged("a block has the wrong length"));
        }
        block.lines(&header.channels).for_each(|line| canvas.draw(&line));
    }
    let found = header.shared_attributes.chromaticities;
    let chromaticities = found.map(|c| [c.red, c.green, c.blue, c.white].map(|point| [point.x(), point.y()]));
    let described = Described { chromaticities, ..Described::default() };
    // OpenEXR's alpha is associated by definition.
    Ok(Decoded { stored: Stored::Associated, described, notes, ..Decoded::plain(canvas.picture) })
}

/// The pictures of the file, those without a layer's name and those with colours first.
fn layers(headers: &[Header]) -> Vec<Layer> {
    let mut found = Vec::new();
    let is_read = |header: &Header| !header.deep && header.channels.list.len() <= MAX_CHANNELS;
    for (part, header) in headers.iter().enumerate().filter(|(_, header)| is_read(header)) {
        let names: Vec<String> = header.channels.list.iter().map(name).collect();
        let mut prefixes: Vec<&str> = Vec::new();
        for name in &names {
            let prefix = name.rfind('.').map_or("", |dot| &name[..=dot]);
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
        for prefix in prefixes {
            let place = |base: &str| names.iter().position(|name| name.strip_prefix(prefix) == Some(base));
            let all = |bases: &[&str]| bases.iter().map(|base| place(base)).collect::<Option<Vec<_>>>();
            let has_chroma = place("RY").is_some() || place("BY").is_some();
            let luminance = || all(&["Y"]).filter(|_| !has_chroma);
            if let Some(mut channels) = all(&["R", "G", "B"]).or_else(luminance) {
                channels.extend(place("A"));
                found.push(Layer { part, prefix: prefix.to_owned(), channels });
            }
        }
    }
    // A render's passes come beside its picture, which Blender calls Combined.
    let is_pass = |layer: &Layer| !layer.prefix.is_empty() && !layer.prefix.ends_with("Combined.");
    found.sort_by_key(|layer| {
        (is_pass(layer), layer.channels.len() < 3, !layer.channels.len().is_multiple_of(2))
    });
    found
}

/// Says which layer is taken of which.
fn named(layers: &[Layer], index: usize) -> Option<String> {
    let name = |layer: &Layer| layer.prefix.trim_end_matches('.').to_owned();
    let others: Vec<String> = layers.iter().map(name).filter(|name| !name.is_empty()).collect();
    let taken = name(&layers[index]);
    let taken = if taken.is_empty() { "the one without a name".to_owned() } else { taken };
    Some(format!("of its layers ({}) {taken} is used", listed(&others)?))
}

fn name(channel: &ChannelDescription) -> String {
    String::from_utf8_lossy(channel.name.as_slice()).into_owned()
}

/// Names in a sentence, of which a render may have dozens.
fn listed(names: &[String]) -> Option<String> {
    const MOST: usize = 8;
    let more = names.len().saturating_sub(MOST);
    let list = names[..names.len().min(MOST)].join(", ");
    let list = if more > 0 { format!("{list} and {more} more") } else { list };
    (!names.is_empty()).then_some(list)
}

/// The channels that belong to no picture.
fn unused(headers: &[Header], layers: &[Layer]) -> Option<String> {
    let is_used = |part: usize, channel: &usize| {
        layers.iter().any(|layer| layer.part == part && layer.channels.contains(channel))
    };
    let names = headers.iter().enumerate().flat_map(|(part, header)| {
        let channels = header.channels.list.iter().enumerate();
        channels.filter(move |(i, _)| !is_used(part, i)).map(|(_, channel)| name(channel))
    });
    listed(&names.collect::<Vec<_>>())
}

fn without_colors(path: &std::path::Path, headers: &[Header]) -> PictureError {
    let names: Vec<String> = headers.iter().flat_map(|h| h.channels.list.iter().map(name)).collect();
    let list = listed(&names).unwrap_or_else(|| "none".to_owned());
    let what = if headers.iter().all(|header| header.deep) {
        "has deep data, many values a pixel".to_owned()
    } else {
        format!("has neither R, G and B nor Y alone (its channels are {list})")
    };
    PictureError::unsupported(path, what, "save the channels you mean as R, G and B, or as Y")
}

fn check(source: &Source<'_, ()>, header: &Header, layer: &Layer) -> Result<()> {
    if header.channels.list.iter().any(|c| (c.sampling.x(), c.sampling.y()) != (1, 1)) {
        return Err(source.unsupported("has channels of fewer pixels than others", AS_FLOATS));
    }
    let window = header.shared_attributes.display_window.size;
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (width, height) = (side(window.width()), side(window.height()));
    let claim = |decoded_bytes| {
        let claim = Claim { width, height, decoded_bytes, file_bytes: source.size_bytes };
        claim.check(source.path, ImageFormat::OpenExr)
    };
    let area = u64::from(width).saturating_mul(u64::from(height));
    claim(area.saturating_mul(4 * layer.channels.len() as u64))?;
    // What is stored may be larger than what is shown. It is decoded block by block.
    let (across, down) = (header.layer_size.width() as u64, header.layer_size.height() as u64);
    if across.max(down) > u64::from(MAX_SIDE) || across.saturating_mul(down) > MAX_PIXELS {
        return Err(source.too_large(format!("{across}x{down} with what lies outside the picture")));
    }
    let block_pixels = match header.blocks {
        BlockDescription::Tiles(tiles) => {
            (tiles.tile_size.width() as u64).saturating_mul(tiles.tile_size.height() as u64)
        }
        BlockDescription::ScanLines => across * down.min(header.compression.scan_lines_per_block() as u64),
    };
    claim(block_pixels.saturating_mul(header.channels.bytes_per_pixel as u64))
}

/// The picture as it is drawn, line by line. What no line covers stays 0.
struct Canvas {
    picture: Picture,
    /// For each channel of the part, its place in a pixel and the type of its values.
    places: Vec<(Option<usize>, SampleType)>,
    /// Where the first stored pixel is shown.
    offset: (i64, i64),
}

impl Canvas {
    fn new(header: &Header, layer: &Layer) -> Self {
        let window = header.shared_attributes.display_window;
        let start = header.own_attributes.layer_position;
        let distance = |a: i32, b: i32| i64::from(a) - i64::from(b);
        let offset = (distance(start.x(), window.position.x()), distance(start.y(), window.position.y()));
        let place = |i: usize| layer.channels.iter().position(|&channel| channel == i);
        let channels = header.channels.list.iter().enumerate();
        let places = channels.map(|(i, channel)| (place(i), channel.sample_type)).collect();
        let (width, height) = (window.size.width(), window.size.height());
        let n_values = width * height * layer.channels.len();
        let picture = Picture {
            width: width as u32,
            height: height as u32,
            channels: layer.channels.len(),
            pixels: Pixels::F32(vec![0.0; n_values]),
        };
        Self { picture, places, offset }
    }

    fn draw(&mut self, line: &LineRef<'_>) {
        let (Some(place), sample_type) = self.places[line.location.channel] else { return };
        let Pixels::F32(values) = &mut self.picture.pixels else { return };
        let (width, channels) = (self.picture.width as usize, self.picture.channels);
        let x = line.location.position.x() as i64 + self.offset.0;
        let y = line.location.position.y() as i64 + self.offset.1;
        if !(0..i64::from(self.picture.height)).contains(&y) {
            return;
        }
        let row = &mut values[y as usize * width * channels..][..width * channels];
        let set = |i: usize, value: f32| {
            if let Some(x) = usize::try_from(x + i as i64).ok().filter(|&x| x < width) {
                row[x * channels + place] = value;
            }
        };
        // In native byte order.
        match sample_type {
            SampleType::F16 => each(line.value, |b| f16::from_ne_bytes(b).to_f32(), set),
            SampleType::F32 => each(line.value, f32::from_ne_bytes, set),
            SampleType::U32 => each(line.value, |b| u32::from_ne_bytes(b) as f32, set),
        }
    }
}

/// Calls `set` with the number of each value and the value.
fn each<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f32, mut set: impl FnMut(usize, f32)) {
    bytes.as_chunks().0.iter().enumerate().for_each(|(i, &value)| set(i, read(value)));
}

fn from_exr_error(path: &std::path::Path, error: Error) -> PictureError {
    match error {
        Error::Io(e) => super::read_error(path, e),
        Error::NotSupported(what) => {
            let what =
                if what.contains("ht j2k") { "is compressed with HTJ2K".to_owned() } else { uses(what) };
            PictureError::unsupported(path, what, "save it again with ZIP or PIZ compression")
        }
        e => PictureError::damaged(path, e.to_string()),
    }
}
