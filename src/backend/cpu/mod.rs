//! The CPU backend and, in f64, the reference for everything the GPU computes.
//!
//! The operations are plain functions over slices, generic over [`crate::model::Real`].

pub mod activate;
mod chunks;
pub mod dense;
mod derivative;
pub mod encode;
pub mod grid;
mod lane;
pub mod loss;
pub mod memory;
pub mod muon;
mod network;
pub mod optimizer;
mod packed;
pub mod panels;
mod predictor;
pub mod product;
pub mod sample;
pub(crate) mod simd;
mod single;
mod trainer;
mod update;

pub use chunks::CHUNK_SIZE;
pub use derivative::CpuDerivative;
pub use predictor::CpuPredictor;
pub use predictor::thread_pool;
pub use simd::SimdReal;
pub use trainer::CpuTrainer;
