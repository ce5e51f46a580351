//! How a batch is cut up: into chunks that stay in the cache, and lanes whose gradients are added up apart.

/// Samples computed at a time. Large enough that reading the weights and adding to their gradients is a small
/// part of the work, small enough that a chunk's activations stay in the cache.
pub const CHUNK_SIZE: usize = 256;

/// Samples a lane is worth opening for.
const LANE_SIZE: usize = 512;

/// Gradient sums kept apart within a step. Fixed by the batch alone, so that the order of
/// additions does not depend on the number of threads.
pub(super) fn n_lanes(n_samples: usize) -> usize {
    n_samples.div_ceil(LANE_SIZE).clamp(1, 64)
}
