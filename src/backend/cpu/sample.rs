//! Samples of a step: positions and target colours.

use super::simd::vectorised;
use crate::backend::Job;
use crate::model::{Drawn, Real, Step};

/// Which pixel sample `row` of `step` (counted within the step) is.
#[inline(always)]
pub fn draw(job: &Job, step: &Step, row: u32) -> Drawn {
    drawn(job, step, step.shuffle.index(step.first_sample + row))
}

/// The pixel that number `index` of the training pixels stands for.
#[inline(always)]
fn drawn(job: &Job, step: &Step, index: u32) -> Drawn {
    let (x, y) = match (&job.options.mask, &step.importance) {
        (None, None) => job.samples.pixel(index),
        (Some(mask), _) => {
            let pixel = mask.pixels()[index as usize];
            (pixel % job.picture.width, pixel / job.picture.width)
        }
        (None, Some(importance)) => return importance.draw(index, step.shuffle.keys[0]),
    };
    Drawn { x, y, area: 1, count: 1 }
}

/// Samples whose numbers are worked out at a time.
const NUMBERS: usize = 16;

/// Samples fetched at a time.
const BLOCK: usize = 64;

/// The most channels of a picture.
const MAX_CHANNELS: usize = 4;

/// Writes the numbers of samples `first..first + indices.len()` of `step` (counted within the step) among the training pixels.
pub fn numbers(step: &Step, first: u32, indices: &mut [u32]) {
    vectorised(
        #[inline(always)]
        || {
            for (b, indices) in indices.chunks_mut(NUMBERS).enumerate() {
                let first = step.first_sample + first + (b * NUMBERS) as u32;
                indices.copy_from_slice(&step.shuffle.indices::<NUMBERS>(first)[..indices.len()]);
            }
        },
    );
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

/// Fetches at most `BLOCK` training pixels by their numbers `indices`, (n); the rest as [`sample`] does.
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
    vectorised(
        #[inline(always)]
        || job.picture.pixels.gather(places, channels, values),
    );
    for (target, &value) in targets.iter_mut().zip(&*values) {
        *target = T::from_f32(value);
    }
}
