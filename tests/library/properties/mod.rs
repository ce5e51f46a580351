//! What must hold for any size, seed, shape and value.

mod files;
#[cfg(feature = "gpu")]
mod planner;
mod shuffle;

use proptest::prelude::ProptestConfig;

fn cases(n: u32) -> ProptestConfig {
    // What failed is printed; it belongs into a test of its own, not into a file of seeds.
    ProptestConfig { cases: n, failure_persistence: None, ..ProptestConfig::default() }
}
