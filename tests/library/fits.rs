//! Runs without a folder.

use afterimage::backend;
use afterimage::block_on;
use afterimage::config::{Config, Resolved};
use afterimage::picture::{Picture, Pixels};
use afterimage::run::{Fit, Fitted};
use afterimage::trainer::{EpochSummary, Observer, Position, Progress, TrainError, Trainer};
use std::sync::Arc;
use std::time::Instant;

fn picture() -> Arc<Picture> {
    let pixels = (0..48 * 32 * 3).map(|i| (i * i / 50 % 256) as u8).collect();
    Arc::new(Picture { width: 48, height: 32, channels: 3, pixels: Pixels::U8(pixels) })
}

fn config(text: &str) -> Config {
    Config::parse(&format!("device.backend = 'cpu'\n{text}")).expect("a configuration")
}

fn resolved(text: &str) -> Resolved {
    config(text).resolve(&picture(), None).expect("a run")
}

/// Counts epochs, and stops after some.
#[derive(Default)]
struct Counting {
    epochs: Vec<u64>,
    stop_after: Option<u64>,
}

impl Observer for Counting {
    type Error = TrainError;

    fn epoch(&mut self, summary: &EpochSummary, _: Option<Picture>) -> Result<(), TrainError> {
        self.epochs.push(summary.epoch);
        Ok(())
    }
    fn progress(&mut self, _: &Progress) {}
    fn stop_requested(&self) -> bool {
        self.stop_after.is_some_and(|last| self.epochs.last() >= Some(&last))
    }
}

fn fit(run: Resolved, observer: &mut Counting) -> Fitted {
    Fit::start(run, picture()).expect("a device").train(observer).expect("a model")
}

#[test]
fn a_fit_is_the_run_that_the_trainer_does() {
    let run = resolved("training.epochs = 5");
    let job = run.job(picture());
    let mut backend =
        block_on(backend::open(&run.device, job, || run.initial_params())).expect("opened").backend;
    let picture = picture();
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    block_on(trainer.run(&mut ())).expect("trained");
    let params = block_on(backend.state()).expect("a state").params;
    let mut observer = Counting::default();
    let fitted = fit(run, &mut observer);
    assert_eq!(fitted.model.params, params);
    assert_eq!(observer.epochs, [0, 1, 2, 3, 4, 5]);
    assert!(fitted.outcome.complete && fitted.diverged.is_none());
    assert_eq!(fitted.model.metadata["psnr_train"], fitted.evaluation.train.psnr().to_string());
}

#[test]
fn a_fit_that_is_stopped_or_diverges_has_the_model_so_far() {
    let mut observer = Counting { stop_after: Some(2), ..Counting::default() };
    let fitted = fit(resolved("training.epochs = 50"), &mut observer);
    assert!(!fitted.outcome.complete && fitted.outcome.position.epochs_done == 2);
    let text = "training = { epochs = 3, optimizer = 'sgd', lr = 1e4, schedule = 'constant' }\nencoding.kind = 'gaussian'\n\
                network.output = 'identity'";
    let fitted = fit(resolved(text), &mut Counting::default());
    assert!(matches!(fitted.diverged, Some(TrainError::Diverged { .. })));
    assert!(fitted.model.params.iter().all(|weight| weight.is_finite()));
}

#[test]
fn finding_out_how_many_epochs_fit_changes_nothing() {
    let text = "training.epochs = 3";
    let mut plain = Fit::start(resolved(text), picture()).expect("a device");
    let mut timed = Fit::start(resolved("training.epochs = 100"), picture()).expect("a device");
    let start = Instant::now();
    let (few, many) = (timed.epochs_within(1e-6), timed.epochs_within(20.0));
    assert!(start.elapsed().as_secs_f64() < 10.0);
    // 1536 pixels take far less than a second each time.
    assert!(few.expect("found") == 1 && many.expect("found") > 20);
    timed.set_run(resolved(text)).expect("the same device");
    let [plain, timed] =
        [&mut plain, &mut timed].map(|fit| fit.train(&mut Counting::default()).expect("a model").model);
    assert_eq!(plain, timed);
}
