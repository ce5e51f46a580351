//! The picture and the mask that a configuration names.

use super::{Config, ConfigError};
use crate::model::{Mask, SampleSet};
use crate::picture::{
    self, ColorHandling, Depth, Loaded, Picture, PictureBuilder, PictureError, Pixels, Reading, Transfer,
    Transparent,
};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

impl Config {
    /// How the picture's file is read.
    pub fn reading(&self) -> Reading {
        Reading { page: self.picture.page, color: self.picture.color.unwrap_or_default() }
    }

    /// A picture as it is trained on: at its training size, with what becomes of hidden colours.
    ///
    /// # Errors
    /// When that is too large.
    pub fn prepare(&self, loaded: Loaded) -> Result<Loaded, ConfigError> {
        let Loaded { picture, mut notes, profile } = loaded;
        let native = (picture.width, picture.height);
        let mut picture = match self.fitted_size(native)? {
            size if self.picture.size.is_none() || size == native => picture,
            (width, height) => picture::resize(&picture, width, height),
        };
        let hidden = self.picture.transparent.unwrap_or_default().apply(&mut picture);
        notes.extend(hidden.map(|hidden| format!("{hidden} trained on")));
        Ok(Loaded { picture, notes, profile })
    }

    /// What runs of former versions did, where they recorded nothing: values were trained on as they are in the file.
    #[must_use]
    pub fn with_former_defaults(mut self) -> Self {
        let picture = &mut self.picture;
        picture.color.get_or_insert(ColorHandling::Keep);
        picture.transparent.get_or_insert(Transparent::Keep);
        picture.hdr_scale.get_or_insert(Transfer::IDENTITY.scale);
        picture.hdr_curve.get_or_insert(Transfer::IDENTITY.curve);
        self
    }

    /// The mask, if a file is named: an argument of [`Self::resolve`].
    ///
    /// # Errors
    /// When it cannot be read, or is not a picture.
    pub fn load_mask(&self) -> Result<Option<Picture>, ConfigError> {
        Ok(self.read_mask()?.map(|mask| mask.picture))
    }

    /// [`Self::load_mask`], with what was done to the mask.
    ///
    /// # Errors
    /// As [`Self::load_mask`].
    pub fn read_mask(&self) -> Result<Option<Loaded>, ConfigError> {
        let load = |path: &PathBuf| {
            // The path is already in the message, and the reason in the error's source, if any.
            let why = |e: PictureError| e.source().map_or_else(|| e.to_string(), ToString::to_string);
            let failed = |e| ConfigError::of_mask(path, &why(e));
            let Loaded { picture, mut notes, profile } =
                picture::read(path, Reading::default()).map_err(failed)?;
            let (picture, note) = mask_as_meant(picture);
            notes.extend(note.map(|what| format!("the mask {} {what}", path.display())));
            Ok(Loaded { picture, notes, profile })
        };
        self.picture.mask.as_ref().map(load).transpose()
    }
}

impl Config {
    /// The pixels inside the mask, if there is one.
    pub(super) fn mask(
        &self,
        picture: &Picture,
        mask: Option<&Picture>,
        samples: SampleSet,
    ) -> Result<Option<Arc<Mask>>, ConfigError> {
        let path = self.picture.mask.as_deref();
        let bad_mask = |reason: &str| ConfigError::of_mask(path.unwrap_or("given".as_ref()), reason);
        let mask = match (mask, path) {
            (Some(mask), _) => mask,
            (None, Some(_)) => return Err(bad_mask("load it first, with Config::load_mask")),
            (None, None) => return Ok(None),
        };
        let (size, own) = ((picture.width, picture.height), (mask.width, mask.height));
        // The rounding error that resizing from the mask's size may cause.
        let same_shape =
            own.0.abs_diff((f64::from(own.1) * f64::from(size.0) / f64::from(size.1)).round() as u32) <= 1;
        if !same_shape {
            return Err(bad_mask(&format!(
                "it has {}x{} pixels, which is not the shape of the picture, {}x{}; make it the same size",
                own.0, own.1, size.0, size.1
            )));
        }
        let resized = (own != size).then(|| picture::resize(mask, size.0, size.1));
        let brightness = resized.as_ref().unwrap_or(mask).brightness();
        let brightest = brightness.iter().copied().fold(0.0, f32::max);
        let inside = brightness.into_iter().map(|v| v >= 0.5).collect();
        let none = || {
            let largest = match brightest {
                // Not all of its white pixels are training pixels.
                0.5.. => String::new(),
                less => format!(" (its largest value is {:.0} of 255)", 255.0 * less),
            };
            let what = "it leaves no pixel to train on: white is trained on, black is not";
            bad_mask(&format!("{what}{largest}"))
        };
        Mask::new(inside, samples).map(|mask| Some(Arc::new(mask))).ok_or_else(none)
    }
}

/// The mask that a picture is meant as, since masks are also kept as 0 and 1, and in the alpha channel of a picture of
/// one colour; with what was done, if anything.
pub fn mask_as_meant(mask: Picture) -> (Picture, Option<&'static str>) {
    let n_colors = mask.color_channels();
    let value = |pixel: usize, channel: usize| mask.pixels.value(pixel * mask.channels + channel);
    let n_pixels = mask.n_pixels() as usize;
    if mask.has_alpha() {
        let same = |c: usize| (1..n_pixels).all(|i| value(i, c) == value(0, c));
        if (0..n_colors).all(same) && !same(n_colors) {
            let alpha = (0..n_pixels).map(|i| value(i, n_colors)).collect::<Vec<_>>();
            return (grey(&mask, &alpha), Some("has one colour, so its alpha channel is taken"));
        }
        return (mask, None);
    }
    let scaled = match &mask.pixels {
        Pixels::U8(values) if values.iter().max() == Some(&1) => {
            Pixels::U8(values.iter().map(|v| v * u8::MAX).collect())
        }
        Pixels::U16(values) if values.iter().max() == Some(&1) => {
            Pixels::U16(values.iter().map(|v| v * u16::MAX).collect())
        }
        _ => return (mask, None),
    };
    (Picture { pixels: scaled, ..mask }, Some("has the values 0 and 1, so 1 is taken as white"))
}

fn grey(mask: &Picture, values: &[f32]) -> Picture {
    let mut builder = PictureBuilder::new(mask.width, mask.height, 1, Depth::F32);
    builder.push(values);
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(channels: usize, pixels: Pixels) -> Picture {
        Picture { width: (pixels.len() / channels) as u32, height: 1, channels, pixels }
    }

    #[test]
    fn masks_mean_what_they_usually_mean() {
        let bits = picture(1, Pixels::U8(vec![0, 1, 1]));
        let (mask, note) = mask_as_meant(bits);
        assert_eq!(mask.brightness(), [0.0, 1.0, 1.0]);
        assert!(note.is_some());
        let (mask, _) = mask_as_meant(picture(3, Pixels::U16(vec![0, 0, 0, 1, 1, 1])));
        assert_eq!(mask.brightness(), [0.0, 1.0]);
        for color in [0, 255] {
            let alpha =
                picture(4, Pixels::U8([[color, color, color, 0], [color, color, color, 255]].concat()));
            let (mask, note) = mask_as_meant(alpha);
            assert_eq!(mask.brightness(), [0.0, 1.0]);
            assert!(note.is_some());
        }
        let usual = picture(1, Pixels::U8(vec![0, 255, 3]));
        assert_eq!(mask_as_meant(usual.clone()), (usual, None));
        let with_alpha = picture(2, Pixels::U8(vec![0, 255, 255, 255]));
        assert_eq!(mask_as_meant(with_alpha.clone()), (with_alpha, None));
    }
}
