//! The directories of a TIFF file: its pictures, and what they say about themselves (TIFF 6.0; BigTIFF). Only what is
//! needed to choose one is read here; the `tiff` crate reads the pictures.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

/// A picture of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// Its place in the file.
    pub(super) at: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) bits: u64,
    /// How values mean colours, and where the file says so.
    pub(super) photometric: Option<u64>,
    photometric_at: u64,
    photometric_bytes: usize,
    pub(super) compression: u64,
    /// Meanings of samples besides the colours.
    pub(super) extra_samples: Vec<u64>,
    /// A smaller copy of another picture.
    is_reduced: bool,
    /// Says which pixels of another picture are opaque.
    is_mask: bool,
    is_raw: bool,
    children: Vec<u64>,
}

/// All of them: those of the main list, then those below them.
#[derive(Debug)]
pub(super) struct Directories {
    pub(super) pictures: Vec<Directory>,
    order: ByteOrder,
    /// Whether a directory, its own or one without pixels, belongs to a camera's raw file.
    pub(super) is_raw: bool,
}

#[derive(Clone, Copy, Debug)]
struct ByteOrder {
    big_endian: bool,
    big_tiff: bool,
}

/// Most directories that are read.
const MAX_DIRECTORIES: usize = 1 << 16;

/// Most tags of a directory.
const MAX_ENTRIES: u64 = 4096;

/// Most values of a tag that are read.
const MAX_VALUES: u64 = 64;

/// The directories of the file, as far as they can be followed.
pub(super) fn directories<R: Read + Seek>(reader: &mut R) -> io::Result<Directories> {
    reader.rewind()?;
    let mut head = [0; 16];
    // The shortest file has 8 bytes.
    reader.read_exact(&mut head[..8])?;
    let mut order = ByteOrder { big_endian: &head[..2] == b"MM", big_tiff: false };
    order.big_tiff = order.number(&head[2..4]) == 43;
    if order.big_tiff {
        reader.read_exact(&mut head[8..])?;
    }
    let first = order.number(if order.big_tiff { &head[8..16] } else { &head[4..8] });
    let mut seen = HashSet::new();
    let mut all = chain(reader, order, first, &mut seen);
    let mut below = all.iter().flat_map(|directory| directory.children.clone()).collect::<Vec<_>>();
    while let Some(at) = below.pop() {
        let children = chain(reader, order, at, &mut seen);
        below.extend(children.iter().flat_map(|directory| directory.children.iter().copied()));
        all.extend(children);
    }
    let is_raw = all.iter().any(|directory| directory.is_raw);
    let pictures = all.into_iter().filter(|d| !d.is_mask && d.width > 0 && d.height > 0).collect();
    Ok(Directories { pictures, order, is_raw })
}

/// A list of directories. It ends where it cannot be followed.
fn chain(
    reader: &mut (impl Read + Seek),
    order: ByteOrder,
    first: u64,
    seen: &mut HashSet<u64>,
) -> Vec<Directory> {
    let mut found = Vec::new();
    let mut next = first;
    while next != 0 && seen.len() < MAX_DIRECTORIES && seen.insert(next) {
        let Ok((directory, after)) = order.directory(reader, next) else { break };
        found.push(directory);
        next = after;
    }
    found
}

impl ByteOrder {
    fn number(self, bytes: &[u8]) -> u64 {
        let join = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    /// The directory at `at`, and where the next one is.
    fn directory(self, reader: &mut (impl Read + Seek), at: u64) -> io::Result<(Directory, u64)> {
        let (count_bytes, entry_bytes, offset_bytes) = if self.big_tiff { (8, 20, 8) } else { (2, 12, 4) };
        reader.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        reader.read_exact(&mut count[..count_bytes])?;
        let n_entries = self.number(&count[..count_bytes]);
        if n_entries > MAX_ENTRIES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let n_entries = n_entries as usize;
        let mut entries = Vec::new();
        let length = n_entries * entry_bytes + offset_bytes;
        reader.by_ref().take(length as u64).read_to_end(&mut entries)?;
        if entries.len() < n_entries * entry_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let next = self.number(&entries[n_entries * entry_bytes..]);
        let mut directory = Directory { at, bits: 1, compression: 1, ..Directory::default() };
        for (i, entry) in entries.chunks_exact(entry_bytes).take(n_entries).enumerate() {
            let value_at = at + (count_bytes + i * entry_bytes + entry_bytes - offset_bytes) as u64;
            self.entry(reader, entry, value_at, &mut directory)?;
        }
        Ok((directory, next))
    }

    fn entry(
        self,
        reader: &mut (impl Read + Seek),
        entry: &[u8],
        value_at: u64,
        directory: &mut Directory,
    ) -> io::Result<()> {
        const WANTED: [u64; 10] = [254, 255, 256, 257, 258, 259, 262, 330, 338, 50_706];
        let tag = self.number(&entry[..2]);
        if !WANTED.contains(&tag) {
            return Ok(());
        }
        let (value_bytes, values) = self.values(reader, entry)?;
        let first = values.first().copied().unwrap_or(0);
        match tag {
            254 => {
                directory.is_reduced |= first & 1 != 0;
                directory.is_mask |= first & 4 != 0;
            }
            255 => directory.is_reduced |= first == 2,
            256 => directory.width = first,
            257 => directory.height = first,
            258 => directory.bits = first,
            259 => {
                directory.compression = first;
                // Those of Nikon, Sony, Pentax, Samsung and Kodak.
                directory.is_raw |= [34_713, 32_767, 65_535, 32_770, 65_000, 65_024].contains(&first);
            }
            262 => {
                directory.photometric = Some(first);
                (directory.photometric_at, directory.photometric_bytes) = (value_at, value_bytes);
                directory.is_mask |= first == 4;
                // A colour filter array, and what is made of one without developing it.
                directory.is_raw |= first == 32_803 || first == 34_892;
            }
            330 => directory.children = values,
            338 => directory.extra_samples = values,
            // DNGVersion.
            _ => directory.is_raw = true,
        }
        Ok(())
    }

    /// The bytes of each value of an entry, and the first values, if they are whole numbers.
    fn values(self, reader: &mut (impl Read + Seek), entry: &[u8]) -> io::Result<(usize, Vec<u64>)> {
        let size = match self.number(&entry[2..4]) {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return Ok((0, Vec::new())),
        };
        let (count, value) = if self.big_tiff { entry[4..].split_at(8) } else { entry[4..].split_at(4) };
        let count = self.number(count);
        let n_bytes = count.min(MAX_VALUES) as usize * size;
        let mut bytes = vec![0; n_bytes];
        if count.saturating_mul(size as u64) <= value.len() as u64 {
            bytes.copy_from_slice(&value[..n_bytes]);
        } else {
            reader.seek(SeekFrom::Start(self.number(value)))?;
            reader.read_exact(&mut bytes)?;
        }
        Ok((size, bytes.chunks_exact(size).map(|value| self.number(value)).collect()))
    }

    fn bytes(self, number: u64, n_bytes: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes()[..n_bytes].to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

impl Directories {
    /// The largest of the pictures that show what the first shows: its copies, or what it is a copy of.
    pub(super) fn largest(&self) -> usize {
        let first = &self.pictures[0];
        let others = (1..self.pictures.len()).filter(|&i| first.shows_the_same_as(&self.pictures[i]));
        // Of equals the first.
        others.rev().max_by_key(|&i| self.pictures[i].area()).unwrap_or(0)
    }

    /// What is to be read differently so that the picture is the first of the file.
    pub(super) fn as_first(&self, picture: &Directory) -> (u64, Vec<u8>) {
        if self.order.big_tiff {
            (8, self.order.bytes(picture.at, 8))
        } else {
            (4, self.order.bytes(picture.at, 4))
        }
    }

    /// What is to be read differently so that the values are taken as grey, whatever they mean.
    pub(super) fn as_grey(&self, picture: &Directory) -> (u64, Vec<u8>) {
        const BLACK_IS_ZERO: u64 = 1;
        (picture.photometric_at, self.order.bytes(BLACK_IS_ZERO, picture.photometric_bytes))
    }
}

impl Directory {
    /// Whether one can be a much smaller copy of the other: it says so, or the sides have the same ratio but for
    /// rounding. Pages of a document may have that too, with about the same size.
    fn shows_the_same_as(&self, other: &Self) -> bool {
        let across = self.width.saturating_mul(other.height);
        let down = self.height.saturating_mul(other.width);
        let rounding = self.width.max(self.height).max(other.width).max(other.height);
        let is_much_larger = other.area() >= self.area().saturating_mul(2);
        (is_much_larger && across.abs_diff(down) <= rounding) || (self.is_reduced && !other.is_reduced)
    }

    fn area(&self) -> u64 {
        self.width.saturating_mul(self.height)
    }
}
