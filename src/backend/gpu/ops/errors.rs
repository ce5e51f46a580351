//! How far the network's colours are from the picture, summed on the device.

use super::sample::{PICTURE_PARTS, PictureParams, STORED_VALUE};
use super::testing::{case_of, poison, uniform, words};
use crate::backend::gpu::kernel::tolerance::{Bounded, ROUNDING};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, close_bounded, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::{Holdout, SampleSet};

params_block! {
    SquaredErrorsParams {
        picture: PictureParams,
        /// Sums of values are of their differences from these.
        about: [f32; 4],
        grid_width: u32,
        n_groups: u32,
        /// Pixels of the tile.
        n_pixels: u32,
        /// First of them in the picture.
        first_pixel: u32,
        /// First workgroup of the tile among all.
        first_group: u32,
        /// Row and column of the first pixel of the test split.
        first_tested: u32,
        tested_stride: u32,
    }
}

pub(crate) static SQUARED_ERRORS: KernelDef = KernelDef {
    name: "squared_errors",
    parts: &[STORED_VALUE, PICTURE_PARTS, wgsl!("squared_errors.wgsl")],
    bindings: &[
        read("picture_0"),
        read("picture_1"),
        read("picture_2"),
        read("picture_3"),
        read("colours"),
        write("errors"),
    ],
    ..KernelDef::plain::<SquaredErrorsParams>(reference, cases)
};

/// Pixels of a workgroup: `ROUNDS` in `squared_errors.wgsl`, of each thread.
const PIXELS: usize = 16 * THREADS;
/// Numbers that a workgroup stores: for up to four channels, sums of the squared errors of the training split and of
/// the test split, of the training split's values, and of their squares.
pub(crate) const SUMS: usize = 16;

/// Workgroups for a tile of `n_pixels` pixels.
pub(crate) fn n_groups(n_pixels: usize) -> usize {
    n_pixels.div_ceil(PIXELS)
}

/// Workgroups for a picture in tiles of `tile` pixels.
pub(crate) fn n_groups_of_tiles(n_pixels: usize, tile: usize) -> usize {
    n_pixels / tile * n_groups(tile) + n_groups(n_pixels % tile)
}

/// Compares a tile of `n_pixels` pixels with a picture, of which `samples` are trained; which tile, and what `about` is,
/// are set for each. Buffers: the picture's parts, colours, errors.
pub(crate) fn squared_errors(
    (picture, samples): (PictureParams, SampleSet),
    n_pixels: usize,
    buffers: Vec<BufferId>,
    max_groups: u32,
) -> Dispatch {
    let grid = Workgroups::fold(n_groups(n_pixels), max_groups);
    let [first_tested, tested_stride] = samples.test_split();
    let params = SquaredErrorsParams {
        picture,
        grid_width: grid.width,
        n_groups: n_groups(n_pixels) as u32,
        n_pixels: n_pixels as u32,
        first_tested,
        tested_stride,
        ..SquaredErrorsParams::default()
    };
    let cost = 40.0 * (n_pixels * picture.channels as usize) as f64;
    Dispatch::new(Kernel::plain(&SQUARED_ERRORS), &params, buffers, grid, cost)
}

/// What the reference knows of a pixel: its values, and whether it is in the training and in the test split.
fn pixel(p: &SquaredErrorsParams, call: &Call, pixel: usize) -> ([Bounded; 4], [Bounded; 4], [bool; 2]) {
    let number = p.first_pixel + pixel as u32;
    let PictureParams { width, channels, bits, stride, words_per_part, .. } = p.picture;
    let place = [number % width, number / width];
    let trained = place.iter().all(|at| at.is_multiple_of(stride));
    let is_tested =
        |&at: &u32| at.checked_sub(p.first_tested).is_some_and(|at| at.is_multiple_of(p.tested_stride));
    let truth = |channel: u32| {
        let per_pixel = if bits == 8 { 1 } else { channels.div_ceil(2) };
        let in_word = 32 / bits;
        let index = number * per_pixel + channel / in_word;
        let (part, within) = (index / words_per_part, index % words_per_part);
        let word = call.buffers[part as usize][within as usize];
        let stored = word >> (bits * (channel % in_word)) & ((1 << bits) - 1);
        Bounded::exact(stored.into()) / Bounded::exact(f64::from((1_u32 << bits) - 1))
    };
    let all = [0, 1, 2, 3].map(|c: u32| c.min(channels - 1));
    let value = |c: u32| f64::from(call.f32s(4)[pixel * channels as usize + c as usize]).clamp(0.0, 1.0);
    (all.map(|c| Bounded::exact(value(c))), all.map(truth), [trained, place.iter().all(is_tested)])
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: SquaredErrorsParams = call.params();
    let mut sums = vec![[Bounded::exact(0.0); SUMS]; p.n_groups as usize];
    for index in 0..p.n_pixels as usize {
        let (values, truths, [trained, tested]) = pixel(&p, call, index);
        let sums = &mut sums[index / PIXELS];
        for c in 0..4 {
            let error = values[c] - truths[c];
            let value = values[c] - Bounded::exact(p.about[c].into());
            let terms = [
                (error * error, trained),
                (error * error, tested),
                (value, trained),
                (value * value, trained),
            ];
            for (quantity, (term, _)) in terms.into_iter().enumerate().filter(|(_, (_, is_in))| *is_in) {
                let sum = &mut sums[4 * quantity + c];
                // A thread's sixteen terms and eight levels of the tree round each term so often.
                let rounding = 24.0 * ROUNDING * (term.value.abs() + term.error);
                *sum = Bounded { value: sum.value + term.value, error: sum.error + term.error + rounding };
            }
        }
    }
    let expected = close_bounded(5, sums.into_iter().flatten());
    vec![Expected { start: SUMS * p.first_group as usize, ..expected }]
}

fn cases(_: &Kernel) -> Vec<Case> {
    let one = |(n_pixels, channels, bits): (usize, usize, u32),
               samples: SampleSet,
               [first, group]: [usize; 2],
               max| {
        let width = 37;
        let per_pixel = if bits == 8 { 1 } else { channels.div_ceil(2) };
        let n_words = (first + n_pixels) * per_pixel;
        let words_per_part = n_words.div_ceil(3);
        let picture = PictureParams {
            stride: samples.stride(),
            width,
            channels: channels as u32,
            bits,
            words_per_part: words_per_part as u32,
            ..PictureParams::default()
        };
        let mut dispatch = squared_errors((picture, samples), n_pixels, vec![BufferId(0); 6], max);
        let mut params: SquaredErrorsParams = bytemuck::pod_read_unaligned(&dispatch.params);
        (params.first_pixel, params.first_group) = (first as u32, group as u32);
        params.about = [0.25, 0.5, 0.75, 1.0];
        dispatch.params = bytemuck::bytes_of(&params).to_vec();
        let part = |part: u64| words(part, words_per_part);
        let mut buffers: Vec<_> = (0..4).map(part).collect();
        // Some beyond black and white.
        buffers.push(uniform(5, n_pixels * channels, 1.2));
        buffers.push(poison(SUMS * (group + n_groups(n_pixels))));
        case_of(format!("{n_pixels} pixels of {channels} channels, {bits} bits"), dispatch, buffers)
    };
    let samples = |holdout| SampleSet { width: 37, height: 500, holdout, masked: None };
    vec![
        one((1, 1, 8), samples(Holdout::None), [0, 0], 65_535),
        one((5000, 3, 8), samples(Holdout::EveryOther), [1111, 3], 65_535),
        one((4097, 4, 16), samples(Holdout::EveryOtherAll), [0, 1], 65_535),
        one((13_000, 2, 16), samples(Holdout::None), [40, 0], 2),
    ]
}
