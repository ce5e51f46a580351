//! Importance sampling: more samples where the error is large, each with less weight, so that the
//! expected gradient stays that of the whole picture.
//!
//! The training pixels are divided into blocks of 8x8. Block b with A_b pixels gets n_b of an epoch's N
//! samples: a fifth of N is divided in proportion to A_b, the rest to A_b times the block's root mean
//! square error (optimal if the gradient's norm grows with the error: Katharopoulos and Fleuret 2018).
//! Each of its samples has weight A_b / n_b. The pixel is chosen by integer arithmetic, as in
//! `shaders/sample_by_error.wgsl`.

use super::SampleSet;
use super::sampling::mix;
use crate::names::named;

named! {
    /// How an epoch samples the training pixels.
    pub enum Sampling = Uniform {
        /// Each pixel once.
        Uniform "uniform",
        /// More samples where the last measured error is large, each with less weight.
        Error "error",
    }
}

/// Width and height of a block in training pixels. `BLOCK` in `shaders/sample_by_error.wgsl`.
pub const BLOCK: u32 = 8;

/// Share of samples distributed by error; the rest go by area, so that every pixel is sampled.
const BY_ERROR: f64 = 0.8;

/// The pixel and weight of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Column in the picture.
    pub x: u32,
    /// Row in the picture.
    pub y: u32,
    /// Training pixels in its block; 1 without importance sampling.
    pub area: u32,
    /// Samples in its block; 1 without importance sampling.
    pub count: u32,
}

impl Sample {
    /// Factor on its loss.
    pub fn weight(self) -> f32 {
        self.area as f32 / self.count as f32
    }
}

/// The distribution of an epoch's samples over blocks.
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
    /// Distributes samples by the blocks' mean squared errors, or by area alone if these are not finite.
    pub fn new(samples: SampleSet, errors: &[f64]) -> Self {
        let n_blocks = Self::n_blocks(samples);
        assert_eq!(errors.len(), n_blocks, "blocks of the picture");
        let areas = || (0..n_blocks as u32).map(|b| f64::from(area(samples, b)));
        let by_error: Vec<f64> = areas().zip(errors).map(|(area, mse)| area * mse.sqrt()).collect();
        let total: f64 = by_error.iter().sum();
        let by_error = if total > 0.0 && total.is_finite() { by_error } else { areas().collect() };
        let (total, n) = (by_error.iter().sum::<f64>(), f64::from(samples.len()));
        // One sample each, so that every pixel is seen occasionally, and the rest by share.
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

    /// Distributes samples by area, before any error is known.
    pub fn even(samples: SampleSet) -> Self {
        Self::new(samples, &vec![1.0; Self::n_blocks(samples)])
    }

    /// Restores a distribution from its [`Importance::starts`]; none if they are invalid.
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

    /// The block of training pixel (x, y).
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
        // Consecutive pixels of the block, from a start that changes every epoch: all are seen before any is repeated.
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
    fn sampling_is_unbiased() {
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
        // Each pixel's mean weight is 1.
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
