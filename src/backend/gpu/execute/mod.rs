//! Runs plans: creates buffers and pipelines once, submits many steps at a time, reads results back.

pub mod executor;
mod networks;
pub mod predictor;
pub mod readback;
pub mod resources;
pub mod stream;
pub mod tiles;
pub(super) mod trainer;

pub use networks::GpuNetworks;
pub use predictor::GpuPredictor;
pub(crate) use tiles::{OTHER_TILES, report};
pub use trainer::GpuBackend;
