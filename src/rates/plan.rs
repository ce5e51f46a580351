//! What is to be measured: pictures that can be compressed, and what the folder holds already.

use super::{RatesError, Result};
use crate::atomic_write::write_cached;
use crate::backend::free_memory;
use crate::causes::with_causes;
use crate::compare::{CompareError, Source, sources};
use crate::compress::{BYTES_PER_PIXEL, Effort, eight_bits, loss};
use crate::picture::{self, Loaded, Picture, Reading};
use crate::run::FolderLock;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Pictures, or folders of them.
    pub images: Vec<PathBuf>,
    /// Bits a pixel.
    pub rates: Vec<f64>,
    /// How long each file is trained.
    pub effort: Effort,
    /// Folder of the files and reports.
    pub out: PathBuf,
    /// Whether files of other settings may be replaced.
    pub force: bool,
    /// How pictures are read.
    pub reading: Reading,
}

/// A picture that cannot be compressed.
#[derive(Debug)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

/// All pictures and rates.
#[derive(Debug)]
pub struct Rates {
    /// The request, with its rates in order.
    pub request: Request,
    /// Pictures that can be compressed.
    pub sources: Vec<Source>,
    /// Pictures that cannot.
    pub failures: Vec<LeftOut>,
    /// What was done to read pictures that a user might not expect.
    pub notes: Vec<String>,
    /// No other comparison writes to the folder.
    _lock: FolderLock,
}

/// Beside the files of a picture.
const SETTINGS: &str = "settings.json";

/// What files of a picture were made with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    steps: u32,
    seed: u64,
    /// CRC-32 of the picture's values.
    picture: u32,
}

impl Rates {
    /// Checks the rates, and finds the pictures. Each is read once, so that what cannot be compressed is said
    /// at once, and nothing is written before all is checked.
    ///
    /// # Errors
    /// When there is no rate or picture, the folder has files of other settings and `force` is not set, or
    /// another process writes to it.
    pub fn new(mut request: Request) -> Result<Self> {
        request.rates.sort_by(f64::total_cmp);
        let wrong = |text: String| Err(RatesError::Request(text));
        if let Some(twice) = request.rates.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("{} is named twice among the rates; name it once", twice[0]));
        }
        if request.rates.is_empty() {
            return wrong("there are no rates; give at least one".to_owned());
        }
        let (mut kept, mut failures, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for source in sources(&request.images)? {
            match load(&source, request.reading) {
                Ok((picture, said)) => {
                    let Effort { steps, seed } = request.effort;
                    let settings = Settings { steps, seed, picture: checksum(&picture) };
                    check(&request, &request.out.join(&source.name), &settings)?;
                    notes.extend(said.into_iter().map(|note| format!("{}: {note}", source.name)));
                    kept.push((source, settings));
                }
                Err(reason) => failures.push(LeftOut { name: source.name, reason }),
            }
        }
        if let (true, Some(LeftOut { name, reason })) = (kept.is_empty(), failures.first()) {
            return wrong(format!("{name}: {reason}"));
        }
        // From here on no other process writes to it.
        let lock = FolderLock::acquire(&request.out).map_err(CompareError::from)?;
        for (source, settings) in &kept {
            begin(&request.out.join(&source.name), settings)?;
        }
        let sources = kept.into_iter().map(|(source, _)| source).collect();
        Ok(Self { request, sources, failures, notes, _lock: lock })
    }

    /// The folder of a picture's files.
    pub(super) fn folder(&self, source: &Source) -> PathBuf {
        self.request.out.join(&source.name)
    }

    /// A picture, as it is compressed.
    pub(super) fn load(&self, source: &Source) -> Result<Picture> {
        let loaded = load(source, self.request.reading);
        loaded
            .map(|(picture, _)| picture)
            .map_err(|reason| RatesError::Request(format!("{}: {reason}", source.name)))
    }
}

/// The picture as it is compressed, and notes on how it was read.
fn load(source: &Source, reading: Reading) -> Result<(Picture, Vec<String>), String> {
    let Loaded { picture, mut notes, .. } =
        picture::read(&source.path, reading).map_err(|e| with_causes(&e))?;
    let needed = BYTES_PER_PIXEL * picture.n_pixels();
    if free_memory().is_some_and(|free| needed > free) {
        return Err(format!("it needs {} MB of memory, more than is free", needed / 1_000_000));
    }
    notes.extend(loss(&picture).map(str::to_owned));
    Ok((eight_bits(&picture).map_err(|e| e.to_string())?.into_owned(), notes))
}

/// Checks that the files of a picture in the folder, if there are any, were made with the same settings.
fn check(request: &Request, folder: &Path, settings: &Settings) -> Result<()> {
    let path = folder.join(SETTINGS);
    match std::fs::read(&path) {
        Ok(text)
            if request.force
                || serde_json::from_slice::<Settings>(&text).is_ok_and(|there| there == *settings) =>
        {
            Ok(())
        }
        Ok(_) => Err(RatesError::Request(format!(
            "{} holds files of other settings or another picture; give --force to replace them, or another --out",
            folder.display()
        ))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(RatesError::file(&path, e)),
    }
}

/// Makes the folder of a picture. Files of other settings, which [`check`] has let pass, are removed.
fn begin(folder: &Path, settings: &Settings) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| RatesError::file(folder, e))?;
    let path = folder.join(SETTINGS);
    match std::fs::read(&path) {
        Ok(text) if serde_json::from_slice::<Settings>(&text).is_ok_and(|there| there == *settings) => {
            return Ok(());
        }
        Ok(_) => remove_files(folder)?,
        Err(_) => {}
    }
    let text = serde_json::to_string_pretty(settings).expect("numbers are JSON");
    write_cached(&path, text.as_bytes()).map_err(|e| RatesError::file(&path, e))
}

fn checksum(picture: &Picture) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&picture.width.to_le_bytes());
    if let picture::Pixels::U8(values) = &picture.pixels {
        hasher.update(values);
    }
    hasher.finalize()
}

/// Removes compressed files, which are taken for done.
fn remove_files(folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| RatesError::file(folder, e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "aim") {
            std::fs::remove_file(&path).map_err(|e| RatesError::file(&path, e))?;
        }
    }
    Ok(())
}
