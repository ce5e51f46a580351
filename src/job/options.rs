//! What is done on a device beside the job itself: nothing that touches files or the environment unless it is asked for.

#[cfg(feature = "faults")]
use super::Faults;
use crate::clock::Clock;
use std::path::PathBuf;
use std::time::Duration;

/// How devices are opened and used. By default no file is read or written, and no environment variable is read;
/// [`DeviceOptions::from_env`] is what the program has.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Compile bounds checks into the kernels. Slower; for verification.
    pub checked_shaders: bool,
    /// Ask only for the limits that WebGPU guarantees. For tests.
    pub default_limits: bool,
    /// Folder in which compiled kernels and what was measured are kept between runs. It need not exist.
    pub cache: Option<PathBuf>,
    /// How long to wait for an answer before the device counts as lost, two minutes if not given.
    pub device_timeout: Option<Duration>,
    /// What times a device's work.
    pub clock: Clock,
    /// When networks are fused.
    pub fused: Override,
    /// When ways to train are timed.
    pub tune: Override,
    /// The adapter where a request names none, by number or by a part of its name.
    pub adapter: Option<String>,
    /// Whether integrated GPUs go before discrete ones.
    pub low_power: bool,
    /// Whether wgpu reads its own variables, `WGPU_BACKEND` among them.
    pub wgpu_variables: bool,
    /// What goes wrong on purpose.
    #[cfg(feature = "faults")]
    pub faults: Faults,
}

/// Leaves a choice open, forces it or rules it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Override {
    /// As rules or measurements have it.
    #[default]
    Auto,
    /// Wherever it is possible.
    Always,
    /// Never.
    Never,
}
