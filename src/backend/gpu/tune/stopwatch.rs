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
    let mut repeats = 1;
    while run(repeats).await? < long_enough && repeats < MAX_REPEATS {
        repeats *= 2;
    }
    let (start, mut best, mut n) = (clock.now(), f64::INFINITY, 0);
    let is_short = |wish: f64| clock.since(start).as_secs_f64() < wish;
    while n == 0 || is_short(seconds) || n < FEWEST && is_short((10.0 * seconds).max(1.0)) {
        best = best.min(run(repeats).await?.as_secs_f64() / repeats as f64);
        n += 1;
    }
    Ok(best)
}
