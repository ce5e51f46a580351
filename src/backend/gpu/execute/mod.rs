//! Runs plans: buffers and pipelines made once, many steps a submission, and what comes back.

pub mod executor;
pub mod predictor;
pub mod readback;
pub mod resources;
pub mod stream;
pub mod tiles;
pub(super) mod trainer;

pub use predictor::GpuPredictor;
pub use trainer::GpuBackend;
