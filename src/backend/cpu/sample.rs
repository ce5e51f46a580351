//! Samples of a step: positions and target colours.

use crate::backend::Job;
use crate::model::{Real, Step};

/// Fetches samples `first..first + n` of `step` (counted within the step).
///
/// coords: (n, 2); targets: (n, channels); both row-major.
pub fn sample<T: Real>(job: &Job, step: &Step, first: u32, coords: &mut [T], targets: &mut [T]) {
    let channels = job.picture.channels;
    let rows = coords.chunks_exact_mut(2).zip(targets.chunks_exact_mut(channels));
    for (i, (coord, target)) in rows.enumerate() {
        let sample = step.first_sample + first + i as u32;
        let index = step.shuffle.index(sample);
        let (x, y) = match &job.options.mask {
            None => job.samples.pixel(index),
            Some(mask) => {
                let pixel = mask.pixels()[index as usize];
                (pixel % job.picture.width, pixel / job.picture.width)
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
