//! Buffers for reading results back to the host.

use super::{Gpu, new_buffer};
use crate::backend::{BackendError, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A buffer the host can map, and the state of its mapping.
#[derive(Debug)]
pub(crate) struct Staging {
    pub buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
}

const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Staging {
    pub(crate) async fn new(gpu: &Gpu, size_bytes: u64) -> Result<Self> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.scoped(|device| new_buffer(device, "staging", size_bytes.max(4), usage)).await?;
        Ok(Self { buffer, state: Arc::new(AtomicU8::new(PENDING)) })
    }

    /// Requests mapping of the first `size_bytes` once the submitted work is done.
    pub(super) fn request(&self, size_bytes: u64) {
        self.state.store(PENDING, Ordering::Release);
        let state = Arc::clone(&self.state);
        self.buffer.map_async(wgpu::MapMode::Read, 0..size_bytes, move |result| {
            state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
    }

    /// Whether the mapping has succeeded or failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.state.load(Ordering::Acquire) != PENDING
    }

    /// Reads the first `size_bytes` after the submission that filled them, and unmaps.
    pub(crate) fn read<T>(&self, size_bytes: u64, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        if self.state.load(Ordering::Acquire) != MAPPED {
            return Err(BackendError::DeviceLost("a result could not be read back".to_owned()));
        }
        let value = {
            let view = self
                .buffer
                .get_mapped_range(0..size_bytes)
                .map_err(|e| BackendError::DeviceLost(e.to_string()))?;
            read(&view)
        };
        self.buffer.unmap();
        Ok(value)
    }
}
