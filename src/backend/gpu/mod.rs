//! The GPU backend: WGSL kernels through wgpu.
//!
//! Each folder knows only those before it:
//!
//! | folder | what is in it |
//! |---|---|
//! | [`device`] | adapters, limits, budgets, what is kept on disk, faults made on purpose |
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

use crate::backend::BackendError;
use device::Faults;
use device::faults::VARIABLE;
use std::sync::LazyLock;

/// The faults that the environment variable asks for, the same at every call: one at a step happens once a process.
///
/// # Errors
/// When it cannot be understood.
pub fn faults_from_env() -> Result<Faults, BackendError> {
    static FAULTS: LazyLock<Result<Faults, String>> =
        LazyLock::new(|| Faults::parse(&std::env::var(VARIABLE).unwrap_or_default(), ops::is_kernel));
    FAULTS.clone().map_err(BackendError::UnknownFault)
}
