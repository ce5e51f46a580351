//! What is asked for, and a picture as it is trained on.

use super::{CollectError, Result, Source};
use crate::config::{BackendChoice, Config, PictureSize, Resolved};
use crate::names::named;
use crate::picture::{self, Converter, Depth, Format, Loaded, Picture, PictureBuilder, Target};
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

/// How the folders of shards are named: `shard-1-of-4`.
pub(super) const SHARD: &str = "shard-";

/// A request for a collection.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder, a list or a tar archive.
    pub pictures: PathBuf,
    /// Its folder.
    pub out: PathBuf,
    /// Settings of all networks.
    pub config: Config,
    /// The part of each picture that is trained on; the whole if `None`.
    pub crop: Option<Crop>,
    /// The networks' channels.
    pub channels: Channels,
    /// Their seeds.
    pub seeds: Seeds,
    /// Which pictures of the list.
    pub shard: Shard,
    /// Networks a file; by their size if `None`.
    pub per_file: Option<u32>,
}

named! {
    /// The channels of a collection's networks.
    pub enum Channels = Rgb {
        /// Red, green and blue: grey is all three, and alpha is laid over white
        Rgb "rgb",
        /// Those of the first picture; pictures with others are left out
        Own "own",
    }
}

named! {
    /// The seeds of a collection's networks.
    pub enum Seeds = Same {
        /// One for all: the same initial weights, and the same order of samples
        Same "same",
        /// One for each: the seed and the picture's place in the list added up
        Each "each",
    }
}

/// The largest centred part of this shape, resized to this size: width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop(pub NonZeroU32, pub NonZeroU32);

impl FromStr for Crop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(PictureSize::Longer(side)) => Ok(Self(side, side)),
            Ok(PictureSize::Pixels(width, height)) => Ok(Self(width, height)),
            _ => Err(format!("a crop is WIDTHxHEIGHT in pixels, or one number for a square, not `{text}`")),
        }
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.0, self.1)
    }
}

impl Crop {
    /// Width and height of the part of a picture of this size.
    fn part_of(self, width: u32, height: u32) -> (u32, u32) {
        let (w, h) = (u64::from(self.0.get()), u64::from(self.1.get()));
        let (full_w, full_h) = (u64::from(width), u64::from(height));
        // Rounded to nearest, at least 1.
        let scaled = |side: u64, by: u64, over: u64| ((2 * side * by + over) / (2 * over)).max(1) as u32;
        match full_w * h > full_h * w {
            true => (scaled(full_h, w, h).min(width), height),
            false => (width, scaled(full_w, h, w).min(height)),
        }
    }
}

/// Every Nth picture of the list, from the Ith on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// N.
    pub of: u32,
}

impl Shard {
    /// The whole list.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The places in the list.
    pub(super) fn places(self, n_pictures: usize) -> impl Iterator<Item = usize> {
        (self.number as usize - 1..n_pictures).step_by(self.of as usize)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("a shard is I/N with I from 1 to N, such as 1/4, not `{text}`")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Request {
    /// Takes the CPU where the device is left open, so that the networks are the same on every machine; true for a GPU.
    pub fn choose_device(&mut self) -> bool {
        let device = &mut self.config.device;
        let is_open = device.backend.unwrap_or_default() == BackendChoice::Auto && device.adapter.is_none();
        if is_open {
            device.backend = Some(BackendChoice::Cpu);
        }
        device.backend != Some(BackendChoice::Cpu)
    }

    /// Checks the settings, and makes the crop one of them.
    pub(super) fn prepare(&mut self) -> Result<()> {
        self.config.check()?;
        if let Some(scale) = self.config.open_scale() {
            let what = format!(
                "{} is chosen for each picture with these settings; a collection has one, so give a number",
                scale.name()
            );
            return Err(CollectError::Unusable(what));
        }
        if let Some(crop) = self.crop {
            if self.config.picture.size.is_some() {
                let what = "size and crop are both given; a crop has its size, so leave size out";
                return Err(CollectError::Unusable(what.to_owned()));
            }
            self.config.picture.size = Some(PictureSize::Pixels(crop.0, crop.1));
        }
        if let Some(mask) = &mut self.config.picture.mask {
            *mask = std::path::absolute(&*mask).map_err(|e| CollectError::file(mask, e))?;
        }
        Ok(())
    }

    /// The folder of this shard.
    pub(super) fn folder(&self) -> PathBuf {
        match self.shard.of {
            1 => self.out.clone(),
            of => self.out.join(format!("{SHARD}{}-of-{of}", self.shard.number)),
        }
    }

    /// `source` as it is trained on with `config`.
    pub(super) fn load(&self, source: &Source, config: &Config) -> Result<Picture> {
        let unusable = |why: &str| CollectError::Unusable(format!("{} {why}", source.name));
        let mut loaded = source.load(config.reading())?;
        if let Some(crop) = self.crop {
            let (width, height) = crop.part_of(loaded.picture.width, loaded.picture.height);
            loaded.picture = picture::center_crop(&loaded.picture, width, height)?;
        }
        let Loaded { picture, profile, .. } = config.prepare(loaded)?;
        if picture.is_hdr() {
            return Err(unusable("is in linear light, and a collection's networks have values of a screen"));
        }
        if profile.is_some() {
            return Err(unusable("has colours of its own space; leave --color out, and they become sRGB"));
        }
        Ok(match self.channels {
            Channels::Rgb if picture.channels != 3 => in_rgb(&picture),
            _ => picture,
        })
    }

    /// The run of the picture at `place` in the list.
    pub(super) fn run(
        &self,
        picture: &Picture,
        config: &Config,
        place: usize,
        mask: Option<&Picture>,
    ) -> Result<Resolved> {
        let run = config.resolve(picture, mask)?;
        Ok(match self.seeds {
            Seeds::Same => run,
            Seeds::Each => {
                let mut config = config.clone();
                config.training.seed = Some(run.seed.saturating_add(place as u64));
                config.resolve(picture, mask)?
            }
        })
    }
}

fn in_rgb(picture: &Picture) -> Picture {
    let depth = if picture.depth() == Depth::U16 { Depth::U16 } else { Depth::U8 };
    let target = Target { format: Format::Png, depth, channels: 3, quality: 0 };
    let values: Vec<f32> = (0..picture.pixels.len()).map(|i| picture.pixels.value(i)).collect();
    let mut builder = PictureBuilder::new(picture.width, picture.height, 3, depth);
    builder.push(&Converter::new(picture.channels, depth, target).floats(&values));
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    #[test]
    fn shards_share_the_list() {
        let places = |text: &str| text.parse::<Shard>().expect("a shard").places(7).collect::<Vec<_>>();
        assert_eq!((places("1/3"), places("2/3"), places("3/3")), (vec![0, 3, 6], vec![1, 4], vec![2, 5]));
        assert_eq!(places("1/1").len(), 7);
        for text in ["0/3", "4/3", "1/0", "3", "1/3/2", "-1/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn crops_are_the_largest_of_their_shape() {
        let part = |text: &str, width, height| text.parse::<Crop>().expect("a crop").part_of(width, height);
        assert_eq!(part("256", 640, 480), (480, 480));
        assert_eq!(part("256", 300, 500), (300, 300));
        assert_eq!(part("32x16", 100, 100), (100, 50));
        assert_eq!(part("16x32", 3, 100), (3, 6));
        assert_eq!(part("1000x1", 3, 3), (3, 1));
        assert!("native".parse::<Crop>().is_err() && "0".parse::<Crop>().is_err());
    }

    #[test]
    fn grey_and_alpha_become_colour() {
        let grey = Picture { width: 2, height: 1, channels: 1, pixels: Pixels::U8(vec![7, 255]) };
        assert_eq!(in_rgb(&grey).pixels, Pixels::U8(vec![7, 7, 7, 255, 255, 255]));
        let clear = Picture { width: 1, height: 1, channels: 4, pixels: Pixels::U16(vec![9, 9, 9, 0]) };
        assert_eq!(in_rgb(&clear).pixels, Pixels::U16(vec![65535; 3]));
    }
}
