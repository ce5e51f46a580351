//! What does not fit into memory is refused before any of it is made.

use afterimage::backend::{BackendError, DeviceOptions, open, open_predictor};
use afterimage::block_on;
use afterimage::config::Config;
use afterimage::picture::{Picture, Pixels};
use std::cell::Cell;
use std::sync::Arc;

fn picture() -> Picture {
    Picture { width: 16, height: 16, channels: 3, pixels: Pixels::U8(vec![99; 16 * 16 * 3]) }
}

/// What opening a trainer says, if at most `max_memory` bytes may be used.
fn refusal(settings: &str, max_memory: Option<u64>) -> Option<String> {
    let options = DeviceOptions { max_memory, ..DeviceOptions::default() };
    let config = Config::parse(&format!("{settings}\ndevice.backend = \"cpu\"")).expect("settings");
    let run = config.resolve(&picture(), None).expect("resolved").on(&options);
    let made = Cell::new(false);
    let weights = || {
        made.set(true);
        run.initial_params()
    };
    match block_on(open(&run.device, run.job(Arc::new(picture())), weights)) {
        Ok(_) => None,
        Err(BackendError::DoesNotFit(reason)) => {
            assert!(!made.get(), "weights were made first");
            Some(reason)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_run_takes_no_more_than_it_may() {
    assert_eq!(refusal("network.hidden = 64", Some(64 << 20)), None);
    let reason = refusal("network.hidden = 64", Some(100_000)).expect("refused");
    assert!(reason.contains("GiB of memory to train and 0.0 GiB are allowed; give a smaller"), "{reason}");
    // Without a bound, a share of what is free.
    let reason = refusal("network.hidden = 1000000", None).expect("refused");
    assert!(reason.contains("of which a run may take nine tenths"), "{reason}");
}

#[test]
fn the_copies_of_the_weights_count() {
    let settings = "encoding.kind = \"none\"\nnetwork = { hidden = 100, layers = 3 }\ndevice.threads = 1";
    let config = Config::parse(&format!("{settings}\ndevice.backend = \"cpu\"")).expect("settings");
    let run = config.resolve(&picture(), None).expect("resolved");
    let job = run.job(Arc::new(picture()));
    let opened = block_on(open(&run.device, job, || run.initial_params())).expect("it fits");
    // What it trains, without the picture; and weights and two moments of four bytes, twice.
    let own = opened.backend.info().bytes - picture().size_bytes();
    let copies = 2 * 3 * 4 * run.initial_params().len() as u64;
    assert_eq!(refusal(settings, Some(own + copies)), None);
    assert!(refusal(settings, Some(own + copies - 1)).is_some());
}

#[test]
fn a_model_that_does_not_fit_is_not_rendered() {
    let config = Config::parse("device.backend = \"cpu\"").expect("settings");
    let run = config.resolve(&picture(), None).expect("resolved");
    let opened = |max_memory| {
        let run = run.clone().on(&DeviceOptions { max_memory, ..DeviceOptions::default() });
        block_on(open_predictor(&run.device, &run.model, &run.initial_params())).map(|_| ())
    };
    assert!(opened(None).is_ok());
    let error = opened(Some(1000)).expect_err("refused").to_string();
    assert!(error.contains("of memory to render"), "{error}");
}
