//! Seconds of what is recorded, without those of submitting it.

use crate::backend::BackendError;
use crate::backend::gpu::device::Gpu;
use std::time::{Duration, Instant};

const MAX_REPEATS: usize = 512;

/// Seconds of what `record` records once: of the fastest of the submissions that begin within `seconds`, at
/// least three, each with as many repeats as take `long_enough`.
pub(super) fn fastest(
    gpu: &Gpu,
    (long_enough, seconds): (Duration, f64),
    record: impl Fn(&mut wgpu::CommandEncoder, usize),
) -> Result<f64, BackendError> {
    let run = |n: usize| -> Result<Duration, BackendError> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder, n);
        let call = Instant::now();
        let submission = gpu.queue.submit([encoder.finish()]);
        gpu.wait(Some(submission))?;
        Ok(call.elapsed())
    };
    let mut repeats = 1;
    while run(repeats)? < long_enough && repeats < MAX_REPEATS {
        repeats *= 2;
    }
    let (start, mut best, mut n) = (Instant::now(), f64::INFINITY, 0);
    while n < 3 || start.elapsed().as_secs_f64() < seconds {
        best = best.min(run(repeats)?.as_secs_f64() / repeats as f64);
        n += 1;
    }
    Ok(best)
}
