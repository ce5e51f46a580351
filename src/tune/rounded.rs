//! Training for weights of 8 bits.

use crate::backend::{Backend, BackendError};
use crate::config::Resolved;
use crate::model::{Schedule, ScheduleKind, Steps, TrainingState};
use crate::model_file::round;

/// The learning rate at first, as a part of the run's: what rounding broke is mended with small steps. It falls to 0.
const RATE: f64 = 0.02;

/// Trains the weights `params` of `run` so that they lose less when they are rounded, and leaves them rounded. Each of
/// `n_steps` is made with rounded weights, and moves those before rounding as it would move these (straight-through
/// estimation, Bengio et al. 2013). `watch` is told of each step and returns whether to go on.
///
/// # Errors
/// When the device fails.
pub async fn train_rounded(
    run: &Resolved,
    backend: &mut dyn Backend,
    params: &mut [f32],
    n_steps: u32,
    watch: &mut dyn FnMut(u32) -> bool,
) -> Result<(), BackendError> {
    let mut state = TrainingState::new(params.to_vec(), run.optimizer, &run.options.refinements);
    let n_samples = run.samples.len();
    let mut steps = Steps::new(n_samples, run.batch_size, run.seed, RATE * run.lr)
        .scheduled(Schedule::new(ScheduleKind::Cosine), n_steps.into());
    let mut exact = params.to_vec();
    for n in 0..n_steps {
        if !watch(n) {
            break;
        }
        params.copy_from_slice(&exact);
        round(&run.model, params);
        state.params.copy_from_slice(params);
        state.step = n.into();
        backend.set_state(&state).await?;
        let step = steps.next().expect("steps without end");
        backend.enqueue(&[step]).await?;
        state = backend.state().await?;
        // Of no run.
        backend.take_losses()?;
        for ((exact, moved), rounded) in exact.iter_mut().zip(&state.params).zip(&*params) {
            *exact += moved - rounded;
        }
    }
    params.copy_from_slice(&exact);
    round(&run.model, params);
    Ok(())
}
