//! Which networks are fused: by environment, measurement, or else by counting bytes from the job and the device's
//! limits.

use super::blocking::Blocking;
use super::definitions;
use crate::backend::gpu::device::{Budget, Override};
use crate::backend::gpu::kernel::{KernelConfig, MatmulTiling, Storage};
use crate::model::{Activation, Mlp, Model};

/// Numbers per sample that layer-by-layer kernels move through device memory, in a step or a prediction. Each kernel
/// reads its operands and writes its results once; weights stay in the cache. docs/BENCHMARKS.md has the sum.
fn moved_by_layers(network: &Mlp, is_trained: bool, is_step: bool) -> usize {
    let (features, channels) = (network.input_width, network.output_width);
    let layers = || network.layers().map(|layer| (layer.input_width, layer.output_width));
    let encoding = 2 + features;
    let forward: usize = layers().map(|(i, o)| i + o).sum();
    if !is_step {
        return encoding + forward + 2 * channels;
    }
    let loss = 3 * channels + 1;
    let to_weights = forward;
    let to_inputs: usize = layers().skip(usize::from(!is_trained)).map(|(i, o)| 2 * i + o).sum();
    let to_encoding = if is_trained { features + 2 } else { 0 };
    encoding + forward + loss + to_weights + to_inputs + to_encoding
}

/// The same for a fused kernel, where each block writes and reads its partial gradients once.
fn moved_fused(network: &Mlp, block: usize, is_step: bool) -> usize {
    let channels = network.output_width;
    if is_step { 3 + channels + (2 * network.n_params()).div_ceil(block) } else { 2 + channels }
}

/// Whether a network is fused, for a step of `n_samples` or for predictions. Nothing else decides this.
fn choose(
    model: &Model,
    n_samples: Option<usize>,
    (budget, mode): (&Budget, Override),
    (storage, tiling): (Storage, Option<MatmulTiling>),
) -> Option<Blocking> {
    let network = &model.network;
    definitions(&model.encoding)?;
    let has_outputs = network.output_width <= 4
        && matches!(network.output_activation, Activation::Identity | Activation::Sigmoid);
    let is_step = n_samples.is_some();
    let has_partials = !is_step || 4 * network.n_params() as u64 <= budget.partials_bytes();
    if mode == Override::Never || !has_outputs || !has_partials {
        return None;
    }
    let (bytes, threads) = (budget.workgroup_bytes as usize, budget.max_threads as usize);
    let n_samples = n_samples.unwrap_or(usize::MAX);
    let blocking = match (tiling, storage) {
        (None, _) => Blocking::largest_fitting((network, storage), n_samples, bytes, threads)?,
        (Some(tiling), Storage::F16) => {
            Blocking::largest_with_matrices((network, tiling), n_samples, budget)?
        }
        (Some(_), Storage::F32) => return None,
    };
    let pays = moved_fused(network, blocking.block, is_step)
        < moved_by_layers(network, model.encoding.n_params() > 0, is_step);
    (mode == Override::Always || pays).then_some(blocking)
}

/// The sizes of a fused step of `n_samples`, if it is fused.
pub(crate) fn of_step(
    model: &Model,
    n_samples: usize,
    budget: &Budget,
    config: &KernelConfig,
) -> Option<Blocking> {
    let mode = match (budget.fused, config.fused) {
        (Override::Auto, Some(true)) => Override::Always,
        (Override::Auto, Some(false)) => Override::Never,
        (mode, _) => mode,
    };
    choose(model, Some(n_samples), (budget, mode), (config.storage, config.fused_tiling))
}

/// The sizes of fused predictions, if they are fused: the same in training and afterwards.
pub(crate) fn of_prediction(model: &Model, budget: &Budget) -> Option<Blocking> {
    let choose = || choose(model, None, (budget, budget.fused), (Storage::F32, None));
    budget.fused_predictions.then(choose).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(input_width: usize, hidden_width: usize, n_hidden: usize) -> Mlp {
        Mlp::new([input_width, hidden_width, 3], n_hidden + 1, [Activation::Relu, Activation::Sigmoid])
    }

    #[test]
    fn counts_are_those_of_the_documentation() {
        let (grid, fourier) = (network(32, 64, 2), network(512, 128, 4));
        let by_layers = (moved_by_layers(&grid, true, true), moved_by_layers(&fourier, false, true));
        assert_eq!(by_layers, (1111, 5013));
        assert_eq!((moved_fused(&grid, 64, true), moved_fused(&fourier, 16, true)), (209, 14_455));
        let fitting = |network| Blocking::largest_fitting((network, Storage::F32), 1 << 18, 48 << 10, 256);
        let sizes = |network| fitting(network).map(|blocking| (blocking.block, blocking.bytes()));
        assert_eq!(sizes(&grid), Some((64, 47_360)));
        assert_eq!(sizes(&fourier).map(|(block, _)| block), Some(16));
    }

    #[test]
    fn matrices_are_used_where_their_memory_and_threads_are_there() {
        let limits = wgpu::Limits { max_compute_workgroup_storage_size: 48 << 10, ..Default::default() };
        let budget = Budget { subgroup_size: Some(32), ..Budget::of(&limits) };
        let sizes = |network: &Mlp, tiling, budget: &Budget| {
            let blocking = Blocking::largest_with_matrices((network, tiling), 1 << 18, budget);
            blocking.map(|blocking| (blocking.block, blocking.group, blocking.bytes()))
        };
        let (grid, fourier) = (network(32, 64, 2), network(512, 128, 4));
        // 176 rows of 144 bytes, weights, biases, results, sums of biases, positions.
        let bytes = 176 * 144 + 2 * 64 * 72 + 4 * 64 + 4 * 128 * 20 + 4 * 144 + 1024;
        assert_eq!(sizes(&grid, MatmulTiling::Matrix16, &budget), Some((64, 8, bytes)));
        assert_eq!(
            sizes(&grid, MatmulTiling::Matrix8, &budget).map(|(block, group, _)| (block, group)),
            Some((32, 8))
        );
        assert_eq!(sizes(&fourier, MatmulTiling::Matrix16, &budget).map(|(block, ..)| block), Some(16));
        // A file may say so.
        assert_eq!(sizes(&grid, MatmulTiling::Tile64, &budget), None);
        let few_threads = Budget { max_threads: 128, ..budget };
        assert_eq!(sizes(&grid, MatmulTiling::Matrix16, &few_threads).map(|(block, ..)| block), Some(32));
        assert_eq!(sizes(&grid, MatmulTiling::Matrix16, &Budget { subgroup_size: None, ..budget }), None);
        assert_eq!(
            sizes(&grid, MatmulTiling::Matrix16, &Budget { workgroup_bytes: 16 << 10, ..budget }),
            None
        );
    }
}
