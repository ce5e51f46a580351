//! The reference of the hash grid's kernels, and their test inputs.

use super::{ClearGradientsParams, GridGradientsParams, GridParams, LEVEL_WORDS, level_words};
use crate::backend::cpu;
use crate::backend::cpu::panels::{PANEL, padded, samples_from_rows};
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, Positions, ROUNDING};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, ExpectedValues, Kernel, SUM_UNIT, close, close_bounded, fixed_point,
};
use crate::backend::gpu::ops::testing::{case, poison, uniform, words};
use crate::backend::gpu::plan::{THREADS, Workgroups};
use crate::model::encoding::{GridLevel, GridSpec, HashGrid, Interpolation};
use std::ops::RangeInclusive;

/// Rebuilds the grid from the kernel's inputs.
fn grid_of(call: &Call) -> HashGrid {
    let p: GridParams = call.params();
    of_words(&call.buffers[0], p.n_levels as usize, p.n_features as usize, p.smoothstep != 0)
}

/// The grid that the words of its levels describe.
pub(in crate::backend::gpu::ops) fn of_words(
    words: &[u32],
    n_levels: usize,
    n_features: usize,
    smoothstep: bool,
) -> HashGrid {
    let levels = words.chunks_exact(LEVEL_WORDS).take(n_levels).map(|w| (w[0], w[2] as usize));
    let interpolation = if smoothstep { Interpolation::Smoothstep } else { Interpolation::Linear };
    HashGrid::from_levels(n_features, interpolation, levels)
}

/// Roundings of a weight: at most three for the smooth curve, one for 1 - t and one for their product.
const WEIGHT_ROUNDINGS: f64 = 5.0;
/// Roundings of a weighted sum of four: a product and three additions.
const SUM_ROUNDINGS: f64 = 4.0;

/// How far a position in f32 may be from the one in f64, along one axis of one level.
struct Place {
    /// Cells it may fall into: two if it is at the border between them. Interpolation is continuous there, so either
    /// is right.
    cells: RangeInclusive<u32>,
    /// Largest resulting error of its weights: the distance in cells times the curve's slope.
    error: f64,
}

impl Place {
    /// Of a coordinate that is itself off by at most `off`.
    fn new(grid: &HashGrid, level: GridLevel, c: f64, off: f64) -> Self {
        let n = f64::from(level.resolution);
        let p = (c * n + 0.5).clamp(0.0, n + 1.0);
        // A product and a sum.
        let error = 2.0 * ROUNDING * ((c * n).abs() + 0.5) + n * off;
        let cell = |p: f64| (p.max(0.0) as u32).min(level.resolution);
        let slope = if grid.interpolation == Interpolation::Linear { 1.0 } else { 1.5 };
        Self { cells: cell(p - error)..=cell(p + error), error: slope * error }
    }
}

pub(super) fn encode(call: &Call) -> Vec<Expected> {
    let p: GridParams = call.params();
    let (grid, n) = (grid_of(call), p.n_rows as usize);
    let table = call.f64s(1, 0, grid.n_params());
    let coords = call.f64s(2, 0, 2 * n);
    let width = grid.output_width();
    let mut features = vec![0.0; n * width];
    cpu::grid::encode(&grid, &table, &coords, &mut features);
    let tolerances = feature_tolerances(&grid, &table, Positions::exact(&coords));
    vec![close(3, 0, features, tolerances)]
}

/// The tolerance of each feature of each position.
pub(in crate::backend::gpu::ops) fn feature_tolerances(
    grid: &HashGrid,
    table: &[f64],
    Positions { coords, error }: Positions,
) -> Vec<f64> {
    let mut tolerances = Vec::with_capacity(coords.len() / 2 * grid.output_width());
    for c in coords.chunks_exact(2) {
        for &level in &grid.levels {
            let places = [Place::new(grid, level, c[0], error), Place::new(grid, level, c[1], error)];
            let f = 0..grid.features_per_level;
            tolerances.extend(f.map(|f| feature_tolerance(grid, level, &places, table, f)));
        }
    }
    tolerances
}

fn feature_tolerance(grid: &HashGrid, level: GridLevel, places: &[Place; 2], table: &[f64], f: usize) -> f64 {
    let value = |x: u32, y: u32| {
        table[(level.first_entry + level.entry(x, y) as usize) * grid.features_per_level + f]
    };
    let [x_place, y_place] = places;
    let mut worst = 0.0_f64;
    for y in y_place.cells.clone() {
        for x in x_place.cells.clone() {
            let t = [value(x, y), value(x + 1, y), value(x, y + 1), value(x + 1, y + 1)];
            let magnitude: f64 = t.iter().map(|t| t.abs()).sum();
            let slope_x = (t[1] - t[0]).abs().max((t[3] - t[2]).abs());
            let slope_y = (t[2] - t[0]).abs().max((t[3] - t[1]).abs());
            let by_place = x_place.error * slope_x + y_place.error * slope_y;
            worst = worst.max(by_place + (WEIGHT_ROUNDINGS + SUM_ROUNDINGS) * ROUNDING * magnitude);
        }
    }
    worst + 4.0 * FLUSH
}

/// The first `len` gradients of features, as numbers.
fn gradients_of(call: &Call, len: usize) -> Vec<f64> {
    let unit = f64::from(call.params::<GridParams>().gradient_unit);
    call.f64s(2, 0, len).iter().map(|dl| unit * dl).collect()
}

/// Adds the gradients of all entries to `grads`, (entries, F). coords: (n, 2), dl_dfeatures: (n, L F).
fn add_gradients(grid: &HashGrid, coords: &[f64], dl_dfeatures: &[f64], grads: &mut [f64]) {
    let width = grid.output_width();
    let mut rows = dl_dfeatures.to_vec();
    rows.resize(padded(coords.len() / 2) * width, 0.0);
    let mut panels = vec![[0.0; PANEL]; rows.len() / PANEL];
    samples_from_rows(&rows, width, &mut panels);
    for level in 0..grid.levels.len() {
        let grads = &mut grads[grid.params_of(level)];
        cpu::grid::backward_level(grid, level, coords, (&panels, width, 0), grads);
    }
}

pub(super) fn backward(call: &Call) -> Vec<Expected> {
    let p: GridParams = call.params();
    let (grid, n) = (grid_of(call), p.n_rows as usize);
    let coords = call.f64s(1, 0, 2 * n);
    let dl_dfeatures = gradients_of(call, n * grid.output_width());
    let before = &call.buffers[3][..2 * grid.n_params()];
    let exact = vec![0.0; dl_dfeatures.len()];
    let (values, tolerances) = sums(&grid, Positions::exact(&coords), (&dl_dfeatures, &exact), before);
    vec![Expected { binding: 3, start: 0, values: ExpectedValues::FixedPoint { values, tolerances } }]
}

/// The words `before` plus the gradients of all entries, with their tolerances. `dl_dfeatures` are values and bounds
/// of their errors.
pub(in crate::backend::gpu::ops) fn sums(
    grid: &HashGrid,
    positions: Positions,
    (dl_dfeatures, errors): (&[f64], &[f64]),
    before: &[u32],
) -> (Vec<f64>, Vec<f64>) {
    let mut values = fixed_point(before);
    add_gradients(grid, positions.coords, dl_dfeatures, &mut values);
    // f64 has fewer bits than the sums.
    let mut tolerances: Vec<f64> = values.iter().map(|v| SUM_UNIT + v.abs() * f64::EPSILON).collect();
    for_each_place(grid, positions, |at, i, error| {
        // No position takes more than all of an entry.
        tolerances[at] += dl_dfeatures[i].abs() * error + errors[i] * (1.0 + error) + SUM_UNIT;
    });
    (values, tolerances)
}

pub(super) fn backward_float(call: &Call) -> Vec<Expected> {
    let p: GridParams = call.params();
    let (grid, n) = (grid_of(call), p.n_rows as usize);
    let coords = call.f64s(1, 0, 2 * n);
    let dl_dfeatures = gradients_of(call, n * grid.output_width());
    let mut values = call.f64s(3, 0, grid.n_params());
    // For each value: the additions to it and the sum of their magnitudes, besides the errors of the terms.
    let mut additions = vec![0.0; values.len()];
    let mut magnitudes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    add_gradients(&grid, &coords, &dl_dfeatures, &mut values);
    let absolute: Vec<f64> = dl_dfeatures.iter().map(|v| v.abs()).collect();
    add_gradients(&grid, &coords, &absolute, &mut magnitudes);
    let mut errors = vec![0.0; values.len()];
    for_each_place(&grid, Positions::exact(&coords), |at, i, error| {
        additions[at] += 1.0;
        errors[at] += dl_dfeatures[i].abs() * error + FLUSH;
    });
    let tolerance =
        |((n, magnitude), error): ((&f64, &f64), &f64)| n * ROUNDING * (magnitude + error) + error;
    let tolerances = additions.iter().zip(&magnitudes).zip(&errors).map(tolerance).collect();
    vec![close(3, 0, values, tolerances)]
}

/// Calls `add(value, feature, error)` for each value of the grid that may receive the gradient of a sample's feature,
/// with the error of its weight. Features are counted through all samples.
fn for_each_place(grid: &HashGrid, positions: Positions, mut add: impl FnMut(usize, usize, f64)) {
    let Positions { coords, error: off } = positions;
    let n_features = grid.features_per_level;
    for (row, c) in coords.chunks_exact(2).enumerate() {
        for (l, &level) in grid.levels.iter().enumerate() {
            let first = (row * grid.levels.len() + l) * n_features;
            let (x, y) = (Place::new(grid, level, c[0], off), Place::new(grid, level, c[1], off));
            // A product with the unit and one with the weight.
            let error = x.error + y.error + (WEIGHT_ROUNDINGS + 2.0) * ROUNDING;
            for y in *y.cells.start()..=y.cells.end() + 1 {
                for x in *x.cells.start()..=x.cells.end() + 1 {
                    let entry = level.first_entry + level.entry(x, y) as usize;
                    (0..n_features).for_each(|f| add(entry * n_features + f, first + f, error));
                }
            }
        }
    }
}

pub(super) fn clear(call: &Call) -> Vec<Expected> {
    let p: ClearGradientsParams = call.params();
    vec![Expected { binding: 0, start: 0, values: ExpectedValues::Bits(vec![0; p.n_values as usize]) }]
}

pub(super) fn gradients(call: &Call) -> Vec<Expected> {
    let p: GridGradientsParams = call.params();
    let (gradients, cleared) = entry_gradients(call, 0, p.n_values as usize);
    vec![cleared, close_bounded(1, gradients)]
}

/// The first `n` sums of a binding as numbers, and that they are cleared.
pub(crate) fn entry_gradients(call: &Call, binding: usize, n: usize) -> (Vec<Bounded>, Expected) {
    let values = fixed_point(&call.buffers[binding][..2 * n]);
    // Both words are rounded, and their sum.
    let of = |value: f64| Bounded { value, error: 2.0 * ROUNDING * value.abs() + FLUSH };
    let cleared = Expected { binding, start: 0, values: ExpectedValues::Bits(vec![0; 2 * n]) };
    (values.into_iter().map(of).collect(), cleared)
}

/// A grid with a dense level or two and hashed ones.
fn grid(n_levels: usize, features_per_level: usize, interpolation: Interpolation) -> HashGrid {
    HashGrid::new(GridSpec {
        n_levels,
        features_per_level,
        log2_table: Some(7),
        base_resolution: 5,
        growth: 1.9,
        interpolation,
    })
}

/// `n` positions, some outside the unit square, the first few at its corners and on borders of cells.
fn positions(n: usize) -> Vec<u32> {
    let mut coords = uniform(2, 2 * n, 1.1);
    let special = [0.0, 0.0, 1.0, 1.0, 0.1, 0.3, 0.5, 0.5, 0.0, 1.0_f32];
    for word in coords[..2 * n].iter_mut() {
        *word = f32::from_bits(*word).abs().to_bits();
    }
    coords[..2 * n].iter_mut().zip(special).for_each(|(word, c)| *word = c.to_bits());
    coords
}

fn shapes() -> [(usize, HashGrid, u32); 5] {
    use Interpolation::{Linear, Smoothstep};
    [
        (1, grid(1, 1, Linear), 65_535),
        (257, grid(3, 2, Linear), 65_535),
        (101, grid(5, 2, Smoothstep), 65_535),
        (63, grid(2, 4, Linear), 65_535),
        (1009, grid(4, 8, Smoothstep), 3),
    ]
}

fn label(n: usize, grid: &HashGrid) -> String {
    let (levels, features) = (grid.levels.len(), grid.features_per_level);
    format!("{n} x {levels} levels of {features}, {:?}", grid.interpolation).to_lowercase()
}

/// The test shapes with the buffers that follow the levels.
fn shaped(gradient_unit: f32, buffers: impl Fn(usize, &HashGrid) -> [Vec<u32>; 3]) -> Vec<Case> {
    let one = |(n, grid, max_groups): (usize, HashGrid, u32)| {
        let (params, groups) = super::params(&grid, n, gradient_unit, max_groups);
        let all = [level_words(&grid)].into_iter().chain(buffers(n, &grid)).collect();
        case(label(n, &grid), params, all, groups.size())
    };
    shapes().into_iter().map(one).collect()
}

pub(super) fn encode_cases(_: &Kernel) -> Vec<Case> {
    shaped(1.0, |n, grid| [uniform(1, grid.n_params(), 1.0), positions(n), poison(n * grid.output_width())])
}

/// Sums of earlier parts, of either sign: low words that soon overflow into small high ones.
pub(in crate::backend::gpu::ops) fn example_sums(n: usize) -> Vec<u32> {
    let mut sums = words(4, 2 * n);
    sums.chunks_exact_mut(2).for_each(|w| w[1] = ((w[1] as i32) >> 24) as u32);
    sums.extend(poison(0));
    sums
}

pub(super) fn backward_cases(_: &Kernel) -> Vec<Case> {
    shaped(0.25, |n, grid| {
        [positions(n), uniform(3, n * grid.output_width(), 4e-3), example_sums(grid.n_params())]
    })
}

pub(super) fn backward_float_cases(_: &Kernel) -> Vec<Case> {
    // The last are gradients of earlier parts.
    shaped(1.0, |n, grid| {
        [positions(n), uniform(3, n * grid.output_width(), 1e-3), uniform(4, grid.n_params(), 1e-2)]
    })
}

pub(super) fn clear_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, max_groups: u32| {
        let groups = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = ClearGradientsParams { grid_width: groups.width, n_values: n as u32 };
        case(format!("{n} values"), params, vec![poison(n)], groups.size())
    };
    vec![one(1, 65_535), one(257, 65_535), one(1021, 2)]
}

/// `n` sums of all magnitudes from 2^(11 - shift) down to one unit, of either sign.
pub(crate) fn entry_sums(n: usize, shift: u32) -> Vec<u32> {
    let mut sums = words(1, 2 * n);
    for (i, pair) in sums.chunks_exact_mut(2).enumerate() {
        let value = (u64::from(pair[1]) << 32 | u64::from(pair[0])) as i64 >> (shift + i as u32 % 40);
        (pair[0], pair[1]) = (value as u32, (value as u64 >> 32) as u32);
    }
    sums.extend(poison(0));
    sums
}

pub(super) fn gradients_cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, shift: u32, max_groups: u32| {
        let groups = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = GridGradientsParams { grid_width: groups.width, n_values: n as u32 };
        case(format!("{n} sums"), params, vec![entry_sums(n, shift), poison(n)], groups.size())
    };
    vec![one(1, 0, 65_535), one(257, 10, 65_535), one(1021, 23, 2)]
}
