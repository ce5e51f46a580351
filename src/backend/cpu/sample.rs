//! Samples of a step: positions and target colours.

use crate::backend::Job;
use crate::model::{Real, Step};

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
    let channels = job.picture.channels;
    let rows = coords.chunks_exact_mut(2).zip(targets.chunks_exact_mut(channels)).zip(weights);
    for (i, ((coord, target), weight)) in rows.enumerate() {
        let sample = step.first_sample + first + i as u32;
        let index = step.shuffle.index(sample);
        *weight = T::one();
        let (x, y) = match (&job.options.mask, &step.importance) {
            (None, None) => job.samples.pixel(index),
            (Some(mask), _) => {
                let pixel = mask.pixels()[index as usize];
                (pixel % job.picture.width, pixel / job.picture.width)
            }
            (None, Some(importance)) => {
                let drawn = importance.draw(index, step.shuffle.keys[0]);
                *weight = T::from_f32(drawn.weight);
                (drawn.x, drawn.y)
            }
        };
        let [cx, cy] = job.raster.position(x, y);
        coord[0] = T::from_f32(cx);
        coord[1] = T::from_f32(cy);
        let at = (y as usize * job.picture.width as usize + x as usize) * channels;
        for (c, t) in target.iter_mut().enumerate() {
            *t = T::from_f32(job.picture.pixels.value(at + c));
        }
    }
}
