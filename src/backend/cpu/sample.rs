//! Samples of a step: positions and target colours.

use crate::backend::Job;
use crate::model::{Drawn, Real, Step};

/// Which pixel sample `row` of `step` (counted within the step) is.
#[inline(always)]
pub fn draw(job: &Job, step: &Step, row: u32) -> Drawn {
    let index = step.shuffle.index(step.first_sample + row);
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
        let drawn = draw(job, step, first + i as u32);
        let (x, y) = (drawn.x, drawn.y);
        *weight = T::from_f32(drawn.weight());
        let [cx, cy] = job.raster.position(x, y);
        coord[0] = T::from_f32(cx);
        coord[1] = T::from_f32(cy);
        let at = (y as usize * job.picture.width as usize + x as usize) * channels;
        for (c, t) in target.iter_mut().enumerate() {
            *t = T::from_f32(job.picture.pixels.value(at + c));
        }
    }
}
