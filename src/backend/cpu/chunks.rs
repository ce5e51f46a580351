//! How a batch is split into chunks that stay in the cache, and lanes with separate gradient sums.

/// Samples computed at a time. Large enough that reading the weights and adding to their gradients is a small part of
/// the work, small enough that a chunk's activations stay in the cache.
pub const CHUNK_SIZE: usize = 256;

/// Minimum number of samples per lane.
const LANE_SIZE: usize = 512;

/// Separate gradient sums within a step. Depends only on the batch, so that the order of additions does not depend on
/// the number of threads.
pub(super) fn n_lanes(n_samples: usize) -> usize {
    n_samples.div_ceil(LANE_SIZE).clamp(1, 64)
}
