//! All networks of a collection: one a core, or many at once on a GPU.

use super::network::{Method, Network};
use super::together::Together;
use super::{Collection, Histogram, Result, Row};
use crate::compare::Share;
use crate::job::DeviceOptions;
use crate::picture::Picture;
use crate::trainer::{EpochSummary, Observer, Progress, TrainError};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Observes a collection, from several threads at once.
pub trait Watch: Sync {
    /// A picture is done: its network is kept, or the row says why there is none.
    fn done(&self, row: &Row);
    /// Whether to stop after the current steps. Networks that are not finished then are trained again next time.
    fn stop_requested(&self) -> bool;
}

/// Trains all networks that are not done, on devices opened with `options`; true if none is left: then there is also
/// `psnr.svg`.
///
/// # Errors
/// When a device fails or a file cannot be written; what is finished is kept.
pub fn run(
    collection: &mut Collection,
    share: Share,
    options: &DeviceOptions,
    watch: &dyn Watch,
) -> Result<bool> {
    let pending = collection.pending();
    let (request, config, mask) =
        (collection.request.clone(), collection.config.clone(), collection.mask.take());
    let (pictures, shape) = (collection.pictures.clone(), collection.shape.clone());
    let method = Method { request: &request, config: &config, mask: mask.as_ref(), options, shape: &shape };
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let shared = Mutex::new((collection, Ok(())));
    let keep = |place: usize, trained: Result<Option<Network>>| {
        let (collection, result) = &mut *shared.lock().expect("no worker panicked");
        let kept = trained.and_then(|network| {
            let Some(network) = network else { return Ok(()) };
            let row = network.row.clone();
            collection.add(place, network)?;
            watch.done(&row);
            Ok(())
        });
        if let Err(error) = kept {
            failed.store(true, Ordering::Relaxed);
            *result = Err(error);
        }
    };
    let one_by_one = || {
        let mut observer = Stop { watch, failed: &failed };
        while let Some(&place) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
            if observer.stop_requested() {
                break;
            }
            let (at, source) = &pictures[place];
            keep(
                place,
                match method.prepare(source, *at) {
                    Ok(prepared) => method.train(prepared, share.threads, &mut observer),
                    Err(without) => Ok(Some(*without)),
                },
            );
        }
    };
    match Together::open(&method) {
        Ok(Some(mut together)) => {
            together.run((&pending, &pictures), &mut Stop { watch, failed: &failed }, &mut { keep });
        }
        Ok(None) => std::thread::scope(|scope| {
            for _ in 0..share.jobs {
                scope.spawn(one_by_one);
            }
        }),
        Err(error) => keep(0, Err(error.into())),
    }
    let (collection, result) = shared.into_inner().expect("no worker panicked");
    collection.mask = mask;
    result?;
    let complete = collection.n_pending() == 0;
    if complete {
        Histogram::of(&collection.rows()).save(&collection.folder.join("psnr.svg"))?;
    }
    Ok(complete)
}

/// Stops a network when the collection is to stop.
struct Stop<'a> {
    watch: &'a dyn Watch,
    failed: &'a AtomicBool,
}

impl Observer for Stop<'_> {
    type Error = TrainError;

    fn epoch(&mut self, _: &EpochSummary, _: Option<Picture>) -> Result<(), TrainError> {
        Ok(())
    }

    fn progress(&mut self, _: &Progress) {}

    fn stop_requested(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.watch.stop_requested()
    }
}
