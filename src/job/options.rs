//! Device options beside the job itself. Nothing touches files or the environment unless requested.

#[cfg(feature = "faults")]
use super::Faults;
use crate::clock::Clock;
use std::path::PathBuf;
use std::time::Duration;

/// How devices are opened and used. By default no file is read or written, and no environment variable is read; the
/// program uses [`DeviceOptions::from_env`].
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Compile bounds checks into the kernels. Slower; for verification.
    pub checked_shaders: bool,
    /// Request only the limits that WebGPU guarantees. For tests.
    pub default_limits: bool,
    /// Folder that caches compiled kernels and measurements between runs. It need not exist.
    pub cache: Option<PathBuf>,
    /// Bytes of this machine's memory that a job may take; if not given, nine tenths of what is free.
    pub max_memory: Option<u64>,
    /// How long to wait before the device counts as lost; two minutes if not given.
    pub device_timeout: Option<Duration>,
    /// Times the device's work.
    pub clock: Clock,
    /// When networks are fused.
    pub fused: Override,
    /// When configurations are timed.
    pub tune: Override,
    /// The adapter for requests that name none, by number or by a part of its name.
    pub adapter: Option<String>,
    /// Whether integrated GPUs are preferred over discrete ones.
    pub low_power: bool,
    /// Whether wgpu reads its own variables, `WGPU_BACKEND` among them.
    pub wgpu_variables: bool,
    /// Faults to inject.
    #[cfg(feature = "faults")]
    pub faults: Faults,
}

/// Leaves a choice open, forces it or rules it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Override {
    /// Decided by rules or measurements.
    #[default]
    Auto,
    /// Whenever possible.
    Always,
    /// Never.
    Never,
}
