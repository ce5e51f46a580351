//! Drives the loop turn by turn.

use super::*;
use crate::backend::open;
use crate::block_on;
use crate::config::Config;
use crate::job::{DeviceOptions, DeviceRequest};
use crate::picture::Pixels;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that advances a second at each call.
fn clock() -> Duration {
    static NOW: AtomicU64 = AtomicU64::new(0);
    Duration::from_secs(NOW.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn blocks_that_are_good_enough_take_few_samples() {
    let pixels = Pixels::U8((0..32 * 16).map(|i| (i * 7 % 256) as u8).collect());
    let picture = Arc::new(Picture { width: 32, height: 16, channels: 1, pixels });
    let config = Config::parse("training = { sampling = 'error', until = 40.0 }\ndevice.backend = 'cpu'");
    let run = config.expect("a configuration").resolve(&picture, None).expect("a run");
    let mut backend = block_on(open(&run.device, run.job(Arc::clone(&picture)), || run.initial_params()))
        .expect("the CPU")
        .backend;
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    // Of eight blocks one is below 40 dB, one just above.
    let mut block_errors = vec![0.99e-4; 8];
    block_errors[5] = 1.01e-4;
    trainer.update_importance(&Evaluation { block_errors, ..Evaluation::default() });
    let starts = trainer.importance.as_ref().expect("a distribution").starts();
    let samples: Vec<u32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(samples[5] > 400 && samples.iter().filter(|&&n| n < 16).count() == 7, "{samples:?}");
}

#[test]
fn turns_taken_one_by_one_are_the_run() {
    let pixels = Pixels::U8((0..12 * 10 * 3).map(|i| (i * 7 % 256) as u8).collect());
    let picture = Arc::new(Picture { width: 12, height: 10, channels: 3, pixels });
    let config = Config::parse("training = { epochs = 3, batch = 50 }\ndevice.backend = 'cpu'");
    let run = config.expect("a configuration").resolve(&picture, None).expect("a run");
    let backend = || {
        let (device, job) =
            (DeviceRequest { threads: 1, ..run.device.clone() }, run.job(Arc::clone(&picture)));
        block_on(open(&device, job, || run.initial_params())).expect("the CPU").backend
    };
    let (mut whole, mut by_turns) = (backend(), backend());
    let mut trainer = Trainer::new(&run, &picture, whole.as_mut(), Position::default());
    let outcome = block_on(trainer.run(&mut ())).expect("trained");
    let timed = run.clone().on(&DeviceOptions { clock: Clock::new(clock), ..DeviceOptions::default() });
    let mut trainer = Trainer::new(&timed, &picture, by_turns.as_mut(), Position::default());
    let mut turns = Vec::new();
    let again = loop {
        match block_on(trainer.advance(&mut ())).expect("trained") {
            ControlFlow::Continue(position) => turns.push(position),
            ControlFlow::Break(outcome) => break outcome,
        }
    };
    let of = |p: &Position| (p.epochs_done, p.steps_into_epoch);
    // Epochs of three steps, one at a time, since each takes long by this clock.
    let epoch = |n| [(n, 1), (n, 2), (n, 3)];
    let expected: Vec<_> = std::iter::once((0, 0)).chain(epoch(0)).chain([(1, 0)]).chain(epoch(1)).collect();
    assert_eq!(turns.iter().map(of).take(8).collect::<Vec<_>>(), expected);
    assert!(turns.is_sorted_by(|a, b| a.seconds < b.seconds), "{turns:?}");
    assert_eq!((again.complete, again.step), (outcome.complete, outcome.step));
    assert_eq!(again.evaluation, outcome.evaluation);
    assert_eq!(block_on(by_turns.state()).expect("a state"), block_on(whole.state()).expect("a state"));
}
