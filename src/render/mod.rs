//! Rendering a trained model at any size, band by band to bound memory.

mod mean;
mod measure;
mod view;

pub use mean::Mean;
pub use measure::{MaxError, Measurement, measure};
pub use view::{Crop, Grid, MAX_RENDERED_SIDE, MAX_SIDE, Samples, Size, View};

use crate::backend::{BackendError, Predict};
use crate::block_on;
use crate::model::PixelFilter;
use crate::model_file::ModelFile;
use crate::picture::{Depth, PictureError, RowsOf, Target, Transfer, write_rows};
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// Why a picture could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// An impossible crop, size or scale, and what would be possible.
    #[error("{0}")]
    View(String),
    /// The device failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The picture could not be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Stopped by the caller.
    #[error("stopped; nothing was written")]
    Stopped,
}

impl ModelFile {
    /// Size of the picture it was trained on.
    pub fn size(&self) -> Size {
        Size { width: self.width, height: self.height }
    }

    /// The parameters for rendering `view`, with features too fine for its pixels attenuated.
    pub fn params_for(&self, view: &View, filter: PixelFilter) -> Vec<f32> {
        self.model.attenuate(&self.params, filter, &view.footprint(self.size(), self.coords))
    }

    /// The points of `view`.
    pub fn grid(&self, view: &View) -> Grid {
        view.grid(self.size(), self.coords)
    }
}

/// Points computed at a time: a few MiB, and enough to occupy all cores or a GPU.
const BAND_POINTS: u64 = 1 << 18;

/// Called after each band with the number of points done; return false to stop.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Calls `take` for each band in order, with its colours, (pixels, `channels`) of `depth`, and
/// the number of points done, until it returns false.
///
/// # Errors
/// When the device fails.
pub async fn for_each_band(
    predictor: &mut dyn Predict,
    (grid, transfer): (&Grid, Transfer),
    (channels, depth): (usize, Depth),
    mut take: impl FnMut(Vec<f32>, u64) -> bool,
) -> Result<(), BackendError> {
    let (n_points, width) = (grid.points.n_pixels(), u64::from(grid.points.width));
    let one_a_pixel = grid.samples == [1, 1];
    // Whole rows, if points have to be averaged.
    let per_band = if one_a_pixel { BAND_POINTS } else { (BAND_POINTS / width).max(1) * width };
    let mut averages = Averages::new(grid, channels, depth);
    let mut first = 0;
    while first < n_points {
        let n = per_band.min(n_points - first);
        let mut band = vec![0.0; n as usize * channels];
        predictor.predict(&grid.points, first, &mut band).await?;
        transfer.decode_pixels(&mut band, channels);
        first += n;
        let colors = if one_a_pixel { band } else { averages.add_rows(&band) };
        if !take(colors, first) {
            break;
        }
    }
    Ok(())
}

/// Averages the points of each pixel, row by row. Colours are weighted by alpha beside them.
struct Averages {
    channels: usize,
    /// Whether the last channel is alpha that the colours do not contain.
    straight: bool,
    samples: [u32; 2],
    /// Values of a row of points.
    row_len: usize,
    /// Sums of the current row of pixels, and the number of rows of points in them.
    sums: Vec<f64>,
    rows: u32,
}

impl Averages {
    fn new(grid: &Grid, channels: usize, depth: Depth) -> Self {
        let row_len = grid.points.width as usize * channels;
        let sums = vec![0.0; row_len / grid.samples[0] as usize];
        let straight = channels.is_multiple_of(2) && depth != Depth::F32;
        Self { channels, straight, samples: grid.samples, row_len, sums, rows: 0 }
    }

    /// Adds whole rows of points and returns the rows of pixels that they complete.
    fn add_rows(&mut self, points: &[f32]) -> Vec<f32> {
        let mut done = Vec::new();
        for row in points.chunks_exact(self.row_len) {
            self.add_row(row);
            self.rows += 1;
            if self.rows == self.samples[1] {
                self.finish_row(&mut done);
            }
        }
        done
    }

    fn add_row(&mut self, row: &[f32]) {
        let (channels, per_pixel) = (self.channels, self.samples[0] as usize * self.channels);
        for (points, sum) in row.chunks_exact(per_pixel).zip(self.sums.chunks_exact_mut(channels)) {
            for point in points.chunks_exact(channels) {
                let weight = if self.straight { f64::from(point[channels - 1]) } else { 1.0 };
                for (c, (sum, &value)) in sum.iter_mut().zip(point).enumerate() {
                    let is_alpha = self.straight && c + 1 == channels;
                    *sum += f64::from(value) * if is_alpha { 1.0 } else { weight };
                }
            }
        }
    }

    fn finish_row(&mut self, done: &mut Vec<f32>) {
        let n = f64::from(self.samples[0]) * f64::from(self.samples[1]);
        let channels = self.channels;
        for sum in self.sums.chunks_exact_mut(channels) {
            let weight = if self.straight { sum[channels - 1] } else { n };
            for (c, sum) in sum.iter_mut().enumerate() {
                let is_alpha = self.straight && c + 1 == channels;
                // The colour of transparent pixels does not matter.
                let divisor = if is_alpha { n } else { weight };
                done.push(if divisor > 0.0 { (*sum / divisor) as f32 } else { 0.0 });
                *sum = 0.0;
            }
        }
        self.rows = 0;
    }
}

/// Renders `grid` into the file at `path`, values decoded by `transfer`, waiting for the device. While one band is
/// computed, the one before is encoded, on a thread of its own. The file appears whole or not at all. `profile` describes
/// the network's colours if they are not sRGB.
///
/// # Errors
/// When the device fails, the file cannot be written, or `watch` returned false.
pub fn render_to_file(
    predictor: &mut dyn Predict,
    (grid, transfer): (&Grid, Transfer),
    (channels, depth, profile): (usize, Depth, Option<&[u8]>),
    (path, target): (&Path, Target),
    watch: Watch<'_>,
) -> Result<(), RenderError> {
    let Size { width, height } = grid.size();
    let picture = RowsOf { width, height, channels, depth, profile };
    std::thread::scope(|scope| {
        let (bands, incoming) = sync_channel(1);
        let writer = scope.spawn(move || write_rows(path, target, picture, incoming.into_iter()));
        let mut stopped = false;
        let computed =
            block_on(for_each_band(predictor, (grid, transfer), (channels, depth), |band, done| {
                stopped = !watch(done);
                // The writer closes the channel only if it has failed.
                !stopped && bands.send(band).is_ok()
            }));
        // A writer that misses bands gives up and leaves no file.
        drop(bands);
        let written = writer.join().expect("the writer does not panic");
        computed?;
        if stopped { Err(RenderError::Stopped) } else { Ok(written?) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Coords, Raster};

    fn averages(channels: usize, depth: Depth, samples: [u32; 2], width: u32) -> Averages {
        let points = Raster { width: width * samples[0], ..Raster::new(1, 1, Coords::Center) };
        Averages::new(&Grid { points, samples }, channels, depth)
    }

    #[test]
    fn points_are_averaged_pixel_by_pixel() {
        let mut averages = averages(1, Depth::U8, [2, 2], 2);
        assert!(averages.add_rows(&[0.0, 1.0, 4.0, 4.0]).is_empty());
        assert_eq!(averages.add_rows(&[1.0, 2.0, 8.0, 0.0, 1.0, 1.0, 0.0, 0.0]), [1.0, 4.0]);
        assert_eq!(averages.add_rows(&[3.0, 3.0, 2.0, 2.0]), [2.0, 1.0]);
    }

    #[test]
    fn transparent_points_do_not_colour_a_pixel() {
        let points = [0.25, 0.0, 0.75, 1.0, 0.5, 0.0, 0.5, 0.0];
        let straight = averages(2, Depth::U8, [2, 1], 2).add_rows(&points);
        assert_eq!(straight, [0.75, 0.5, 0.0, 0.0]);
        // Where colours contain alpha, light needs no opacity.
        let associated = averages(2, Depth::F32, [2, 1], 2).add_rows(&points);
        assert_eq!(associated, [0.5, 0.5, 0.5, 0.0]);
    }
}
