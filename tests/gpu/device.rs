//! Opening a device for a test.

use crate::skip::{Missing, skip};

use afterimage::backend::BackendError;
use afterimage::backend::gpu::{AdapterChoice, DeviceOptions, Gpu};
use pollster::FutureExt as _;
use std::sync::Arc;

/// The best adapter, or `None` where there is no driver, and the test is skipped.
pub(crate) fn open(checked_shaders: bool) -> Option<Arc<Gpu>> {
    open_with(DeviceOptions { checked_shaders, ..options() })
}

/// What the environment says, but for what is kept between runs.
pub(crate) fn options() -> DeviceOptions {
    DeviceOptions { cache: None, ..DeviceOptions::from_env().expect("variables that can be understood") }
}

pub(crate) fn open_with(options: DeviceOptions) -> Option<Arc<Gpu>> {
    match Gpu::open(&AdapterChoice::Any, options).block_on() {
        Ok(gpu) => Some(gpu),
        Err(BackendError::NoAdapter(reason)) => {
            skip(Missing::Software(&reason));
            None
        }
        Err(error) => panic!("{error}"),
    }
}
