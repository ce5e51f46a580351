//! The interface of both backends.
//!
//! Everything that may wait for a device is a future. Those of the CPU, and of a GPU outside a browser, are ready at
//! once; [`block_on`](crate::block_on) waits for one. Implementations of the traits need `#[async_trait(?Send)]` of the
//! `async-trait` crate: these futures stay on one thread.

pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
mod memory;
mod networks;
#[cfg_attr(not(feature = "gpu"), path = "no_gpu.rs")]
mod on_gpu;
mod open_predictor;
mod select;
pub mod tuned;

pub use crate::job::{BackendChoice, DeviceOptions, DeviceRequest, Job, JobOptions, NetworkJob, Precision};
pub use memory::free_memory;
pub use networks::NetworkTrainer;
pub use on_gpu::has_hardware_gpu;
pub use open_predictor::{OpenedPredictor, open_predictor};
pub use select::{Opened, open, open_as};
pub use tuned::TunedConfig;

use crate::model::{Raster, Step, TrainingState};
use async_trait::async_trait;

/// Computes colours from the current weights. Fails when the device does.
#[async_trait(?Send)]
pub trait Predict {
    /// Writes the colours of the pixels of `raster` from number `first` on (row by row) into `out`, shape (pixels,
    /// channels): values after the output activation, not clamped.
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<()>;
}

/// Trains one job and holds its state.
///
/// Steps are enqueued in order and may run later; their losses come back in the same order.
/// Whatever returns an error does so when the device fails.
#[async_trait(?Send)]
pub trait Backend: Predict {
    /// Describes the device, for display and `run.json`.
    fn info(&self) -> &BackendInfo;

    /// Runs or schedules `steps`. May return before they are done, but waits if more than a few submissions are in
    /// flight.
    async fn enqueue(&mut self, steps: &[Step]) -> Result<()>;

    /// Losses of the steps finished since the last call, in order; does not wait. Each is the mean over the step's
    /// samples and channels, before its update.
    fn take_losses(&mut self) -> Result<Vec<f64>>;

    /// Waits until every enqueued step is done.
    async fn finish(&mut self) -> Result<()>;

    /// Copies the training state to the host. Waits for enqueued steps.
    async fn state(&mut self) -> Result<TrainingState>;

    /// Whether the device sums the errors of the job's picture itself: see [`Backend::errors`].
    fn sums_errors(&self) -> bool {
        false
    }

    /// The errors of each channel over the job's picture; `about` is subtracted from values before they are summed.
    ///
    /// # Errors
    /// When the device fails, or does not sum errors. [`Backend::sums_errors`] is false after it has failed to.
    async fn errors(&mut self, about: [f32; 4]) -> Result<Vec<ChannelErrors>> {
        let _ = about;
        Err(BackendError::Unsupported(format!("{} sums no errors", self.info().device)))
    }

    /// Replaces the training state.
    ///
    /// # Errors
    /// When the device fails or the state does not fit the job.
    async fn set_state(&mut self, state: &TrainingState) -> Result<()>;
}

/// A channel of the network's picture: sums over its pixels, with values clamped to black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelErrors {
    /// Squared errors of the training split.
    pub train: f64,
    /// Squared errors of the test split.
    pub test: f64,
    /// The training split's values, less a constant.
    pub values: f64,
    /// The squares of those.
    pub squares: f64,
}

/// The device of a backend and what was chosen on it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct BackendInfo {
    /// `cpu` or `gpu`.
    pub backend: String,
    /// The adapter's or processor's name.
    pub device: String,
    /// Graphics API, empty for the CPU.
    pub api: String,
    /// Driver name and version, empty for the CPU.
    pub driver: String,
    /// Worker threads of the CPU backend.
    pub threads: usize,
    /// Kernels or code paths used.
    pub kernels: Vec<String>,
    /// Samples computed at a time; a larger batch is split into parts of this size.
    pub chunk_size: u32,
    /// Whether the picture stays on the host and the samples of each step are sent to the GPU.
    pub streams_picture: bool,
    /// How a GPU trains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<TunedConfig>,
    /// Seconds a GPU has spent compiling kernels so far.
    pub pipeline_seconds: f64,
    /// Memory for the job: weights, moments, gradients, work space and the picture. 0 if nothing is trained.
    pub bytes: u64,
}

/// Why a backend failed.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No adapter matches the request.
    #[error("{0}")]
    NoAdapter(String),
    /// The job is too large for the device.
    #[error("{0}")]
    DoesNotFit(String),
    /// The device lacks a required feature.
    #[error("{0}")]
    Unsupported(String),
    /// The device was lost or failed; reopening it may help.
    #[error("the GPU stopped answering ({0}); try again, with a smaller --batch, or with --backend cpu")]
    DeviceLost(String),
    /// wgpu reported an error: a bug in this program or in the driver.
    #[error(
        "the GPU driver refused an operation ({0}); `afterimage verify` shows which kernels work on this device"
    )]
    Device(String),
    /// The driver does not compile a kernel.
    #[error(
        "the driver of {device} does not compile the kernel {kernel} ({reason}); update it, or use --backend cpu"
    )]
    NotCompiled {
        /// The kernel.
        kernel: String,
        /// The adapter.
        device: String,
        /// The driver's message.
        reason: String,
    },
    /// A kernel failed its self-test.
    #[error(
        "the kernel {kernel} computes wrong results on {device} ({place}); update its driver, or use --backend cpu; `afterimage verify` shows details"
    )]
    WrongResults {
        /// The kernel.
        kernel: String,
        /// The adapter.
        device: String,
        /// The worst value.
        place: String,
    },
    /// The state's shape does not match the job's.
    #[error("the training state does not fit the network: {0}")]
    StateMismatch(String),
}

/// What may fail because of a device.
pub type Result<T, E = BackendError> = std::result::Result<T, E>;
