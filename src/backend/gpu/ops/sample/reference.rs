//! The reference of the samplers, and the pictures they are tested on.

use super::{PictureParams, RasterParams, SampleParams};
use crate::backend::gpu::kernel::tolerance::{Bounded, DIVISION, ROUNDING};
use crate::backend::gpu::kernel::{Call, Case, Expected, Kernel, StepParams, close, close_bounded};
use crate::backend::gpu::ops::testing::{case, poison, words};
use crate::backend::gpu::plan::{PICTURE_PARTS, THREADS, Workgroups};
use crate::backend::{Job, JobOptions, cpu};
use crate::model::{
    Activation, Coords, Encoding, Holdout, Importance, Mask, Mlp, Model, Optimizer, Raster, Refinements,
    SampleSet, Shuffle, Step,
};
use crate::picture::{Picture, Pixels};
use std::sync::Arc;

/// Error of a position: a product and a sum, or the two fused.
fn position_tolerance(cell: u32, step: f32, origin: f32) -> f64 {
    2.0 * ROUNDING * (f64::from(cell) * f64::from(step).abs() + f64::from(origin).abs())
}

/// Errors of a pixel's position in x and in y.
pub(in super::super) fn position_tolerances(pixel: [u32; 2], raster: &Raster) -> [f64; 2] {
    [0, 1].map(|axis| position_tolerance(pixel[axis], raster.step[axis], raster.origin[axis]))
}

/// Rebuilds the job from a kernel's parameters, the picture's parts and the pixels of a mask, so that the CPU's sampler is
/// the reference.
fn job_of(p: &PictureParams, parts: &[Vec<u32>], masked: Option<&[u32]>) -> Job {
    let channels = p.channels as usize;
    let words: Vec<u32> = parts
        .iter()
        .flat_map(|part| part[..part.len().min(p.words_per_part as usize)].iter().copied())
        .collect();
    let field = |width: u32, word: u32, n: usize| (word >> (n as u32 * width)) & ((1 << width) - 1);
    let (pixels, words_per_pixel) = match p.bits {
        8 => {
            let values = words.iter().flat_map(|&w| (0..channels).map(move |c| field(8, w, c) as u8));
            (Pixels::U8(values.collect()), 1)
        }
        16 => {
            let pixel = |pixel: &[u32]| -> Vec<u16> {
                (0..channels).map(|c| field(16, pixel[c / 2], c % 2) as u16).collect()
            };
            let per_pixel = channels.div_ceil(2);
            (Pixels::U16(words.chunks_exact(per_pixel).flat_map(pixel).collect()), per_pixel)
        }
        _ => (Pixels::F32(words.iter().map(|&w| f32::from_bits(w)).collect()), channels),
    };
    let (width, height) = (p.width, (words.len() / words_per_pixel) as u32 / p.width);
    let holdout = if p.stride == 1 { Holdout::None } else { Holdout::EveryOther };
    // As many rows as the picture has, without the filler of unused parts.
    let samples = SampleSet { width, height: p.rows * p.stride, holdout, masked: None };
    let mask = masked.map(|pixels| {
        let mut inside = vec![false; width as usize * samples.height as usize];
        pixels.iter().for_each(|&pixel| inside[pixel as usize] = true);
        Arc::new(Mask::new(inside, samples).expect("a mask with pixels"))
    });
    let raster = Raster { width, height, first: [0; 2], origin: p.origin, step: p.step };
    let options = JobOptions { mask, ..JobOptions::default() };
    let unused = Mlp::new([2, 1, channels], 2, [Activation::Identity, Activation::Identity]);
    let model = Model { encoding: Encoding::IDENTITY, network: unused };
    let picture = Picture { width, height, channels, pixels };
    Job { raster, samples, options, ..Job::new(model, picture, UNUSED_RULE) }
}

/// The binding of the sample index, or of the keys of the order.
const CHOICE: usize = PICTURE_PARTS + 3;

const UNUSED_RULE: Optimizer = Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 };

/// Samples of a step, with bounds of a device's errors.
pub(in super::super) struct Samples {
    pub(in super::super) coords: Vec<f64>,
    /// Of every coordinate.
    pub(in super::super) coord_error: f64,
    pub(in super::super) targets: Vec<Bounded>,
    pub(in super::super) weights: Vec<f64>,
}

impl Samples {
    /// All training pixels of the picture in `parts`, in the order of the step.
    pub(in super::super) fn of_picture(
        (p, n_rows): (&PictureParams, u32),
        parts: &[Vec<u32>],
        step: StepParams,
    ) -> Self {
        Self::drawn((p, n_rows), &job_of(p, parts, None), &step_of((p, n_rows), step))
    }

    fn drawn((p, n_rows): (&PictureParams, u32), job: &Job, step: &Step) -> Self {
        let (n, channels) = (n_rows as usize, p.channels as usize);
        let (mut coords, mut targets, mut weights) =
            (vec![0.0; 2 * n], vec![0.0; n * channels], vec![0.0; n]);
        cpu::sample::sample::<f64>(job, step, p.first_row, &mut coords, &mut targets, &mut weights);
        let [step_x, step_y] = p.step;
        let coord_error = position_tolerance(p.width.max(job.picture.height), step_x.max(step_y), 1.0);
        // Stored floats are copied; integers are divided by their largest value.
        let rounding = if p.bits == 32 { 0.0 } else { DIVISION };
        let target = |value: f64| Bounded { value, error: value.abs() * rounding };
        Self { coords, coord_error, targets: targets.into_iter().map(target).collect(), weights }
    }
}

/// The step that a kernel is given.
fn step_of((p, n_rows): (&PictureParams, u32), s: StepParams) -> Step {
    Step {
        index: s.index.into(),
        shuffle: Shuffle { n: s.n_samples, half_bits: s.half_bits, keys: s.keys },
        first_sample: s.first_sample,
        n_samples: p.first_row + n_rows,
        lr: 0.0,
        importance: None,
    }
}

pub(super) fn sample(call: &Call) -> Vec<Expected> {
    let SampleParams { picture, n_rows, .. } = call.params();
    let p = &picture;
    let is = |def| std::ptr::eq(call.kernel.def, def);
    let choice = call.buffers.get(CHOICE).map(Vec::as_slice);
    let job = job_of(p, &call.buffers[..PICTURE_PARTS], choice.filter(|_| is(&super::SAMPLE_MASKED)));
    let mut step = step_of((p, n_rows), call.step);
    if let Some(keys) = choice.filter(|_| is(&super::SAMPLE_BY_NETWORK)) {
        step.shuffle.keys = std::array::from_fn(|round| keys[round]);
    }
    if let Some(starts) = choice.filter(|_| is(&super::SAMPLE_BY_ERROR)) {
        let importance = Importance::from_starts(job.samples, starts.to_vec());
        step.importance = Some(Arc::new(importance.expect("starts of blocks")));
    }
    let Samples { coords, coord_error, targets, weights } = Samples::drawn((p, n_rows), &job, &step);
    let coord_errors = vec![coord_error; coords.len()];
    let rounding = if step.importance.is_some() { DIVISION } else { 0.0 };
    let weights = weights.into_iter().map(|value| Bounded { value, error: value * rounding });
    vec![close(4, 0, coords, coord_errors), close_bounded(5, targets), close_bounded(6, weights)]
}

pub(super) fn raster(call: &Call) -> Vec<Expected> {
    let p: RasterParams = call.params();
    let RasterParams { width, left, origin, step, .. } = p;
    let raster = Raster { width, height: u32::MAX, first: [left, 0], origin, step };
    let (mut coords, mut tolerances) = (Vec::new(), Vec::new());
    for i in 0..p.n_rows {
        let (x, y) = ((p.first_x + i) % p.width, p.first_y + (p.first_x + i) / p.width);
        coords.extend(raster.position(x, y).map(f64::from));
        tolerances.extend(position_tolerances([left + x, y], &raster));
    }
    vec![close(0, 0, coords, tolerances)]
}

/// Pixels of a mask: four of seven.
fn is_inside(pixel: u32) -> bool {
    (pixel % 7).is_multiple_of(2)
}

/// Width, height, channels, bits, stride, parts, widest grid.
type Shape = (u32, u32, u32, u32, u32, usize, u32);

const WITH_INDEX: [Shape; 3] =
    [(1, 1, 1, 8, 1, 1, 65_535), (33, 31, 4, 8, 2, 4, 65_535), (67, 29, 3, 16, 1, 3, 3)];

pub(super) fn masked_sample_cases(_: &Kernel) -> Vec<Case> {
    WITH_INDEX.map(|shape| sample_case(shape, Choice::Mask)).into()
}

pub(super) fn sample_cases(_: &Kernel) -> Vec<Case> {
    let shapes = [
        (1, 1, 1, 8, 1, 1, 65_535),
        (7, 5, 3, 8, 1, 1, 65_535),
        (33, 31, 4, 8, 2, 4, 65_535),
        (5, 13, 2, 16, 1, 2, 65_535),
        (67, 29, 3, 16, 1, 3, 3),
        (64, 9, 3, 32, 2, 2, 65_535),
        (300, 17, 1, 32, 1, 4, 5),
    ];
    shapes.map(|shape| sample_case(shape, Choice::All)).into()
}

pub(super) fn by_error_sample_cases(_: &Kernel) -> Vec<Case> {
    WITH_INDEX.map(|shape| sample_case(shape, Choice::Importance)).into()
}

pub(super) fn by_network_sample_cases(_: &Kernel) -> Vec<Case> {
    WITH_INDEX.map(|shape| sample_case(shape, Choice::Order)).into()
}

/// The sample index, or an order of its own.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    All,
    Order,
    Mask,
    Importance,
}

/// A picture in at most so many parts.
pub(in super::super) fn example_picture(
    [width, height]: [u32; 2],
    channels: u32,
    bits: u32,
    parts: usize,
) -> Vec<Vec<u32>> {
    let n_words = (width * height * channels.div_ceil(32 / bits)) as usize;
    let mut data = words(u64::from(width), n_words);
    if bits == 32 {
        data.iter_mut().for_each(|word| *word = ((*word >> 8) as f32 / 1e6).to_bits());
    }
    data.chunks(n_words.div_ceil(parts)).map(<[u32]>::to_vec).collect()
}

/// A step of `n` samples that begins with sample `first`.
pub(in super::super) fn example_step(n: u32, first: u32) -> StepParams {
    let shuffle = Shuffle::new(n, 5, 2);
    let step = Step { index: 3, shuffle, first_sample: first, n_samples: n, lr: 0.1, importance: None };
    StepParams::new(&step, UNUSED_RULE, &Refinements::default(), 0)
}

fn sample_case((w, h, channels, bits, stride, parts, max_groups): Shape, choice: Choice) -> Case {
    let mut buffers = example_picture([w, h], channels, bits, parts);
    let words_per_part = buffers[0].len();
    buffers.resize(PICTURE_PARTS, vec![0]);
    // `job_of` joins the parts: the filler must not be counted as pixels.
    let holdout = if stride == 1 { Holdout::None } else { Holdout::EveryOther };
    let samples = SampleSet { width: w, height: h, holdout, masked: None };
    let mask = (choice == Choice::Mask).then(|| {
        let inside = (0..w * h).map(is_inside).collect();
        Mask::new(inside, samples).expect("a mask with pixels")
    });
    let len = mask.as_ref().map_or(samples.len(), |mask| mask.pixels().len() as u32);
    let (n, skipped) = (len as usize, len / 3);
    let n_rows = n - skipped as usize;
    let grid = Workgroups::fold(n_rows.div_ceil(THREADS), max_groups);
    let raster = Raster::new(w, h, Coords::Center);
    let picture = PictureParams {
        first_row: skipped - skipped / 2,
        columns: samples.columns(),
        rows: samples.rows(),
        stride,
        width: w,
        channels,
        bits,
        words_per_part: words_per_part as u32,
        origin: raster.origin,
        step: raster.step,
    };
    let params = SampleParams { picture, grid_width: grid.width, n_rows: n_rows as u32 };
    buffers.extend([poison(2 * n_rows), poison(n_rows * channels as usize), poison(n_rows)]);
    buffers.extend(mask.map(|mask| mask.pixels().to_vec()));
    if choice == Choice::Importance {
        let errors: Vec<f64> = (0..Importance::n_blocks(samples)).map(|b| [0.5, 1e-3, 0.02][b % 3]).collect();
        buffers.push(Importance::new(samples, &errors).starts().to_vec());
    }
    if choice == Choice::Order {
        buffers.push(Shuffle::new(len, 6, 2).keys.to_vec());
    }
    let label = format!("{w} x {h} x {channels}, {bits} bits, every {stride}, {parts} parts");
    Case { step: example_step(len, skipped / 2), ..case(label, params, buffers, grid.size()) }
}

pub(super) fn raster_cases(_: &Kernel) -> Vec<Case> {
    let one = |w: u32, n: usize, first: u64, left: u32, max_groups: u32| {
        let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = RasterParams { grid_width: grid.width, n_rows: n as u32, ..Default::default() }
            .at(&Raster { first: [left, 5], ..Raster::new(w, 50_000, Coords::Center) }, first);
        case(
            format!("{n} pixels of width {w} from {first}, {left} columns in"),
            params,
            vec![poison(2 * n)],
            grid.size(),
        )
    };
    vec![
        one(1, 1, 0, 0, 65_535),
        one(7, 257, 3, 11, 65_535),
        one(99_991, 1021, 99_991 * 40_000 + 99_000, 0, 2),
    ]
}
