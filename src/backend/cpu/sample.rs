//! Samples of a step: positions and target colours.

use super::simd::vectorised;
use crate::backend::Job;
use crate::model::{Real, Sample, Step};

/// The pixel of sample `row` of `step` (counted within the step).
#[inline(always)]
pub fn draw(job: &Job, step: &Step, row: u32) -> Sample {
    drawn(job, step, step.shuffle.index(step.first_sample + row))
}

/// The pixel of number `index` among the training pixels.
#[inline(always)]
fn drawn(job: &Job, step: &Step, index: u32) -> Sample {
    let (x, y) = match (&job.options.mask, &step.importance) {
        (None, None) => job.samples.pixel(index),
        (Some(mask), _) => {
            let pixel = mask.pixels()[index as usize];
            (pixel % job.picture.width, pixel / job.picture.width)
        }
        (None, Some(importance)) => return importance.draw(index, step.shuffle.keys[0]),
    };
    Sample { x, y, area: 1, count: 1 }
}

/// Samples whose numbers are computed at a time.
const NUMBERS: usize = 16;

/// Samples fetched at a time.
const BLOCK: usize = 64;

/// Maximum number of channels of a picture.
const MAX_CHANNELS: usize = 4;

/// Writes the numbers of samples `first..first + indices.len()` of `step` (counted within the step) among the training
/// pixels.
fn numbers(step: &Step, first: u32, indices: &mut [u32]) {
    vectorised!({
        for (b, indices) in indices.chunks_mut(NUMBERS).enumerate() {
            let first = step.first_sample + first + (b * NUMBERS) as u32;
            indices.copy_from_slice(&step.shuffle.indices::<NUMBERS>(first)[..indices.len()]);
        }
    });
}

/// Fetches samples `first..first + n` of `step` (counted within the step).
///
/// coords: (n, 2); targets: (n, channels); both row-major. weights: (n), factors on the samples' losses.
pub fn sample<T: Real>(
    job: &Job,
    step: &Step,
    first: u32,
    coords: &mut [T],
    targets: &mut [T],
    weights: &mut [T],
) {
    let mut indices = [0; BLOCK];
    let blocks = coords.chunks_mut(2 * BLOCK).zip(targets.chunks_mut(BLOCK * job.picture.channels));
    for (b, ((coords, targets), weights)) in blocks.zip(weights.chunks_mut(BLOCK)).enumerate() {
        let indices = &mut indices[..weights.len()];
        numbers(step, first + (b * BLOCK) as u32, indices);
        fetch(job, step, indices, coords, targets, weights);
    }
}

/// Fetches at most `BLOCK` training pixels by their numbers `indices`, (n); otherwise like [`sample`].
fn fetch<T: Real>(
    job: &Job,
    step: &Step,
    indices: &[u32],
    coords: &mut [T],
    targets: &mut [T],
    weights: &mut [T],
) {
    let channels = job.picture.channels;
    let mut places = [0; BLOCK];
    let places = &mut places[..indices.len()];
    let rows = coords.as_chunks_mut().0.iter_mut().zip(weights).zip(&mut *places);
    for (&index, ((coord, weight), place)) in indices.iter().zip(rows) {
        let drawn = drawn(job, step, index);
        *weight = T::from_f32(drawn.weight());
        *coord = job.raster.position(drawn.x, drawn.y).map(T::from_f32);
        *place = (drawn.y as usize * job.picture.width as usize + drawn.x as usize) * channels;
    }
    let mut values = [0.0; BLOCK * MAX_CHANNELS];
    let values = &mut values[..targets.len()];
    vectorised!(job.picture.pixels.gather(places, channels, values));
    for (target, &value) in targets.iter_mut().zip(&*values) {
        *target = T::from_f32(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Encoding, Holdout, Importance, Mlp, Model, Optimizer, SampleSet, Steps};
    use crate::picture::{Picture, Pixels};
    use std::sync::Arc;

    fn job(holdout: Holdout) -> Job {
        let (width, height, channels) = (37, 29, 3);
        let values = (0..width * height * 3).map(|i| (i * 131 % 251) as u8).collect();
        let picture = Picture { width, height, channels, pixels: Pixels::U8(values) };
        let network = Mlp::new([2, 8, channels], 2, [Activation::Relu, Activation::Sigmoid]);
        let samples = SampleSet { width, height, holdout, masked: None };
        let model = Model { encoding: Encoding::IDENTITY, network };
        let optimizer = Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 };
        Job { samples, ..Job::new(model, picture, optimizer) }
    }

    #[test]
    fn samples_fetched_together_are_those_drawn_one_by_one() {
        for (holdout, by_error) in
            [(Holdout::None, false), (Holdout::EveryOther, false), (Holdout::None, true)]
        {
            let job = job(holdout);
            let n = job.samples.len();
            let errors: Vec<f64> = (0..Importance::n_blocks(job.samples)).map(|b| (b + 1) as f64).collect();
            let importance = by_error.then(|| Arc::new(Importance::new(job.samples, &errors)));
            let mut steps = Steps::new(n, n, 5, 0.1).part_of_order(2, 3..n).spread_by(importance);
            let step = steps.next().unwrap();
            for (first, count) in [(0, 1), (1, BLOCK - 1), (7, 2 * BLOCK + 5), (n - 3 - 20, 20)] {
                let (mut coords, mut targets) = (vec![f32::NAN; 2 * count], vec![f32::NAN; 3 * count]);
                let mut weights = vec![f32::NAN; count];
                sample(&job, &step, first, &mut coords, &mut targets, &mut weights);
                for i in 0..count {
                    let drawn = draw(&job, &step, first + i as u32);
                    let at = 3 * (drawn.y * job.picture.width + drawn.x) as usize;
                    assert_eq!(coords[2 * i..][..2], job.raster.position(drawn.x, drawn.y), "{first} + {i}");
                    let pixel: [f32; 3] = std::array::from_fn(|c| job.picture.pixels.value(at + c));
                    let found = (&targets[3 * i..][..3], weights[i]);
                    assert_eq!(found, (&pixel[..], drawn.weight()), "{first} + {i}");
                }
            }
        }
    }
}
