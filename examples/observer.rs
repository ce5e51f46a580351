//! Observes a run, records its PSNR, and stops it once the picture is good enough.
//!
//!     cargo run --release --example observer

use afterimage::backend;
use afterimage::block_on;
use afterimage::config::Config;
use afterimage::picture::{self, Picture};
use afterimage::trainer::{EpochSummary, Observer, Position, Progress, TrainError, Trainer};
use std::sync::Arc;

/// Stops at `enough` dB.
struct UntilGood {
    enough: f64,
    curve: Vec<f64>,
    n_snapshots: usize,
}

impl Observer for UntilGood {
    // Any error that a `TrainError` converts into; an observer that writes files would add its own.
    type Error = TrainError;

    // Called before the first epoch and after each, with snapshots as often as the configuration says.
    fn epoch(&mut self, summary: &EpochSummary, snapshot: Option<Picture>) -> Result<(), TrainError> {
        self.n_snapshots += usize::from(snapshot.is_some());
        if let Some(psnr) = summary.psnr_train {
            println!("epoch {:3}  {psnr:5.2} dB  {:4.1} s", summary.epoch, summary.seconds);
            self.curve.push(psnr);
        }
        Ok(())
    }

    // Called every few steps, for progress bars.
    fn progress(&mut self, _: &Progress) {}

    // Also called every few steps.
    fn stop_requested(&self) -> bool {
        self.curve.last().is_some_and(|psnr| *psnr >= self.enough)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = picture::load("assets/astronaut.png".as_ref())?;
    let picture = Arc::new(picture::resize(&file, 64, 64));
    let config: Config = toml::from_str("training.epochs = 200\ndevice.backend = 'cpu'")?;
    let run = config.resolve(&picture, None)?;
    let job = run.job(Arc::clone(&picture));
    let mut backend = block_on(backend::open(&run.device, job, || run.initial_params()))?.backend;
    let mut observer = UntilGood { enough: 25.0, curve: Vec::new(), n_snapshots: 0 };
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    let outcome = block_on(trainer.run(&mut observer))?;
    println!("{} epochs measured, {} snapshots seen", observer.curve.len(), observer.n_snapshots);

    assert!(!outcome.complete && observer.stop_requested(), "it was not stopped early");
    Ok(())
}
