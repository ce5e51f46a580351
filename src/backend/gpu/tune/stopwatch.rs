//! Times recorded work without the overhead of submitting it.

use crate::backend::Result;
use crate::backend::gpu::device::Gpu;
use std::time::Duration;

const MAX_REPEATS: usize = 512;

/// Submissions, unless they take longer than a second and ten times as long as wished.
const FEWEST: usize = 3;

/// Seconds per repeat of what `record` records, in the fastest of the submissions that begin within `seconds`, each with
/// enough repeats to take `long_enough`.
pub(super) async fn fastest(
    gpu: &Gpu,
    (long_enough, seconds): (Duration, f64),
    record: impl Fn(&mut wgpu::CommandEncoder, usize),
) -> Result<f64> {
    let clock = gpu.options.clock;
    let run = async |n: usize| -> Result<Duration> {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder, n);
        let call = clock.now();
        gpu.wait(gpu.submit(Some(encoder.finish()), None)).await?;
        Ok(clock.since(call))
    };
    let (mut repeats, mut start) = (1, clock.now());
    let mut took = run(repeats).await?;
    while took < long_enough && repeats < MAX_REPEATS {
        (repeats, start) = (2 * repeats, clock.now());
        took = run(repeats).await?;
    }
    let (mut best, mut n) = (took.as_secs_f64() / repeats as f64, 1);
    let is_short = |wish: f64| clock.since(start).as_secs_f64() < wish;
    while is_short(seconds) || n < FEWEST && is_short((10.0 * seconds).max(1.0)) {
        best = best.min(run(repeats).await?.as_secs_f64() / repeats as f64);
        n += 1;
    }
    Ok(best)
}
