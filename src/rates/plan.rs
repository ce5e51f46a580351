//! What is to be measured: pictures that can be compressed, and what the folder holds already.

use super::RatesError;
use crate::atomic_write::write_cached;
use crate::backend::free_memory;
use crate::compare::{Source, sources};
use crate::compress::{BYTES_PER_PIXEL, Effort, eight_bits};
use crate::picture::{self, Picture, Reading};
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
}

/// What files of a picture were made with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Made {
    steps: u32,
    seed: u64,
    /// CRC-32 of the picture's values.
    picture: u32,
}

impl Rates {
    /// Checks the rates, and finds the pictures. Each is read once, so that what cannot be compressed is said at once.
    ///
    /// # Errors
    /// When there is no rate or picture, or the folder has files of other settings and `force` is not set.
    pub fn new(mut request: Request) -> Result<Self, RatesError> {
        request.rates.sort_by(f64::total_cmp);
        let wrong = |text: String| Err(RatesError::Request(text));
        if let Some(twice) = request.rates.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("{} is named twice among the rates; name it once", twice[0]));
        }
        if request.rates.is_empty() {
            return wrong("there are no rates; give at least one".to_owned());
        }
        let (mut kept, mut failures) = (Vec::new(), Vec::new());
        for source in sources(&request.images)? {
            match load(&source, request.reading) {
                Ok(picture) => {
                    claim(&request, &source, &picture)?;
                    kept.push(source);
                }
                Err(reason) => failures.push(LeftOut { name: source.name, reason }),
            }
        }
        match (kept.is_empty(), failures.first()) {
            (true, Some(LeftOut { name, reason })) => wrong(format!("{name}: {reason}")),
            _ => Ok(Self { request, sources: kept, failures }),
        }
    }

    /// The folder of a picture's files.
    pub(super) fn folder(&self, source: &Source) -> PathBuf {
        self.request.out.join(&source.name)
    }

    /// A picture, as it is compressed.
    pub(super) fn load(&self, source: &Source) -> Result<Picture, RatesError> {
        load(source, self.request.reading)
            .map_err(|reason| RatesError::Request(format!("{}: {reason}", source.name)))
    }
}

fn load(source: &Source, reading: Reading) -> Result<Picture, String> {
    let picture = picture::read(&source.path, reading).map_err(|e| chain(&e))?.picture;
    let needed = BYTES_PER_PIXEL * picture.n_pixels();
    if free_memory().is_some_and(|free| needed > free) {
        return Err(format!("it needs {} MB of memory, more than is free", needed / 1_000_000));
    }
    Ok(eight_bits(&picture).map_err(|e| e.to_string())?.into_owned())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// Makes the folder of a picture, whose files were made with the same settings.
fn claim(request: &Request, source: &Source, picture: &Picture) -> Result<(), RatesError> {
    let folder = request.out.join(&source.name);
    std::fs::create_dir_all(&folder).map_err(|e| RatesError::file(&folder, e))?;
    let made = Made { steps: request.effort.steps, seed: request.effort.seed, picture: checksum(picture) };
    let path = folder.join("settings.json");
    match std::fs::read(&path) {
        Ok(text) if serde_json::from_slice::<Made>(&text).is_ok_and(|there| there == made) => return Ok(()),
        Ok(_) if !request.force => {
            return Err(RatesError::Request(format!(
                "{} holds files of other settings or another picture; give --force to replace them, or another --out",
                folder.display()
            )));
        }
        Ok(_) => remove_files(&folder)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(RatesError::file(&path, e)),
    }
    let text = serde_json::to_string_pretty(&made).expect("numbers are JSON");
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
fn remove_files(folder: &Path) -> Result<(), RatesError> {
    let entries = std::fs::read_dir(folder).map_err(|e| RatesError::file(folder, e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "aim") {
            std::fs::remove_file(&path).map_err(|e| RatesError::file(&path, e))?;
        }
    }
    Ok(())
}
