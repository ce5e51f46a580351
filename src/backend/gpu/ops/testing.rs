//! Inputs for verification cases.

use crate::backend::gpu::kernel::{Case, POISON, StepParams};
use crate::backend::gpu::plan::Dispatch;
use bytemuck::{Pod, Zeroable};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words of an output before the dispatch, with a few beyond its end that must not change.
pub(crate) fn poison(n: usize) -> Vec<u32> {
    vec![POISON; n + 3]
}

/// `n` floats on [-scale, scale], then poison.
pub(crate) fn uniform(seed: u64, n: usize, scale: f32) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut words: Vec<u32> = (0..n).map(|_| (rng.random_range(-1.0_f32..1.0) * scale).to_bits()).collect();
    words.extend([POISON; 3]);
    words
}

/// The same on [0, scale].
pub(crate) fn positive(seed: u64, n: usize, scale: f32) -> Vec<u32> {
    uniform(seed, n, scale).into_iter().map(|word| word & 0x7fff_ffff).collect()
}

/// `n` random words.
pub(crate) fn words(seed: u64, n: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random()).collect()
}

/// A case of a recorded dispatch without per-step parameters.
pub(crate) fn case_of(label: String, dispatch: Dispatch, buffers: Vec<Vec<u32>>) -> Case {
    let Dispatch { params, grid, .. } = dispatch;
    Case { label, params, step: StepParams::zeroed(), buffers, grid, networks: 1 }
}

/// The same without a dispatch.
pub(crate) fn case<P: Pod>(label: String, params: P, buffers: Vec<Vec<u32>>, grid: [u32; 2]) -> Case {
    let params = bytemuck::bytes_of(&params).to_vec();
    Case { label, params, step: StepParams::zeroed(), buffers, grid, networks: 1 }
}
