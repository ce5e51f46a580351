//! The GPU backend: WGSL kernels through wgpu.
//!
//! Each folder knows only those before it:
//!
//! | folder | what is in it |
//! |---|---|
//! | [`device`] | adapters, limits, budgets, waiting, what is kept on disk |
//! | [`kernel`] | where WGSL meets Rust: parts, bindings, parameters, how results are compared |
//! | [`plan`] | dispatches and buffers as data |
//! | [`ops`] | one file an operation, the table of all kernels; sizing buffers and recording plans over them |
//! | [`execute`] | buffers and pipelines, submissions, streaming, read-back: what trains and what predicts |
//! | [`prove`] | kernels, and whole plans dispatch by dispatch, against the CPU's f64 |
//! | [`tune`] | what a device does fastest, and where its time goes |

pub mod device;
pub mod execute;
pub mod kernel;
pub mod ops;
pub mod plan;
pub mod prove;
pub mod tune;

pub use device::{AdapterChoice, Budget, DeviceOptions, Gpu, Override};
pub use execute::{GpuBackend, GpuPredictor};
pub use kernel::{KernelConfig, Precision, TunedConfig};
