//! Which networks are fused: by environment, measurement, or else by counting bytes from the job and the device's
//! limits.

use super::blocking::{self, Blocking};
use super::definitions;
use crate::backend::gpu::device::{Budget, Override};
use crate::backend::gpu::kernel::{FusedBlock, KernelConfig, Storage};
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
    config: &KernelConfig,
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
    let blocks: Vec<FusedBlock> = match config.fused_block.filter(|_| is_step) {
        Some(measured) => vec![measured],
        None => blocking::unmeasured_blocks(n_samples.unwrap_or(usize::MAX)).collect(),
    };
    let blocking = match (config.fused_tiling, config.storage) {
        (None, storage) => Blocking::first_fitting((network, storage), blocks, budget)?,
        (Some(tiling), Storage::F16) => Blocking::first_with_matrices((network, tiling), blocks, budget)?,
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
    choose(model, Some(n_samples), (budget, mode), config)
}

/// The same fused step with each other block that is possible.
pub(crate) fn with_other_blocks(
    model: &Model,
    n_samples: usize,
    budget: &Budget,
    config: &KernelConfig,
) -> Vec<KernelConfig> {
    let of = |config: &KernelConfig| of_step(model, n_samples, budget, config);
    let mut known: Vec<Blocking> = of(config).into_iter().collect();
    let with = |block| KernelConfig { fused_block: Some(block), ..config.clone() };
    let is_new = |config: &KernelConfig| match of(config) {
        Some(blocking) if !known.contains(&blocking) => {
            known.push(blocking);
            true
        }
        _ => false,
    };
    blocking::all_blocks(n_samples).map(with).filter(is_new).collect()
}

/// The sizes of fused predictions, if they are fused: the same in training and afterwards.
pub(crate) fn of_prediction(model: &Model, budget: &Budget) -> Option<Blocking> {
    let choose = || choose(model, None, (budget, budget.fused), &KernelConfig::prediction());
    budget.fused_predictions.then(choose).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::gpu::kernel::MatmulTiling;
    use crate::model::Encoding;

    fn network(input_width: usize, hidden_width: usize, n_hidden: usize) -> Mlp {
        Mlp::new([input_width, hidden_width, 3], n_hidden + 1, [Activation::Relu, Activation::Sigmoid])
    }

    fn with_workgroup_bytes(bytes: u32) -> Budget {
        Budget { workgroup_bytes: bytes, ..Budget::of(&wgpu::Limits::default()) }
    }

    #[test]
    fn counts_are_those_of_the_documentation() {
        let (grid, fourier) = (network(32, 64, 2), network(512, 128, 4));
        let by_layers = (moved_by_layers(&grid, true, true), moved_by_layers(&fourier, false, true));
        assert_eq!(by_layers, (1111, 5013));
        assert_eq!((moved_fused(&grid, 64, true), moved_fused(&fourier, 16, true)), (209, 14_455));
        let budget = with_workgroup_bytes(48 << 10);
        let blocks = || blocking::unmeasured_blocks(1 << 18);
        let fitting = |network| Blocking::first_fitting((network, Storage::F32), blocks(), &budget);
        let sizes = |network| fitting(network).map(|blocking| (blocking.block, blocking.bytes()));
        assert_eq!(sizes(&grid), Some((64, 47_872)));
        assert_eq!(sizes(&fourier).map(|(block, _)| block), Some(16));
    }

    #[test]
    fn matrices_are_used_where_their_memory_and_threads_are_there() {
        let budget = Budget { subgroup_size: Some(32), ..with_workgroup_bytes(48 << 10) };
        let sizes = |network: &Mlp, tiling, budget: &Budget| {
            let blocking = Blocking::first_with_matrices(
                (network, tiling),
                blocking::unmeasured_blocks(1 << 18),
                budget,
            );
            blocking.map(|blocking| (blocking.block, blocking.group, blocking.bytes()))
        };
        let (grid, fourier) = (network(32, 64, 2), network(512, 128, 4));
        // 176 rows of 144 bytes, weights, biases, results, sums of biases, positions.
        let bytes = 176 * 144 + 2 * 64 * 72 + 4 * 64 + 4 * 128 * 20 + 4 * 144 + 1536;
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

    #[test]
    fn other_blocks_are_all_that_fit() {
        let encoding = Encoding::Fourier { frequencies: vec![[1.0, 2.0]; 16] };
        let model = Model { encoding, network: network(32, 64, 2) };
        let blocks_of = |n_samples, budget: &Budget, config: &KernelConfig| {
            let others = with_other_blocks(&model, n_samples, budget, config);
            let sizes = |config: KernelConfig| config.fused_block.map(|b| (b.samples, b.threads));
            others.into_iter().filter_map(sizes).collect::<Vec<_>>()
        };
        let blocks = |budget: &Budget, config: &KernelConfig| blocks_of(1 << 18, budget, config);
        let config = KernelConfig { fused: Some(true), ..KernelConfig::default() };
        let budget = Budget { max_threads: 1024, ..with_workgroup_bytes(100 << 10) };
        // 128 samples and 256 threads are what is taken unmeasured; smaller blocks have no use for more threads.
        assert_eq!(blocks(&budget, &config), [(128, 512), (64, 256), (32, 256), (16, 256)]);
        let small = Budget { workgroup_bytes: 48 << 10, ..budget };
        assert_eq!(blocks(&small, &config), [(32, 256), (16, 256)]);
        let in_f16 = KernelConfig { storage: Storage::F16, ..config.clone() };
        assert_eq!(blocks(&small, &in_f16), [(128, 512), (64, 256), (32, 256), (16, 256)]);
        // Blocks of 16 are what is taken unmeasured for so few samples; 128 would be half empty.
        assert_eq!(blocks_of(64, &budget, &config), [(64, 256), (32, 256)]);
        // What a file says of another device.
        let unknown = FusedBlock { samples: 48, threads: usize::MAX };
        let of_file = KernelConfig { fused_block: Some(unknown), ..config };
        assert_eq!(of_step(&model, 1 << 18, &budget, &of_file), None);
    }
}
