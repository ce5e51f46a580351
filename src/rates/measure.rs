//! All points of each picture, one after another; what is done is not done again.

use super::codec::{Codec, Encoded, Encodings};
use super::page::Scene;
use super::plan::Rates;
use super::point::{Measured, Point};
use super::{RatesError, Result, page, table};
use crate::atomic_write::write_cached;
use crate::compare::Source;
use crate::compress::{CompressError, CompressedPicture, Stage, Wish, compress};
use crate::picture::{Picture, SquaredError};
use std::path::PathBuf;

/// What is being done.
pub struct Progress<'a> {
    /// The picture.
    pub picture: &'a str,
    /// The rate.
    pub rate: f64,
    /// Files of ours that are done, and of how many.
    pub done: usize,
    /// All files of ours.
    pub all: usize,
    /// How far the one being trained is.
    pub stage: Stage,
}

/// Makes all files and writes the reports. `watch` is told of each step and returns whether to go on. Returns the points
/// in the order of pictures, rates and codecs, and sentences about what is missing.
///
/// # Errors
/// When a file cannot be written, or it was asked to stop.
pub fn run(rates: &Rates, watch: &mut dyn FnMut(Progress<'_>) -> bool) -> Result<(Vec<Point>, Vec<String>)> {
    let (mut points, mut scenes) = (Vec::new(), Vec::new());
    let (mut others, mut notes) = (Vec::new(), Vec::new());
    for codec in Codec::OTHERS {
        match codec.lacks() {
            Some(program) => {
                notes.push(format!("{} is left out: the program {program} was not found", codec.name()));
            }
            None => others.push(codec),
        }
    }
    let all = rates.sources.len() * rates.request.rates.len();
    let mut done = 0;
    for source in &rates.sources {
        let truth = rates.load(source)?;
        let mut encodings: Vec<Encodings<'_>> =
            others.iter().map(|&codec| Encodings::new(codec, &truth)).collect();
        let mut files = Vec::new();
        let mut add = |codec, rate, encoded: Option<Encoded>| {
            let file = encoded.as_ref().map(|encoded| Measured {
                bytes: encoded.file.len(),
                bits_per_pixel: 8.0 * encoded.file.len() as f64 / truth.n_pixels() as f64,
                psnr: encoded.psnr,
            });
            let point = Point { picture: source.name.clone(), codec, rate, file };
            files.push((point, encoded.map(|encoded| encoded.picture)));
        };
        for &rate in &rates.request.rates {
            let mut tell = |stage| watch(Progress { picture: &source.name, rate, done, all, stage });
            add(Codec::Afterimage, rate, ours(rates, source, &truth, rate, &mut tell, &mut notes)?);
            for encodings in &mut encodings {
                add(encodings.codec, rate, other(rates, source, encodings, rate, &mut notes)?);
            }
            done += 1;
        }
        points.extend(files.iter().map(|(point, _)| point.clone()));
        scenes.push(Scene::new(rates, source, &truth, &files)?);
        // After each picture, so that a comparison of many can be looked at.
        table::write(rates, &points)?;
        page::write(rates, &points, &scenes, &notes)?;
    }
    Ok((points, notes))
}

fn path(rates: &Rates, source: &Source, codec: Codec, rate: f64) -> PathBuf {
    rates.folder(source).join(format!("{}-{rate}.{}", source.name, codec.extension()))
}

/// Our file, which is there already or is made.
fn ours(
    rates: &Rates,
    source: &Source,
    truth: &Picture,
    rate: f64,
    tell: &mut dyn FnMut(Stage) -> bool,
    notes: &mut Vec<String>,
) -> Result<Option<Encoded>> {
    let path = path(rates, source, Codec::Afterimage, rate);
    let file = match std::fs::read(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            match compress(truth, Wish::BitsPerPixel(rate), rates.request.effort, tell) {
                Ok(compressed) => {
                    write_cached(&path, &compressed.file).map_err(|e| RatesError::file(&path, e))?;
                    compressed.file
                }
                Err(CompressError::Stopped) => return Err(RatesError::Stopped),
                Err(error) => {
                    notes.push(format!("{} at {rate} bits a pixel: {error}", source.name));
                    return Ok(None);
                }
            }
        }
        Err(e) => return Err(RatesError::file(&path, e)),
    };
    let decoded = CompressedPicture::parse(&file).and_then(|picture| picture.decode());
    let picture = decoded.map_err(|e| {
        RatesError::Request(format!("{}: {e}; remove the file, and it is made again", path.display()))
    })?;
    let psnr = SquaredError::between(&picture, truth).psnr();
    Ok(Some(Encoded { file, picture, psnr }))
}

/// The file of another codec, which is kept beside ours.
fn other(
    rates: &Rates,
    source: &Source,
    encodings: &mut Encodings<'_>,
    rate: f64,
    notes: &mut Vec<String>,
) -> Result<Option<Encoded>> {
    let codec = encodings.codec;
    // A codec that does not take the picture, as for its size, is no reason to lose what the others make of it.
    let encoded = encodings.within(rate).unwrap_or_else(|error| {
        notes.push(format!("{} at {rate} bits a pixel: {} has no file ({error})", source.name, codec.name()));
        None
    });
    if let Some(encoded) = &encoded {
        let path = path(rates, source, codec, rate);
        write_cached(&path, &encoded.file).map_err(|e| RatesError::file(&path, e))?;
    }
    Ok(encoded)
}
