//! The jobs that are measured.

use crate::config::{Config, Resolved};
use crate::model::Model;
use crate::picture::{Picture, Pixels};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Optimiser steps.
    Train,
    /// Predicting all pixels, as after an epoch or in `render`.
    Render,
}

/// A job with a name.
#[derive(Clone, Debug)]
pub struct BenchJob {
    /// Such as "seed 256x256 full batch".
    pub name: String,
    pub(crate) work: Work,
    /// Side of its square picture in pixels.
    pub(crate) side: u32,
    config: Config,
}

/// The network of the student's project that this program grew from, 512 features and three hidden layers of 256, with
/// other widths.
fn seed(width: u32) -> String {
    format!(
        "encoding = {{ kind = \"gaussian\", features = 256, sigma = 10.0 }}\n\
         network = {{ hidden = {width}, layers = 4, activation = \"relu\" }}"
    )
}

/// The network of instant-ngp for pictures: a hash grid and two hidden layers of 64.
const SMALL: &str = "encoding = { kind = \"hash-grid\", log2_table = 15 }\n\
                     network = { hidden = 64, layers = 3, activation = \"relu\" }";

/// `net` with Adam, on a square picture of `side` pixels a side; `batch` is a number or `"full"`.
fn job(name: String, net: &str, work: Work, side: u32, batch: &str) -> BenchJob {
    let text = format!("{net}\ntraining = {{ batch = {batch}, optimizer = \"adam\", lr = 1e-3 }}");
    BenchJob { name, work, side, config: Config::parse(&text).expect("a test parses every job") }
}

/// All jobs with pictures of at most `largest` pixels a side.
pub fn jobs(largest: u32) -> Vec<BenchJob> {
    let job = |what: &str, net: &str, work: Work, side: u32, batch: u32| {
        let full = side * side <= batch;
        let size = if full { "full batch".to_owned() } else { format!("batch {batch}") };
        let suffix = if work == Work::Render { "render".to_owned() } else { size };
        let batch = if full { "\"full\"".to_owned() } else { batch.to_string() };
        job(format!("{what} {side}x{side} {suffix}"), net, work, side, &batch)
    };
    let full = |side: u32| job("seed", &seed(256), Work::Train, side, side * side);
    let mut jobs: Vec<BenchJob> = [64, 128, 256, 512].into_iter().map(full).collect();
    jobs.extend([1 << 14, 1 << 16].map(|batch| job("seed", &seed(256), Work::Train, 512, batch)));
    jobs.push(job("width-128", &seed(128), Work::Train, 512, 1 << 14));
    jobs.push(job("width-512", &seed(512), Work::Train, 512, 1 << 14));
    jobs.push(job("hash-2x64", SMALL, Work::Train, 512, 1 << 14));
    jobs.push(job("hash-2x64", SMALL, Work::Train, 512, 1 << 18));
    jobs.push(job("seed", &seed(256), Work::Render, 512, 1 << 18));
    jobs.push(job("hash-2x64", SMALL, Work::Render, 512, 1 << 18));
    jobs.retain(|job| job.side <= largest);
    jobs
}

/// Steps over whole pictures of 64x64 to 4096x4096 pixels, and over networks 32 to 1024 units wide, to see how time
/// and memory grow.
pub fn scale_jobs(largest: u32) -> Vec<BenchJob> {
    let pixels =
        |side: u32| job(format!("hash-2x64 {side}x{side} full batch"), SMALL, Work::Train, side, "\"full\"");
    let width = |width: u32| {
        job(format!("width-{width} 256x256 batch 16384"), &seed(width), Work::Train, 256, "16384")
    };
    let pixels = (6..=12).map(|bits| pixels(1 << bits));
    let mut jobs: Vec<_> = pixels.chain((5..=10).map(|bits| width(1 << bits))).collect();
    jobs.retain(|job| job.side <= largest);
    jobs
}

impl BenchJob {
    /// Its picture (waves and noise, RGB of 8 bits) and settings.
    ///
    /// # Panics
    /// Never: the settings are this module's own.
    pub fn resolve(&self) -> (Resolved, Arc<Picture>) {
        let n = self.side as usize * self.side as usize * 3;
        let value = |i: usize| {
            let noise = (i as u32).wrapping_mul(0x9e37_79b9) >> 27;
            (110.0 + 90.0 * (i as f32 * 0.013).sin()) as u8 + noise as u8
        };
        let pixels = Pixels::U8((0..n).map(value).collect());
        let picture = Picture { width: self.side, height: self.side, channels: 3, pixels };
        let run = self.config.resolve(&picture, None).expect("a test resolves every job");
        (run, Arc::new(picture))
    }

    /// Floating-point operations per sample. Training: 2 (3 W - W_0) of matrix products, where W_0 are the first
    /// layer's weights: their gradient is computed, but not their input's, unless the encoding is trained. Rendering:
    /// 2 W. Encodings, activations and the update are not counted, as is usual.
    pub(crate) fn flop_per_sample(&self, model: &Model) -> f64 {
        let weights = |l: crate::model::LayerShape| (l.input_width * l.output_width) as f64;
        let all: f64 = model.network.layers().map(weights).sum();
        let first = weights(model.network.layer(0));
        match self.work {
            Work::Render => 2.0 * all,
            Work::Train if model.encoding.n_params() > 0 => 6.0 * all,
            Work::Train => 2.0 * (3.0 * all - first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_resolves_and_names_are_once() {
        let all = jobs(u32::MAX);
        for (i, job) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other.name != job.name), "{} is there twice", job.name);
            let (run, picture) = job.resolve();
            assert_eq!(picture.width, job.side);
            assert!(job.flop_per_sample(&run.model) > 0.0);
        }
        assert!(jobs(256).iter().all(|job| job.side <= 256));
        for job in scale_jobs(256) {
            assert_eq!(job.resolve().1.width, job.side, "{}", job.name);
        }
        assert_eq!(scale_jobs(u32::MAX).len(), 13);
    }

    #[test]
    fn operations_of_the_seeds_net() {
        let job = &jobs(64)[0];
        let (run, _) = job.resolve();
        // Weights: 512 x 256 + 2 x 256 x 256 + 256 x 3.
        let (all, first) = (262_912.0, 131_072.0);
        assert_eq!(job.flop_per_sample(&run.model), 2.0 * (3.0 * all - first));
    }
}
