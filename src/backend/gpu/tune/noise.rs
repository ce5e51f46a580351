//! Random operands for timing: a GPU that multiplies zeros draws less power, and so runs faster than in training.

use crate::backend::Result;
use crate::backend::gpu::device::{Gpu, new_buffer};
use crate::backend::gpu::execute::readback::write_words;
use crate::backend::gpu::execute::resources::Resources;
use crate::backend::gpu::kernel::{Storage, halves};
use crate::backend::gpu::ops::testing::uniform;
use crate::backend::gpu::plan::BufferId;

/// Numbers that are repeated.
const LENGTH: usize = 1 << 16;

/// `LENGTH` numbers on [-1, 1] as stored.
fn words(storage: Storage) -> Vec<u32> {
    let mut floats = uniform(1, LENGTH, 1.0);
    floats.truncate(LENGTH);
    match storage {
        Storage::F32 => floats,
        Storage::F16 => halves::pack(&floats),
    }
}

/// Fills whole buffers with noise, each in its storage.
pub(super) async fn fill(
    gpu: &Gpu,
    resources: &Resources,
    buffers: impl IntoIterator<Item = (BufferId, Storage)>,
) -> Result<()> {
    for (id, storage) in buffers {
        let words = words(storage);
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let size = 4 * words.len() as u64;
        let noise = gpu.scoped(|device| new_buffer(device, "noise", size, usage)).await?;
        write_words(gpu, &noise, 0, &words).await?;
        let buffer = resources.buffer(id);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for first in (0..buffer.size()).step_by(size as usize) {
            let length = size.min(buffer.size() - first);
            encoder.copy_buffer_to_buffer(&noise, 0, buffer, first, Some(length));
        }
        gpu.wait(gpu.submit(Some(encoder.finish()), None)).await?;
    }
    Ok(())
}
