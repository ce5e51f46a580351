//! Finished networks whose file is not written yet, so that a kill loses none of them.
//!
//! Records are appended one after the other: the picture's place, the length of its row, the row as JSON, the values, and
//! a checksum of all that. A record that a kill or a power cut has torn ends the journal.

use super::network::Network;
use crate::atomic_write::{Durability, atomic_write};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

pub(super) const JOURNAL: &str = "unfinished.bin";

/// Bytes before the row: place and length.
const HEAD: usize = 16;

/// An open journal.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal in `folder`, and returns the networks in it by their places, each of `n_values` values.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn open(folder: &Path, n_values: usize) -> io::Result<(Self, BTreeMap<usize, Network>)> {
        let path = folder.join(JOURNAL);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (mut networks, mut rest) = (BTreeMap::new(), bytes.as_slice());
        while let Some((place, network, after)) = parse(rest, n_values) {
            networks.insert(place, network);
            rest = after;
        }
        // Nothing is appended to a torn record.
        Ok((Self::with(path, &networks)?, networks))
    }

    /// A journal of `networks` in place of the one at `path`.
    fn with(path: PathBuf, networks: &BTreeMap<usize, Network>) -> io::Result<Self> {
        let records = networks.iter().map(|(&place, network)| record(place, network));
        atomic_write(&path, Durability::Cached, |out| {
            records.into_iter().try_for_each(|record| out.write_all(&record))
        })?;
        let file = File::options().append(true).open(&path)?;
        Ok(Self { path, file })
    }

    /// Adds a network.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn append(&mut self, place: usize, network: &Network) -> io::Result<()> {
        self.file.write_all(&record(place, network))
    }

    /// Leaves only `networks`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn replace(&mut self, networks: &BTreeMap<usize, Network>) -> io::Result<()> {
        *self = Self::with(self.path.clone(), networks)?;
        Ok(())
    }

    /// Removes it, when every network is in a file.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn remove(self) -> io::Result<()> {
        drop(self.file);
        std::fs::remove_file(self.path)
    }
}

fn record(place: usize, network: &Network) -> Vec<u8> {
    let row = serde_json::to_vec(&network.row).expect("a row is JSON");
    let mut record = Vec::with_capacity(HEAD + row.len() + 4 * network.values.len() + 4);
    record.extend((place as u64).to_le_bytes());
    record.extend((row.len() as u64).to_le_bytes());
    record.extend(row);
    record.extend(network.values.iter().flat_map(|value| value.to_le_bytes()));
    record.extend(crc32fast::hash(&record).to_le_bytes());
    record
}

/// The first record of `bytes`, and what comes after it; `None` if it is not whole.
fn parse(bytes: &[u8], n_values: usize) -> Option<(usize, Network, &[u8])> {
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (place, row_bytes) = (number(0)? as usize, usize::try_from(number(8)?).ok()?);
    let row_end = HEAD.checked_add(row_bytes)?;
    let row: super::Row = serde_json::from_slice(bytes.get(HEAD..row_end)?).ok()?;
    let end = row_end + if row.error.is_none() { 4 * n_values } else { 0 };
    let values =
        bytes.get(row_end..end)?.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let sum = u32::from_le_bytes(*bytes.get(end..)?.first_chunk()?);
    (sum == crc32fast::hash(&bytes[..end])).then_some((place, Network { row, values }, &bytes[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Row;

    fn network(name: &str, values: &[f32]) -> Network {
        let error = values.is_empty().then(|| "broken".to_owned());
        Network { row: Row { picture: name.to_owned(), error, ..Row::default() }, values: values.to_vec() }
    }

    #[test]
    fn a_torn_record_loses_nothing_before_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = BTreeMap::from([
            (3, network("a", &[1.5, -0.0])),
            (0, network("b", &[])),
            (7, network("c", &[f32::MAX, 2.0])),
        ]);
        let (mut journal, before) = Journal::open(folder.path(), 2).expect("a journal");
        assert!(before.is_empty());
        // In the order in which they were finished.
        for place in [3, 0, 7] {
            journal.append(place, &all[&place]).expect("written");
        }
        let path = folder.path().join(JOURNAL);
        let bytes = std::fs::read(&path).expect("read");
        assert_eq!(Journal::open(folder.path(), 2).expect("a journal").1, all);
        let last = record(7, &all[&7]).len();
        for torn in 1..=last {
            std::fs::write(&path, &bytes[..bytes.len() - torn]).expect("written");
            let (mut journal, mut found) = Journal::open(folder.path(), 2).expect("a journal");
            assert_eq!(found.len(), 2, "{torn} bytes are missing");
            journal.append(7, &all[&7]).expect("written");
            found = Journal::open(folder.path(), 2).expect("a journal").1;
            assert_eq!(found, all);
        }
        let mut flipped = bytes.clone();
        *flipped.last_mut().expect("bytes") ^= 1;
        std::fs::write(&path, &flipped).expect("written");
        assert_eq!(Journal::open(folder.path(), 2).expect("a journal").1.len(), 2);
    }
}
