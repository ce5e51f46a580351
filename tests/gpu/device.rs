//! Opening a device for a test.

use afterimage::backend::BackendError;
use afterimage::backend::gpu::{AdapterChoice, DeviceOptions, Gpu};
use std::sync::Arc;

/// The best adapter, or `None` where there is no driver: loudly for a person, a failure in CI.
pub(crate) fn open(checked_shaders: bool) -> Option<Arc<Gpu>> {
    open_with(DeviceOptions { checked_shaders, ..Default::default() })
}

pub(crate) fn open_with(options: DeviceOptions) -> Option<Arc<Gpu>> {
    match Gpu::open(&AdapterChoice::Any, options) {
        Ok(gpu) => Some(gpu),
        Err(BackendError::NoAdapter(reason)) => {
            assert!(std::env::var_os("CI").is_none(), "no GPU driver in CI: {reason}");
            eprintln!("\n*** SKIPPED: {reason}. Install a Vulkan driver to run this test. ***\n");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
