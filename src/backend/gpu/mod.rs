//! The GPU backend: WGSL kernels through wgpu.
//!
//! Each folder depends only on those before it:
//!
//! | folder | contents |
//! |---|---|
//! | [`device`] | adapters, limits, memory budgets, waiting, the disk cache |
//! | [`kernel`] | where WGSL meets Rust: parts, bindings, parameters, comparison of results |
//! | [`plan`] | dispatches and buffers as data |
//! | [`ops`] | one file per operation, the table of all kernels, sizing buffers, recording plans |
//! | [`execute`] | training and prediction: buffers and pipelines, submissions, streaming, read-back |
//! | [`prove`] | kernels, and whole plans dispatch by dispatch, compared with the CPU in f64 |
//! | [`tune`] | the fastest kernels on a device, and profiles |
//! | [`fallback`] | what is used instead of a kernel that a driver does not compile |
//!
//! The hidden ones are public for the tests and `afterimage verify` alone.

pub mod device;
pub mod execute;
#[doc(hidden)]
pub mod fallback;
#[doc(hidden)]
pub mod kernel;
#[doc(hidden)]
pub mod ops;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod prove;
pub mod tune;

pub use device::{AdapterChoice, Budget, DeviceOptions, Gpu, Override};
pub use execute::{GpuBackend, GpuNetworks, GpuPredictor};
pub use kernel::{KernelConfig, Precision, TunedConfig};
