//! Importance sampling: more samples where the error is large, each with less weight, so that the
//! expected gradient stays that of the whole picture.
//!
//! The training pixels are divided into blocks of 8 x 8. Of an epoch's N samples, block b with A_b pixels
//! takes n_b, a fifth by its area and the rest by A_b times its root mean square error (which is
//! optimal where the gradient's length grows with the error: Katharopoulos and Fleuret 2018).
//! A sample of it weighs A_b / n_b. Integer arithmetic picks the pixel, the same in
//! `shaders/sample_by_error.wgsl`.

use super::SampleSet;
use super::sampling::mix;
use crate::names::named;

named! {
    /// How the samples of an epoch are spread over the training pixels.
    pub enum Sampling = Uniform {
        /// Each pixel once.
        Uniform "uniform",
        /// More where the error was large when it was last measured, with less weight each.
        Error "error",
    }
}

/// Width and height of a block in training pixels. `BLOCK` in `shaders/sample_by_error.wgsl`.
pub const BLOCK: u32 = 8;

/// The share of samples that goes by error; the rest goes by area, so that no pixel is forgotten.
const BY_ERROR: f64 = 0.8;

/// A sample: its pixel, and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of the picture.
    pub x: u32,
    /// Of the picture.
    pub y: u32,
    /// Training pixels of its block; 1 where samples weigh the same.
    pub area: u32,
    /// Samples that its block takes; 1 where samples weigh the same.
    pub count: u32,
}

impl Sample {
    /// Factor on its loss.
    pub fn weight(self) -> f32 {
        self.area as f32 / self.count as f32
    }
}

/// How many of an epoch's samples fall into each block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importance {
    samples: SampleSet,
    /// The first sample of each block, and the number of all.
    starts: Vec<u32>,
}

/// Blocks across and down.
fn blocks(samples: SampleSet) -> (u32, u32) {
    (samples.columns().div_ceil(BLOCK), samples.rows().div_ceil(BLOCK))
}

/// Corner and size of block `b`, in training pixels.
fn block(samples: SampleSet, b: u32) -> [(u32, u32); 2] {
    let across = blocks(samples).0;
    let (left, top) = (b % across * BLOCK, b / across * BLOCK);
    [(left, top), (BLOCK.min(samples.columns() - left), BLOCK.min(samples.rows() - top))]
}

fn area(samples: SampleSet, b: u32) -> u32 {
    let [_, (width, height)] = block(samples, b);
    width * height
}

impl Importance {
    /// For blocks with the mean squared errors `errors`. All count alike where those are not numbers.
    pub fn new(samples: SampleSet, errors: &[f64]) -> Self {
        let n_blocks = Self::n_blocks(samples);
        assert_eq!(errors.len(), n_blocks, "blocks of the picture");
        let areas = || (0..n_blocks as u32).map(|b| f64::from(area(samples, b)));
        let by_error: Vec<f64> = areas().zip(errors).map(|(area, mse)| area * mse.sqrt()).collect();
        let total: f64 = by_error.iter().sum();
        let by_error = if total > 0.0 && total.is_finite() { by_error } else { areas().collect() };
        let (total, n) = (by_error.iter().sum::<f64>(), f64::from(samples.len()));
        // One sample each, so that every pixel is seen now and then, and the rest as they deserve.
        let extra = f64::from(samples.len() - n_blocks as u32);
        let mut share = 0.0;
        let mut starts = vec![0];
        for (b, (area, by_error)) in areas().zip(&by_error).enumerate() {
            share += (1.0 - BY_ERROR) * area / n + BY_ERROR * by_error / total;
            starts.push(b as u32 + 1 + (extra * share.min(1.0)) as u32);
        }
        starts[n_blocks] = samples.len();
        Self { samples, starts }
    }

    /// Before any error is known.
    pub fn even(samples: SampleSet) -> Self {
        Self::new(samples, &vec![1.0; Self::n_blocks(samples)])
    }

    /// From numbers that were [`Importance::starts`]; none where they cannot have been.
    pub fn from_starts(samples: SampleSet, starts: Vec<u32>) -> Option<Self> {
        let whole = starts.len() == Self::n_blocks(samples) + 1
            && starts.first() == Some(&0)
            && starts.last() == Some(&samples.len())
            && starts.is_sorted_by(|a, b| a < b);
        whole.then_some(Self { samples, starts })
    }

    /// Number of blocks.
    pub fn n_blocks(samples: SampleSet) -> usize {
        let (across, down) = blocks(samples);
        across as usize * down as usize
    }

    /// The block of pixel (x, y), which is trained on.
    pub fn block_of(samples: SampleSet, x: u32, y: u32) -> usize {
        let (column, row) = (x / samples.stride() / BLOCK, y / samples.stride() / BLOCK);
        row as usize * blocks(samples).0 as usize + column as usize
    }

    /// The first sample of each block, and the number of all.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Sample `index` of an epoch whose order has the first key `key`.
    pub fn draw(&self, index: u32, key: u32) -> Sample {
        let b = self.starts.partition_point(|&start| start <= index) as u32 - 1;
        let (start, end) = (self.starts[b as usize], self.starts[b as usize + 1]);
        let [(left, top), (width, height)] = block(self.samples, b);
        let area = width * height;
        // Consecutive pixels of the block from one that differs from epoch to epoch: none is seen twice before all
        // are seen once.
        let within = (index - start + mix(key ^ mix(b)) % area) % area;
        let stride = self.samples.stride();
        Sample {
            x: stride * (left + within % width),
            y: stride * (top + within / width),
            area,
            count: end - start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Holdout;

    fn samples(width: u32, height: u32, holdout: Holdout) -> SampleSet {
        SampleSet { width, height, holdout, masked: None }
    }

    /// Errors of which a few are large.
    fn errors(samples: SampleSet) -> Vec<f64> {
        (0..Importance::n_blocks(samples)).map(|b| if b % 3 == 1 { 0.25 } else { 1e-4 }).collect()
    }

    #[test]
    fn weights_of_an_epoch_add_up_to_the_picture() {
        for (width, height, holdout) in [
            (1, 1, Holdout::None),
            (8, 8, Holdout::None),
            (37, 21, Holdout::None),
            (37, 21, Holdout::EveryOther),
        ] {
            let samples = samples(width, height, holdout);
            let importance = Importance::new(samples, &errors(samples));
            let mut of_block = vec![0.0; Importance::n_blocks(samples)];
            for index in 0..samples.len() {
                let drawn = importance.draw(index, 77);
                assert!(samples.in_training_split(drawn.x, drawn.y) && drawn.x < width && drawn.y < height);
                of_block[Importance::block_of(samples, drawn.x, drawn.y)] += f64::from(drawn.weight());
            }
            for (b, weight) in of_block.iter().enumerate() {
                let area = f64::from(area(samples, b as u32));
                assert!((weight - area).abs() < 1e-4 * area, "block {b} weighs {weight} of {area}");
            }
        }
    }

    #[test]
    fn every_pixel_is_as_likely_as_its_block_says() {
        let samples = samples(20, 12, Holdout::None);
        let importance = Importance::new(samples, &errors(samples));
        let mut expected = vec![0.0; 240];
        let n_epochs = 4000;
        for epoch in 0..n_epochs {
            let key = crate::model::Shuffle::new(240, 3, epoch).keys[0];
            for index in 0..240 {
                let drawn = importance.draw(index, key);
                expected[(drawn.y * 20 + drawn.x) as usize] += f64::from(drawn.weight()) / n_epochs as f64;
            }
        }
        // Unbiased: each pixel weighs 1 in the mean.
        for (pixel, weight) in expected.iter().enumerate() {
            assert!((weight - 1.0).abs() < 0.15, "pixel {pixel} weighs {weight}");
        }
    }

    #[test]
    fn blocks_with_large_errors_take_more_samples() {
        let samples = samples(64, 64, Holdout::None);
        let importance = Importance::new(samples, &errors(samples));
        let count = |b: usize| importance.starts()[b + 1] - importance.starts()[b];
        // Of 64 blocks, the 21 with large errors have 0.96 of them.
        assert!(count(1) > 110 && count(0) < 40, "{} and {}", count(1), count(0));
        assert_eq!(Importance::even(samples).starts()[..3], [0, 64, 128]);
        let broken = Importance::new(samples, &[f64::NAN; 64]);
        assert_eq!(broken, Importance::even(samples));
    }

    #[test]
    fn only_whole_starts_are_taken() {
        let samples = samples(20, 12, Holdout::None);
        let good = Importance::even(samples);
        assert_eq!(Importance::from_starts(samples, good.starts().to_vec()), Some(good.clone()));
        let changed = |change: &dyn Fn(&mut Vec<u32>)| {
            let mut starts = good.starts().to_vec();
            change(&mut starts);
            Importance::from_starts(samples, starts)
        };
        assert_eq!(changed(&|s| s[0] = 1), None);
        assert_eq!(changed(&|s| s[2] = s[1]), None);
        assert_eq!(changed(&|s| *s.last_mut().expect("some") = 241), None);
        assert_eq!(changed(&|s| s.truncate(3)), None);
    }
}
