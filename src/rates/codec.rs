//! Codecs, and the best of their files that is no larger than wished. WebP and AVIF are made by the programs of their
//! reference encoders, where those are installed.

use super::{RatesError, Result};
use crate::picture::load::{self, Reading};
use crate::picture::{Picture, Pixels, SquaredError, save_png};
use image::{DynamicImage, ImageFormat};
use jpeg_encoder::{ColorType, Encoder, QuantizationTableType, SamplingFactor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What makes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// [`crate::compress`].
    Afterimage,
    /// JPEG with ImageMagick's quantisation tables, optimised Huffman tables, and colours of half the resolution: the best that the
    /// crate makes.
    Jpeg,
    /// `cwebp -m 6`.
    Webp,
    /// `avifenc -s 4`.
    Avif,
}

/// A file within a size.
pub(super) struct Encoded {
    pub(super) file: Vec<u8>,
    pub(super) picture: Picture,
    pub(super) psnr: f64,
}

impl Codec {
    /// All but ours.
    pub const OTHERS: [Self; 3] = [Self::Jpeg, Self::Webp, Self::Avif];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Afterimage => "afterimage",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
            Self::Avif => "AVIF",
        }
    }

    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Afterimage => "aim",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
            Self::Avif => "avif",
        }
    }

    /// The programs that it needs.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Afterimage | Self::Jpeg => &[],
            Self::Webp => &["cwebp"],
            Self::Avif => &["avifenc", "avifdec"],
        }
    }

    /// The first of its programs that is not installed.
    pub fn lacks(self) -> Option<&'static str> {
        let runs = |program: &str| {
            let mut command = Command::new(program);
            command.arg(if program == "cwebp" { "-version" } else { "--version" });
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        self.programs().iter().copied().find(|program| !runs(program))
    }

    /// Settings from the smallest file to the largest.
    fn settings(self) -> Vec<u32> {
        match self {
            Self::Afterimage => unreachable!("has no settings: it is trained towards a size"),
            Self::Jpeg => (1..=100).collect(),
            Self::Webp => (0..=100).collect(),
            // Quantisers.
            Self::Avif => (0..=63).rev().collect(),
        }
    }

    /// Encodes `picture`, which for programs is [`SOURCE`] in `folder`.
    fn encode(self, picture: &Picture, setting: u32, folder: &Path) -> Result<Vec<u8>> {
        let arguments = match self {
            Self::Afterimage => unreachable!("has no settings: it is trained towards a size"),
            Self::Jpeg => return jpeg(picture, setting as u8),
            Self::Webp => format!("cwebp -quiet -m 6 -q {setting} {SOURCE} -o"),
            Self::Avif => {
                format!("avifenc -s 4 --min 0 --max 63 -a end-usage=q -a cq-level={setting} {SOURCE}")
            }
        };
        let out = folder.join("encoded").with_extension(self.extension());
        call(&arguments, &out, folder)?;
        std::fs::read(&out).map_err(|e| RatesError::file(&out, e))
    }

    fn decode(self, truth: &Picture, file: Vec<u8>, folder: &Path) -> Result<Encoded> {
        let failed = |error: &dyn std::error::Error| {
            let name = self.name();
            RatesError::Request(format!("the {name} file that was just made cannot be read ({error})"))
        };
        let values = |image: DynamicImage| {
            if truth.channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() }
        };
        let pixels = match self {
            Self::Afterimage => unreachable!("is decoded by itself"),
            Self::Avif => {
                let (from, to) = (folder.join("best.avif"), folder.join("decoded.png"));
                std::fs::write(&from, &file).map_err(|e| RatesError::file(&from, e))?;
                call("avifdec --depth 8 best.avif", &to, folder)?;
                let bytes = std::fs::read(&to).map_err(|e| RatesError::file(&to, e))?;
                let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png);
                Pixels::U8(values(image.map_err(|e| failed(&e))?))
            }
            Self::Webp => {
                let image = image::load_from_memory_with_format(&file, ImageFormat::WebP);
                Pixels::U8(values(image.map_err(|e| failed(&e))?))
            }
            Self::Jpeg => {
                let loaded = load::parse(&file, "a JPEG file".as_ref(), Reading::default());
                loaded.map_err(|e| failed(&e))?.picture.pixels
            }
        };
        let picture = Picture { pixels, ..*truth };
        let psnr = SquaredError::between(&picture, truth).psnr();
        Ok(Encoded { file, picture, psnr })
    }
}

/// The files of one codec of one picture, each made once for all rates.
pub(super) struct Encodings<'a> {
    pub(super) codec: Codec,
    picture: &'a Picture,
    /// With [`SOURCE`], where the codec is a program's.
    folder: Option<TempDir>,
    files: BTreeMap<u32, Vec<u8>>,
}

impl<'a> Encodings<'a> {
    pub(super) fn new(codec: Codec, picture: &'a Picture) -> Self {
        Self { codec, picture, folder: None, files: BTreeMap::new() }
    }

    /// The file of the highest setting within `rate` bits a pixel; none if there is no such file.
    pub(super) fn within(&mut self, rate: f64) -> Result<Option<Encoded>> {
        let most_bytes = (rate * self.picture.n_pixels() as f64 / 8.0) as usize;
        let settings = self.codec.settings();
        let mut best = None;
        let (mut low, mut high) = (0, settings.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.file(settings[middle])?.len() <= most_bytes {
                best = Some(settings[middle]);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(setting) = best else { return Ok(None) };
        let file = self.file(setting)?.clone();
        let folder = self.folder.as_ref().expect("made with the first file").path();
        self.codec.decode(self.picture, file, folder).map(Some)
    }

    fn file(&mut self, setting: u32) -> Result<&Vec<u8>> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => {
                let folder = tempfile::tempdir().map_err(|e| RatesError::file(&std::env::temp_dir(), e))?;
                if !self.codec.programs().is_empty() {
                    save_png(self.picture, &folder.path().join(SOURCE))?;
                }
                folder
            }
        };
        let folder = self.folder.insert(folder).path();
        Ok(match self.files.entry(setting) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => place.insert(self.codec.encode(self.picture, setting, folder)?),
        })
    }
}

/// The picture for the programs, in their folder.
const SOURCE: &str = "source.png";

fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    // Its progressive files are larger.
    encoder.set_optimized_huffman_tables(true);
    let tables = QuantizationTableType::ImageMagick;
    encoder.set_quantization_tables(tables.clone(), tables);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let Pixels::U8(values) = &picture.pixels else { unreachable!("pictures to compress have 8 bits") };
    let color = if picture.channels == 1 { ColorType::Luma } else { ColorType::Rgb };
    let side = |side: u32| {
        u16::try_from(side).map_err(|_| {
            RatesError::Request(format!(
                "JPEG has no sides of {side} pixels; compare a picture of at most 65535"
            ))
        })
    };
    encoder
        .encode(values, side(picture.width)?, side(picture.height)?, color)
        .map_err(|e| RatesError::Request(format!("JPEG cannot hold this picture ({e})")))?;
    Ok(file)
}

/// Runs a program in `folder`, with arguments that have no spaces and, as its last, the path that it writes to.
fn call(line: &str, out: &Path, folder: &Path) -> Result<()> {
    let (program, arguments) = line.split_once(' ').expect("a program and arguments");
    let failed = |reason: &str| RatesError::Request(format!("the program {program} failed ({reason})"));
    let mut command = Command::new(program);
    command.args(arguments.split(' ')).arg(out).current_dir(folder).stdin(Stdio::null());
    let output = command.output().map_err(|e| failed(&e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(failed(
        text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why").trim(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_is_the_largest_within_its_size() {
        // A slope with some noise, which are better the more bits they get.
        let values = (0..64 * 64).map(|n| n % 64 * 3 + n * n / 7 % 31).flat_map(|v| [v as u8; 3]).collect();
        let picture = Picture { width: 64, height: 64, channels: 3, pixels: Pixels::U8(values) };
        let mut encodings = Encodings::new(Codec::Jpeg, &picture);
        let mut within =
            |bytes: usize| encodings.within(8.0 * bytes as f64 / f64::from(64 * 64)).expect("an encoder");
        let whole = within(1 << 20).expect("a file");
        assert_eq!(whole.file, jpeg(&picture, 100).expect("an encoder"));
        let limit = whole.file.len() / 2;
        let half = within(limit).expect("a file");
        assert!(half.file.len() <= limit);
        assert!(half.psnr < whole.psnr, "{} {}", half.psnr, whole.psnr);
        let quality = (1..=100).filter(|&q| jpeg(&picture, q).expect("an encoder").len() <= limit).max();
        assert_eq!(half.file, jpeg(&picture, quality.expect("one")).expect("an encoder"));
        assert!(within(100).is_none(), "no JPEG has 100 bytes");
    }
}
