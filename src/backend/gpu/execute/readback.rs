//! Copies from the device to the host.

use crate::backend::Result;
use crate::backend::gpu::device::{Gpu, Staging};

/// Maximum bytes copied at a time.
const PIECE_BYTES: u64 = 16 << 20;

/// Copies the first `n_words` words of each buffer to the host and waits for them.
pub(crate) async fn read_buffers(gpu: &Gpu, buffers: &[(&wgpu::Buffer, u64)]) -> Result<Vec<Vec<u32>>> {
    let largest = buffers.iter().map(|(_, n)| 4 * n).max().unwrap_or(0);
    let staging = Staging::new(gpu, largest.min(PIECE_BYTES)).await?;
    let mut all = Vec::with_capacity(buffers.len());
    for &(buffer, n_words) in buffers {
        let mut words: Vec<u32> = Vec::with_capacity(n_words as usize);
        while (words.len() as u64) < n_words {
            let first = 4 * words.len() as u64;
            let size = (4 * n_words - first).min(PIECE_BYTES);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(buffer, first, &staging.buffer, 0, Some(size));
            let submission = gpu.submit(Some(encoder.finish()), Some((&staging, size)));
            gpu.wait(submission).await?;
            staging.read(size, |bytes| words.extend_from_slice(bytemuck::cast_slice(bytes)))?;
        }
        all.push(words);
    }
    Ok(all)
}

/// Copies `words` into `buffer` in chunks, so that the copies waiting for a submission stay small.
pub(crate) async fn write_words(gpu: &Gpu, buffer: &wgpu::Buffer, first: u64, words: &[u32]) -> Result<()> {
    let per_piece = (PIECE_BYTES / 4) as usize;
    for (piece, words) in words.chunks(per_piece).enumerate() {
        let offset = 4 * (first + (piece * per_piece) as u64);
        gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(words));
        if words.len() == per_piece {
            gpu.wait(gpu.submit(None, None)).await?;
        }
    }
    gpu.check()
}
