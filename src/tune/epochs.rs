//! The number of epochs that fit into a time, found out on the device by a few steps.

use crate::backend::{Backend, BackendError};
use crate::config::Resolved;
use crate::model::Steps;
use crate::picture::Picture;
use crate::trainer::Evaluation;

/// The share of the time for finding out, and at most this many seconds.
const SHARE: f64 = 0.05;
const MAX_SECONDS: f64 = 2.0;
/// Of the rest, so that an epoch a little slower than the trial does not miss the end.
const FILLED: f64 = 0.95;
/// Steps of a group.
const MAX_GROUP: usize = 4096;

/// How many epochs of `run` end within `seconds` on `backend`, at least one. The backend's state is the same
/// afterwards, to the bit.
///
/// # Errors
/// When the device fails.
pub async fn epochs_within(
    run: &Resolved,
    picture: &Picture,
    backend: &mut dyn Backend,
    seconds: f64,
) -> Result<u64, BackendError> {
    let clock = run.device.options.clock;
    let start = clock.now();
    let state = backend.state().await?;
    let measuring = clock.now();
    Evaluation::measure(run, picture, backend, true, &|| false).await?;
    let of_measurement = clock.since(measuring).as_secs_f64();
    let of_step = seconds_a_step(run, backend, (seconds * SHARE).min(MAX_SECONDS)).await?;
    backend.set_state(&state).await?;
    let of_epoch = f64::from(run.steps_per_epoch()) * of_step + of_measurement / run.measure_every as f64;
    let left = seconds - clock.since(start).as_secs_f64() - of_measurement;
    Ok(((left * FILLED / of_epoch) as u64).max(1))
}

/// The time of a step, in groups as in training. Takes `seconds`, or somewhat longer.
async fn seconds_a_step(
    run: &Resolved,
    backend: &mut dyn Backend,
    seconds: f64,
) -> Result<f64, BackendError> {
    let clock = run.device.options.clock;
    let mut steps = Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr);
    let (mut spent, mut size) = (0.0, 1);
    loop {
        let group: Vec<_> = steps.by_ref().take(size).collect();
        let start = clock.now();
        backend.enqueue(&group).await?;
        backend.finish().await?;
        let elapsed = clock.since(start).as_secs_f64();
        // Of no run.
        backend.take_losses()?;
        spent += elapsed;
        if spent >= seconds {
            return Ok(elapsed / size as f64);
        }
        size = (size * 2).min(MAX_GROUP);
    }
}
