//! What the segments of a JPEG say, without decoding it (ITU T.81, annex B; CIPA DC-007 for several pictures).

use std::ops::Range;

/// The segments before the first scan.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The number of the start-of-frame marker and the bits a value.
    pub(super) frame: Option<(u8, u8)>,
    pub(super) n_components: u8,
    /// Bytes between segments that belong to none.
    pub(super) stray: Vec<Range<usize>>,
    /// Where the marker of the first scan is.
    pub(super) scan: Option<usize>,
    /// Whether the components of a sequential JPEG are in scans of their own.
    pub(super) is_apart: bool,
    /// Where each further picture of the file begins.
    pub(super) others: Vec<usize>,
    /// Whether one of the others, or a later one in the file, brightens the first on HDR screens.
    pub(super) has_gain_map: bool,
}

/// Most places with stray bytes that are passed over.
const MAX_STRAY: usize = 1000;

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Texts of the metadata of a picture with a gain map: Adobe's and Android's, Apple's.
const GAIN_MAPS: [&[u8]; 3] = [b"hdrgm:Version", b"Item:Semantic=\"GainMap\"", b"aux:hdrgainmap"];

/// Reads the segments of `bytes`, which begin with the start of an image.
pub(super) fn segments(bytes: &[u8]) -> Segments {
    let mut found = Segments::default();
    let mut at = 2;
    loop {
        let stray = at;
        // A marker is any number of 0xff and a code; 0xff and 0 is none.
        let marker = loop {
            let Some(&[first, second]) = bytes.get(at..at + 2) else { return found };
            match (first, second) {
                (0xff, 0xff) => at += 1,
                (0xff, code) if code != 0 => break code,
                _ => at += 1,
            }
        };
        if bytes[stray..at].iter().any(|&byte| byte != 0xff) {
            found.stray.push(stray..at);
        }
        if found.stray.len() > MAX_STRAY {
            return found;
        }
        match marker {
            START_OF_SCAN => {
                found.scan = Some(at);
                let is_sequential = found.frame.is_some_and(|(kind, _)| kind < 2);
                found.is_apart = is_sequential && bytes.get(at + 4).is_some_and(|&n| n < found.n_components);
                return found;
            }
            END_OF_IMAGE => return found,
            // Restarts and the temporary marker have no length.
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(body) = body(bytes, at) else { return found };
                found.take(bytes, marker, &body);
                at = body.end;
            }
        }
    }
}

/// The contents of the segment whose marker is at `at`.
fn body(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let &[high, low] = bytes.get(at + 2..at + 4)? else { return None };
    let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
    (end >= at + 4 && end <= bytes.len()).then_some(at + 4..end)
}

impl Segments {
    fn take(&mut self, bytes: &[u8], marker: u8, body: &Range<usize>) {
        let contents = &bytes[body.clone()];
        let says = |text: &[u8]| contents.windows(text.len()).any(|part| part == text);
        match marker {
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                self.frame = Some((marker - 0xc0, contents.first().copied().unwrap_or(0)));
                self.n_components = contents.get(5).copied().unwrap_or(0);
            }
            0xe1 if contents.starts_with(b"http://ns.adobe.com/xap/1.0/\0") => {
                self.has_gain_map |= GAIN_MAPS.iter().any(|text| says(text));
            }
            0xe2 if contents.starts_with(b"urn:iso:std:iso:ts:21496:-1\0") => self.has_gain_map = true,
            0xe2 if contents.starts_with(b"MPF\0") => {
                self.others = others(bytes, body.start + 4).unwrap_or_default();
            }
            _ => {}
        }
    }
}

/// Where further pictures begin, by the index of a multi-picture file, a TIFF directory at `base`. Copies of the first
/// in a smaller size are left out, as the thumbnail in EXIF data is.
fn others(bytes: &[u8], base: usize) -> Option<Vec<usize>> {
    const ENTRIES: u16 = 0xb002;
    let big_endian = bytes.get(base..base + 2)? == b"MM";
    let u16_at = |at: usize| {
        let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some((if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }) as usize)
    };
    let directory = base + u32_at(base + 4)?;
    let mut tags = (0..usize::from(u16_at(directory)?)).map(|i| directory + 2 + 12 * i);
    let tag = tags.find(|&tag| u16_at(tag) == Some(ENTRIES))?;
    let (length, first) = (u32_at(tag + 4)?, base + u32_at(tag + 8)?);
    let is_copy = |attributes: usize| (attributes >> 16) & 0xff == 1;
    let mut found = Vec::new();
    for entry in (0..length / 16).map(|i| first + 16 * i) {
        let (attributes, offset) = (u32_at(entry)?, u32_at(entry + 8)?);
        let start = base + offset;
        if offset != 0 && !is_copy(attributes) && bytes.get(start..start + 2) == Some(b"\xff\xd8") {
            found.push(start);
        }
    }
    Some(found)
}

/// Whether an end-of-image marker follows the first scan: such a pair of bytes cannot occur
/// within entropy-coded data (ITU T.81, B.1.1.5). Thumbnails in the headers have their own.
pub(super) fn has_end_of_image(bytes: &[u8], scan: usize) -> bool {
    bytes[scan..].windows(2).any(|pair| pair == [0xff, END_OF_IMAGE])
}

/// The header of each scan, and its data; none if a segment between them is cut short.
fn scans(bytes: &[u8], first: usize) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let mut all: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut at = first;
    loop {
        let header = body(bytes, at)?;
        let begin = header.end;
        // The next marker that is not part of a scan.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
        let next = bytes[begin..].windows(2).position(is_marker);
        if bytes[at + 1] == START_OF_SCAN {
            let mut end = next.map_or(bytes.len(), |further| begin + further);
            // A marker may be behind any number of these.
            while next.is_some() && end > begin && bytes[end - 1] == 0xff {
                end -= 1;
            }
            all.push((header, begin..end));
        }
        match next {
            Some(further) if bytes[begin + further + 1] != END_OF_IMAGE => at = begin + further,
            _ => return Some(all),
        }
    }
}

/// Whether the scans, of which the last need not be whole, bring all bits of all coefficients of all components.
pub(super) fn has_all_scans(bytes: &[u8], segments: &Segments) -> bool {
    let Some(scans) = segments.scan.and_then(|first| scans(bytes, first)) else { return false };
    // Of each component, the coefficients whose last bit has come.
    let mut complete = [0u64; 256];
    for (header, _) in scans {
        let scan = &bytes[header];
        let n = usize::from(scan.first().copied().unwrap_or(0));
        let Some(&[start, end, bits]) = scan.get(1 + 2 * n..4 + 2 * n) else { return false };
        if bits & 15 == 0 && start <= end && end < 64 {
            let band = (u64::MAX >> (63 - end)) & (u64::MAX << start);
            (0..n).for_each(|c| complete[usize::from(scan[1 + 2 * c])] |= band);
        }
    }
    let n_complete = complete.iter().filter(|&&bands| bands == u64::MAX).count();
    n_complete == usize::from(segments.n_components)
}

/// The file with `filling` behind the data of each scan; none if there are more scans than components, which a sequential
/// file cannot have.
pub(super) fn with_filled_scans(bytes: &[u8], segments: &Segments, filling: &[u8]) -> Option<Vec<u8>> {
    let (mut filled, mut at) = (Vec::with_capacity(bytes.len()), 0);
    let scans = scans(bytes, segments.scan?)?;
    if scans.len() > usize::from(segments.n_components) {
        return None;
    }
    for (_, data) in scans {
        filled.extend_from_slice(&bytes[at..data.end]);
        filled.extend_from_slice(filling);
        at = data.end;
    }
    filled.extend_from_slice(&bytes[at..]);
    Some(filled)
}
