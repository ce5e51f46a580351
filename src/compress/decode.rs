//! From a file to a picture, or a part of it.

use super::bands::{self, BAND};
use super::fixed::{FixedColours, FixedContext, FixedLayer, Rows, around, coarse_rows};
use super::format::{self, FormatError};
use super::shape::Shape;
use crate::picture::{Picture, Pixels};
use rayon::prelude::*;
use std::ops::Range;

/// A compressed picture.
#[derive(Clone, Debug)]
pub struct CompressedPicture {
    shape: Shape,
    layers: Vec<FixedLayer>,
    network_bytes: usize,
    file_bytes: usize,
    bands: Vec<(bands::Band, Vec<u8>)>,
}

/// Rows whose colours are computed at a time.
const WINDOW: usize = 32;

impl CompressedPicture {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is of another kind or version, ends early, or is damaged.
    pub fn parse(file: &[u8]) -> Result<Self, FormatError> {
        let parts = format::parse(file)?;
        let bands = parts.bands.into_iter().map(|(band, bytes)| (band, bytes.to_vec())).collect();
        let (shape, network_bytes) = (parts.shape, parts.network_bytes);
        Ok(Self { shape, layers: parts.layers, network_bytes, file_bytes: file.len(), bands })
    }

    /// Sizes of the picture and its networks.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Weights of both networks.
    pub fn n_weights(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() + layer.biases.len()).sum()
    }

    /// Bytes that the weights take.
    pub fn network_bytes(&self) -> usize {
        self.network_bytes
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// Bits of the file for each pixel.
    pub fn bits_per_pixel(&self) -> f64 {
        8.0 * self.file_bytes as f64 / self.shape.n_pixels() as f64
    }

    /// Columns, rows and bytes of each grid.
    pub fn grids(&self) -> Vec<(usize, usize, usize)> {
        let bytes = |level| self.bands.iter().filter(|(band, _)| band.0 == level).map(|(_, b)| b.len()).sum();
        let grid = |level| (self.shape.grid(level).0, self.shape.grid(level).1, bytes(level));
        (0..self.shape.levels).map(grid).collect()
    }

    /// The whole picture.
    ///
    /// # Errors
    /// When the bits of a grid are of none.
    pub fn decode(&self) -> Result<Picture, FormatError> {
        let pixels = Pixels::U8(self.rows(0..self.shape.height)?);
        let Shape { width, height, channels, .. } = self.shape;
        Ok(Picture { width, height, channels, pixels })
    }

    /// The pictures of the coarsest grid alone, of the two coarsest and so on; the last is the whole picture. Grids that are
    /// left out are 0.
    ///
    /// # Errors
    /// When the bits of a grid are of none.
    pub fn refinements(&self) -> impl Iterator<Item = Result<Picture, FormatError>> + '_ {
        let Shape { width, height, channels, levels, .. } = self.shape;
        let picture = move |finest| {
            let pixels = Pixels::U8(self.rows_from(finest, 0..height)?);
            Ok(Picture { width, height, channels, pixels })
        };
        (0..levels).rev().map(picture)
    }

    /// The values of some rows, of which there is at least one. Only the bands that they are made of are decoded.
    ///
    /// # Errors
    /// When the bits of a grid are of none.
    pub fn rows(&self, rows: Range<u32>) -> Result<Vec<u8>, FormatError> {
        self.rows_from(0, rows)
    }

    /// [`Self::rows`] of the grids from `finest` on.
    fn rows_from(&self, finest: usize, rows: Range<u32>) -> Result<Vec<u8>, FormatError> {
        let rows = rows.start as usize..rows.end as usize;
        let mut grids = Vec::new();
        let mut needed = around(&rows, self.shape.height as usize);
        for level in 0..self.shape.levels {
            if level > 0 {
                needed = coarse_rows(&needed, self.shape.grid(level).1);
            }
            grids.push(match level < finest {
                true => Rows::new(self.shape.grid(level), needed.clone(), 1),
                false => self.grid(level, &needed)?,
            });
        }
        let windows: Vec<Range<usize>> =
            rows.clone().step_by(WINDOW).map(|begin| begin..(begin + WINDOW).min(rows.end)).collect();
        let colours = FixedColours { shape: &self.shape, layers: &self.layers };
        let parts: Vec<Vec<u8>> = windows.par_iter().map(|window| colours.run(&grids, window)).collect();
        Ok(parts.concat())
    }

    /// The bands of a grid that have some of the rows.
    fn grid(&self, level: usize, rows: &Range<usize>) -> Result<Rows, FormatError> {
        let (width, height) = self.shape.grid(level);
        let context = FixedContext::new(&self.shape, &self.layers);
        let overlaps =
            |band: &bands::Band| band.0 == level && band.1.start < rows.end && rows.start < band.1.end;
        let bands: Vec<_> = self.bands.iter().filter(|(band, _)| overlaps(band)).collect();
        let read = |(band, bytes): &&(bands::Band, Vec<u8>)| bands::read(&context, band, width, bytes);
        let parts = bands.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let begin = rows.start / BAND * BAND;
        let end = rows.end.next_multiple_of(BAND).min(height);
        Ok(Rows { width, height, rows: begin..end, planes: 1, data: parts.concat() })
    }
}
