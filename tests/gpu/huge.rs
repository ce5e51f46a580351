//! A picture of 400 megapixels, made on the fly: how long a step takes and how much memory a run. Takes minutes
//! and gigabytes, so only with AFTERIMAGE_HUGE set:
//!
//!     AFTERIMAGE_HUGE=1 cargo nextest run --release huge --no-capture

use crate::device;
use crate::skip::{Missing, skip};

use afterimage::backend::{Backend, BackendChoice, DeviceRequest, open};
use afterimage::bench::peak_bytes;
use afterimage::config::Config;
use afterimage::model::{Raster, Steps};
use afterimage::picture::{Picture, Pixels};
use pollster::FutureExt as _;
use rayon::prelude::*;
use std::sync::Arc;
use std::time::Instant;

const SIDE: u32 = 20_000;
const STEPS: u32 = 12;
const MIB: u64 = 1 << 20;

const CONFIG: &str = "encoding = { kind = \"hash-grid\", log2_table = 15 }\n\
                      network = { hidden = 16, layers = 3 }\n\
                      training = { batch = 16384, optimizer = \"adam\", lr = 1e-2 }";

fn is_asked_for() -> bool {
    let asked = std::env::var_os("AFTERIMAGE_HUGE").is_some();
    if !asked {
        skip(Missing::Other("AFTERIMAGE_HUGE=1 trains on 400 megapixels, for minutes and in gigabytes"));
    }
    asked
}

/// Rings and a ramp.
fn picture() -> Picture {
    let width = 3 * SIDE as usize;
    let mut pixels = vec![0_u8; width * SIDE as usize];
    pixels.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.as_chunks_mut().0.iter_mut().enumerate() {
            let ring = ((x * x + y * y) >> 22) as u8;
            *pixel = [ring, (x >> 7) as u8, (y >> 7) as u8];
        }
    });
    Picture { width: SIDE, height: SIDE, channels: 3, pixels: Pixels::U8(pixels) }
}

fn train(backend: BackendChoice) -> Box<dyn Backend> {
    let picture = Arc::new(picture());
    let before = peak_bytes();
    let config = Config::parse(CONFIG).expect("a configuration");
    let run = config.resolve(&picture, None).expect("a run");
    let request = DeviceRequest { backend, options: device::options(), ..DeviceRequest::default() };
    let opened = open(&request, run.job(Arc::clone(&picture)), || run.initial_params());
    let mut backend = opened.block_on().expect("the picture fits").backend;
    let mut losses = Vec::new();
    let mut fastest = f64::INFINITY;
    for step in Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr).take(STEPS as usize) {
        let start = Instant::now();
        backend.enqueue(&[step]).block_on().expect("the device works");
        backend.finish().block_on().expect("the device works");
        losses.extend(backend.take_losses().expect("the device works"));
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    let raster = Raster { height: 1, ..run.raster };
    let mut colours = vec![0.0; 3 * raster.width as usize];
    backend.predict(&raster, 0, &mut colours).block_on().expect("the device works");
    assert!(colours.iter().all(|c| c.is_finite()));
    assert!(losses[STEPS as usize - 1] < 0.8 * losses[0], "{losses:?}");
    println!(
        "{} on {}: fastest step of {} samples {:.1} ms",
        backend.info().backend,
        backend.info().device,
        run.batch_size,
        1e3 * fastest
    );
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        println!("peak {} MiB, {} MiB of it before training", after / MIB, before / MIB);
        assert!(after - before < 1024 * MIB, "memory grows with the picture");
    }
    backend
}

#[test]
fn trains_on_the_cpu() {
    if is_asked_for() {
        train(BackendChoice::Cpu);
    }
}

#[test]
fn trains_on_a_gpu_and_stays_on_the_host() {
    if is_asked_for() && device::open(false).is_some() {
        assert!(train(BackendChoice::Gpu).info().streams_picture);
    }
}
