//! Files of networks, and the index.
//!
//! A file is named after its block: `00000.safetensors`. Each of its tensors is that of all its networks, one after the
//! other: (networks, outputs, inputs). Its metadata are a model file's, and `index`, the rows of its pictures; so a file
//! is complete by itself, and `index.jsonl` can be made again from all of them.

use super::network::{Network, Row};
use super::{CollectError, Result};
use crate::atomic_write::{Durability, atomic_write};
use crate::model_file::{ModelFile, header};
use crate::read_file::open_regular;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The value of `format`.
pub(super) const FORMAT: &str = "afterimage collection 1";

/// The rows of all files, a line each.
pub(super) const INDEX: &str = "index.jsonl";

/// Maximum size of a file's header.
const MAX_HEADER_BYTES: u64 = 1 << 30;

/// The files of a collection.
pub(super) struct Store {
    folder: PathBuf,
    /// Names and shapes of a network's tensors, and where their values are among those of a network.
    tensors: Vec<(String, Vec<usize>, Range<usize>)>,
    metadata: BTreeMap<String, String>,
}

impl Store {
    /// Of networks like `example`.
    pub(super) fn new(folder: PathBuf, example: &ModelFile) -> Self {
        let mut start = 0;
        let tensors = example.tensors().into_iter().map(|tensor| {
            let range = start..start + tensor.values.len();
            start = range.end;
            (tensor.name, tensor.shape, range)
        });
        let tensors = tensors.collect();
        let mut metadata = example.all_metadata();
        metadata.insert("format".to_owned(), FORMAT.to_owned());
        Self { folder, tensors, metadata }
    }

    /// Values of a network.
    pub(super) fn n_values(&self) -> usize {
        self.tensors.last().map_or(0, |(.., range)| range.end)
    }

    fn path(&self, block: usize) -> PathBuf {
        self.folder.join(format!("{block:05}.safetensors"))
    }

    /// The rows of a block, if its file is written.
    ///
    /// # Errors
    /// When the file is not one of a collection.
    pub(super) fn rows(&self, block: usize) -> Result<Option<Vec<Row>>> {
        let path = self.path(block);
        match read_rows(&path) {
            Ok(rows) => Ok(Some(rows)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(CollectError::file(&path, e)),
        }
    }

    /// Writes the file of a block and returns its rows, which now say where the networks are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, block: usize, networks: &[&Network]) -> Result<Vec<Row>> {
        let path = self.path(block);
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut n = 0;
        let mut place = |network: &Network| {
            let mut row = network.row.clone();
            if row.error.is_none() {
                (row.file, row.row) = (file.clone(), Some(n));
                n += 1;
            }
            row
        };
        let rows: Vec<Row> = networks.iter().map(|network| place(network)).collect();
        let mut metadata = self.metadata.clone();
        metadata.insert("index".to_owned(), lines(&rows));
        let shapes =
            self.tensors.iter().map(|(name, shape, _)| (name.as_str(), [&[n], shape.as_slice()].concat()));
        let header = header(shapes, metadata);
        let write = |out: &mut dyn Write| {
            out.write_all(&(header.len() as u64).to_le_bytes())?;
            out.write_all(header.as_bytes())?;
            for (.., range) in &self.tensors {
                let trained = networks.iter().filter(|network| network.row.error.is_none());
                for value in trained.flat_map(|network| &network.values[range.clone()]) {
                    out.write_all(&value.to_le_bytes())?;
                }
            }
            Ok(())
        };
        atomic_write(&path, Durability::Flushed, |out| write(out))
            .map_err(|e| CollectError::file(&path, e))?;
        Ok(rows)
    }

    /// Writes the index of all files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write_index(&self, rows: &[Row]) -> Result<()> {
        let path = self.folder.join(INDEX);
        atomic_write(&path, Durability::Flushed, |out| out.write_all(lines(rows).as_bytes()))
            .map_err(|e| CollectError::file(&path, e))
    }
}

fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| serde_json::to_string(row).expect("a row is JSON") + "\n").collect()
}

/// The rows in a file's metadata, after its length is compared with what it says.
fn read_rows(path: &Path) -> io::Result<Vec<Row>> {
    let damaged = |what: &str| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("it is damaged ({what}); remove it, and its networks are trained again"),
        )
    };
    let (mut file, size_bytes) = open_regular(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES.min(size_bytes) {
        return Err(damaged("it ends in its header"));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text)?;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&text).map_err(|e| damaged(&e.to_string()))?;
    let end = |tensor: &serde_json::Value| tensor["data_offsets"][1].as_u64();
    let values = header.values().filter_map(end).max().unwrap_or(0);
    if 8 + length + values != size_bytes {
        return Err(damaged("its length is not what it says"));
    }
    let metadata = header.get("__metadata__").unwrap_or_default();
    if metadata["format"] != FORMAT {
        return Err(damaged("it is no file of a collection"));
    }
    let lines = metadata["index"].as_str().unwrap_or_default().lines();
    lines.map(|line| serde_json::from_str(line).map_err(|e| damaged(&e.to_string()))).collect()
}
