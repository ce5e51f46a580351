//! Test cases of the fused kernels.

use super::blocking::Blocking;
use super::record::{Groups, params};
use super::{FusedParams, PARTS, WeightRows};
use crate::backend::gpu::kernel::{Case, Kernel, StepParams};
use crate::backend::gpu::ops::encode::constants;
use crate::backend::gpu::ops::grid;
use crate::backend::gpu::ops::sample::{PictureParams, example_picture, example_step};
use crate::backend::gpu::ops::testing::{case, poison, positive, uniform};
use crate::backend::gpu::plan::Workgroups;
use crate::model::encoding::{GridSpec, HashGrid, Interpolation};
use crate::model::{Coords, Encoding, Mlp, Model, Raster};
use bytemuck::Zeroable as _;

/// Samples for a block of so many; units of the encoding (frequencies, levels, or a formula's n); hidden and output
/// width; layers; maximum workgroups in total, and in one dimension of the dispatch; features at a time, and whether they
/// have separate rows.
type Trial = (fn(usize) -> usize, usize, [usize; 2], usize, [usize; 2], (usize, bool));

/// One sample, odd and prime numbers of samples, one past a block, several workgroups with several blocks; narrow and
/// wide, shallow and deep networks, some with all widths multiples of four.
const TRIALS: [Trial; 13] = [
    (|_| 1, 1, [1, 1], 2, [1, 1], (64, true)),
    (|block| block + 1, 3, [3, 3], 2, [1, 1], (64, false)),
    (|_| 1, 2, [4, 1], 2, [1, 1], (64, true)),
    (|block| block + 2, 2, [4, 1], 3, [1, 1], (64, true)),
    (|block| 5 * block - 3, 4, [17, 2], 3, [2, 65_535], (8, false)),
    (|block| 7 * block + 5, 8, [31, 4], 4, [3, 2], (64, true)),
    (|block| 4 * block + 3, 8, [32, 4], 4, [3, 2], (8, false)),
    (|block| 2 * block, 9, [64, 3], 2, [2, 65_535], (16, false)),
    (|block| 3 * block + 1, 16, [64, 3], 3, [4, 65_535], (64, false)),
    (|block| 2 * block + 1, 6, [128, 1], 2, [2, 1], (8, false)),
    (|block| block + 9, 7, [128, 3], 3, [1, 1], (8, false)),
    (|block| block + 3, 5, [128, 3], 4, [1, 1], (64, true)),
    (|block| 2 * block - 1, 23, [67, 3], 4, [2, 65_535], (24, false)),
];

type Example = fn(usize) -> Encoding;

pub(super) fn example_fourier(n_frequencies: usize) -> Encoding {
    let frequency = |i: usize| [0.7 * i as f32 - 3.0, 5.0 - 1.3 * i as f32];
    Encoding::Fourier { frequencies: (0..n_frequencies).map(frequency).collect() }
}

pub(super) fn example_grid(n_levels: usize) -> Encoding {
    let interpolation =
        if n_levels.is_multiple_of(2) { Interpolation::Linear } else { Interpolation::Smoothstep };
    // With one feature, the network may begin at an odd parameter.
    let (features_per_level, growth) = if n_levels == 4 { (1, 1.2) } else { (2, 1.4) };
    Encoding::Grid(HashGrid::new(GridSpec {
        n_levels,
        features_per_level,
        log2_table: Some(7),
        base_resolution: 5,
        growth,
        interpolation,
    }))
}

/// Positions on [-1, 1], for a grid within the unit square.
fn positions(encoding: &Encoding, n: usize) -> Vec<u32> {
    let within = if matches!(encoding, Encoding::Grid(_)) { positive } else { uniform };
    within(2, 2 * n, 1.0)
}

/// Largest weight: chosen so that an error grows at most fivefold from layer to layer, whatever its signs, or twofold
/// where weights are rounded to f16 too. Otherwise the bounds would become vacuous.
fn largest_weight(kernel: &Kernel, width: usize) -> f32 {
    let growth = if kernel.tiling.matrix_size().is_some() { 2.0 } else { 5.0 };
    let steepest = kernel.activation.param("w0").unwrap_or(1.0).max(1.0);
    2.0 * growth / (steepest * width as f32)
}

/// The parameters and inputs of both kernels, if the trial matches the kernel's sizes.
fn inputs(
    kernel: &Kernel,
    example: Example,
    (n_samples, n_units, [hidden_width, output_width], n_layers, most_groups, (slice, separate)): Trial,
) -> Option<(String, FusedParams, Vec<Vec<u32>>, Workgroups)> {
    let encoding = example(n_units);
    let network = Mlp::new(
        [encoding.output_width(), hidden_width, output_width],
        n_layers,
        [kernel.activation, kernel.output?],
    );
    let blocking = Blocking::of_kernel(kernel, &network, (slice, separate))?;
    let model = Model { encoding, network };
    if kernel.size(WeightRows::SIZE) == 1 && WeightRows::of(&model) == WeightRows::Any {
        return None;
    }
    let Model { encoding, network } = &model;
    let n = n_samples(blocking.block);
    let [most_groups, max_groups] = most_groups;
    let groups = Groups::new(n, blocking.block, most_groups);
    let grid = Workgroups::fold(groups.count, max_groups as u32);
    let largest = largest_weight(kernel, hidden_width.max(network.input_width));
    let mut weights = uniform(1, encoding.n_params(), 1.0);
    weights.truncate(encoding.n_params());
    weights.extend(uniform(6, network.n_params(), largest));
    let constants = constants(encoding).map_or_else(|| poison(0), |constants| constants.words);
    let (input_width, n_hidden) = (network.input_width, n_layers - 1);
    let label = format!("{n} samples, {input_width} -> {n_hidden} x {hidden_width} -> {output_width}");
    Some((
        label,
        params(&model, &blocking, n, groups, grid),
        vec![weights, constants, positions(&model.encoding, n)],
        grid,
    ))
}

pub(super) fn step(kernel: &Kernel, example: Example) -> Vec<Case> {
    let one = |trial: Trial| {
        let (label, p, mut buffers, grid) = inputs(kernel, example, trial)?;
        let (n, channels) = (p.n_samples as usize, p.output_width as usize);
        // The whole step has more samples than these.
        let scale = (1.0 / ((n + 7) * channels) as f64) as f32;
        let gradient_scale = kernel.storage.gradient_scale((n + 7) * channels);
        let p = FusedParams { scale, gradient_scale, channel_weights: [1.0, 0.5, 2.0, 0.1], ..p };
        let n_groups = p.n_groups as usize;
        let (mut p, mut step) = (p, StepParams::zeroed());
        if kernel.def.uses_step {
            buffers.pop();
            let (picture, parts) = example_samples(kernel, n as u32, p.output_width);
            step = example_step(picture.columns * picture.rows, 2);
            p.picture = picture;
            buffers.extend(parts);
        } else {
            buffers.extend([uniform(4, n * channels, 1.0), positive(5, n, 4.0)]);
        }
        buffers.extend([poison(n_groups * p.n_params as usize), poison(n_groups)]);
        if matches!(example(1), Encoding::Grid(_)) {
            buffers.push(grid::example_sums(p.first_weight as usize));
        }
        Some(Case { step, ..case(label, p, buffers, grid.size()) })
    };
    TRIALS.into_iter().filter_map(one).collect()
}

/// Samples of a step that begins with the third sample of an epoch, and the parts of the picture.
fn example_samples(kernel: &Kernel, n: u32, channels: u32) -> (PictureParams, Vec<Vec<u32>>) {
    let (width, first_row, parts) = (37_u32, 5, kernel.size("PICTURE_PARTS") as usize);
    let (bits, stride) = ([8, 16, 32][n as usize % 3], 1 + n % 2);
    let columns = width.div_ceil(stride);
    let rows = (2 + first_row + n + 9).div_ceil(columns);
    let size = [width, rows * stride];
    let Raster { origin, step, .. } = Raster::new(size[0], size[1], Coords::Center);
    let mut parts = example_picture(size, channels, bits, parts);
    let words_per_part = parts[0].len() as u32;
    parts.resize(PARTS, vec![0]);
    let picture = PictureParams {
        first_row,
        columns,
        rows,
        stride,
        width,
        channels,
        bits,
        words_per_part,
        origin,
        step,
    };
    (picture, parts)
}

pub(super) fn predict(kernel: &Kernel, example: Example) -> Vec<Case> {
    let one = |trial: Trial| {
        let (label, p, mut buffers, grid) = inputs(kernel, example, trial)?;
        buffers.push(poison((p.n_samples * p.output_width) as usize));
        Some(case(label, p, buffers, grid.size()))
    };
    TRIALS.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::gpu::device::Budget;
    use crate::backend::gpu::kernel::{FusedBlock, MatmulTiling, Storage};
    use crate::backend::gpu::ops::fused::{Blocking, GRID, kernel};
    use crate::model::{Activation, Loss};

    #[test]
    fn a_network_that_begins_at_an_odd_parameter_has_rows_of_any_length() {
        let rows = |n_levels: usize| {
            let encoding = example_grid(n_levels);
            let widths = [encoding.output_width(), 8, 3];
            let network = Mlp::new(widths, 3, [Activation::Relu, Activation::Identity]);
            let is_odd = encoding.n_params() % 2 == 1;
            (widths[0], is_odd, WeightRows::of(&Model { encoding, network }))
        };
        assert_eq!(
            [2, 4, 9].map(rows),
            [(4, false, WeightRows::OfFours), (4, true, WeightRows::Any), (18, false, WeightRows::Any)]
        );
        assert!(TRIALS.iter().any(|(_, n_units, ..)| *n_units == 4));
    }

    /// A run's own kernels are compared when it starts, however small it is.
    #[test]
    fn the_smallest_kernels_have_a_case() {
        let network = Mlp::new([4, 4, 1], 2, [Activation::Sine { w0: 30.0 }, Activation::Identity]);
        let formulas = [network.activation, network.output_activation];
        let limits = Budget::of(&wgpu::Limits::default());
        let budget = Budget { workgroup_bytes: 48 << 10, subgroup_size: Some(32), ..limits };
        for samples in [16, 32, 64, 128] {
            let block = FusedBlock { samples, threads: 256 };
            let plain = Blocking::first_fitting((&network, Storage::F32), [block], &budget);
            let with = |tiling| Blocking::first_with_matrices((&network, tiling), [block], &budget);
            let all = [plain, with(MatmulTiling::Matrix8), with(MatmulTiling::Matrix16)];
            for blocking in all.into_iter().flatten() {
                for rows in [WeightRows::Any, WeightRows::OfFours] {
                    let kernel = kernel(&GRID.step, Some(Loss::Mse), formulas, (&blocking, 1, rows));
                    assert!(!kernel.cases().is_empty(), "{} for blocks of {samples}", kernel.name());
                }
            }
        }
    }
}
