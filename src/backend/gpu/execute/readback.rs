//! Copies from the device to the host.

use crate::backend::BackendError;
use crate::backend::gpu::device::Gpu;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A buffer the host can map, and how far its mapping is.
#[derive(Debug)]
pub struct Staging {
    /// The buffer, to copy into.
    pub buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
}

const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Staging {
    /// Makes a staging buffer.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(gpu: &Gpu, size_bytes: u64) -> Result<Self, BackendError> {
        let buffer = gpu.scoped(|device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: size_bytes.max(4),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Self { buffer, state: Arc::new(AtomicU8::new(PENDING)) })
    }

    /// Asks for the first `size_bytes` to be mapped once what was submitted is done.
    pub fn request(&self, size_bytes: u64) {
        self.state.store(PENDING, Ordering::Release);
        let state = Arc::clone(&self.state);
        self.buffer.map_async(wgpu::MapMode::Read, 0..size_bytes, move |result| {
            state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
    }

    /// Whether the mapping has succeeded or failed.
    pub fn is_ready(&self) -> bool {
        self.state.load(Ordering::Acquire) != PENDING
    }

    /// Reads the first `size_bytes` after a request that is ready, and unmaps.
    ///
    /// # Errors
    /// When the device was lost.
    pub fn read<T>(&self, size_bytes: u64, read: impl FnOnce(&[u8]) -> T) -> Result<T, BackendError> {
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

/// Largest piece copied at a time.
const PIECE_BYTES: u64 = 16 << 20;

/// Copies the first `n_words` words of each buffer to the host and waits for them.
///
/// # Errors
/// When the device fails.
pub fn read_buffers(gpu: &Gpu, buffers: &[(&wgpu::Buffer, u64)]) -> Result<Vec<Vec<u32>>, BackendError> {
    let largest = buffers.iter().map(|(_, n)| 4 * n).max().unwrap_or(0);
    let staging = Staging::new(gpu, largest.min(PIECE_BYTES))?;
    let mut all = Vec::with_capacity(buffers.len());
    for &(buffer, n_words) in buffers {
        let mut words: Vec<u32> = Vec::with_capacity(n_words as usize);
        while (words.len() as u64) < n_words {
            let first = 4 * words.len() as u64;
            let size = (4 * n_words - first).min(PIECE_BYTES);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(buffer, first, &staging.buffer, 0, Some(size));
            let submission = gpu.queue.submit([encoder.finish()]);
            staging.request(size);
            gpu.wait(Some(submission))?;
            staging.read(size, |bytes| words.extend_from_slice(bytemuck::cast_slice(bytes)))?;
        }
        all.push(words);
    }
    Ok(all)
}

/// Copies `words` into `buffer` in pieces, so that the copies waiting for a submission stay small.
///
/// # Errors
/// When the device fails.
pub fn write_words(gpu: &Gpu, buffer: &wgpu::Buffer, first: u64, words: &[u32]) -> Result<(), BackendError> {
    let per_piece = (PIECE_BYTES / 4) as usize;
    for (piece, words) in words.chunks(per_piece).enumerate() {
        let offset = 4 * (first + (piece * per_piece) as u64);
        gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(words));
        if words.len() == per_piece {
            let submission = gpu.queue.submit([]);
            gpu.wait(Some(submission))?;
        }
    }
    gpu.check()
}
