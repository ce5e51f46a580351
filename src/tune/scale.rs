//! Choice of the scale of frequencies for a picture: the standard deviation of Gaussian Fourier features, or w0 of sines.
//!
//! If it is too small, the network cannot reproduce fine detail; if too large, it fills the space
//! between the training pixels with noise (Tancik et al. 2020, section 6 and figure 4). The paper
//! searches a grid on other pictures; here each candidate is trained briefly on this picture without
//! some of its training pixels, and its loss on those decides.

use super::TuneError;
use crate::atomic_write::write_cached;
use crate::backend::{self, Backend, DeviceRequest};
use crate::config::{Config, Resolved, Scale};
use crate::model::Steps;
use crate::picture::Picture;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// One training pixel in this many is held out from the trials.
const HELD_OUT: u32 = 5;

/// More held-out pixels would only cost time.
const MAX_HELD_OUT: u32 = 1 << 15;

/// Candidates are half octaves: number n is 2^(n / 2).
const PER_OCTAVE: i32 = 2;

/// The first candidate, and all that there are, for `run` on a picture.
fn candidates(scale: Scale, run: &Resolved, picture: &Picture) -> (i32, RangeInclusive<i32>) {
    let octaves = |value: f32| libm::log2f(value) * PER_OCTAVE as f32;
    let longer_side = picture.width.max(picture.height) as f32;
    let (first, lowest, highest) = match scale {
        // From a sixteenth of a cycle. Above a quarter of the pixels per side, most frequencies are too high.
        Scale::Sigma => (4.0, 1.0 / 16.0, longer_side / 4.0),
        // Photographs want 50 to 85 with 256 training pixels a side, and 35 with 64 (docs/BETWEEN.md).
        Scale::W0 => {
            let pixels = run.samples.columns().max(run.samples.rows());
            (4.0 * libm::sqrtf(pixels as f32), 4.0, longer_side)
        }
    };
    let lowest = octaves(lowest) as i32;
    let range = lowest..=lowest.max(octaves(highest) as i32);
    ((libm::roundf(octaves(first)) as i32).clamp(*range.start(), *range.end()), range)
}

/// Stride and trial length of a hill climb.
struct Climb {
    /// Distance between neighbouring candidates.
    stride: i32,
    /// Steps of a trial as a share of the run's.
    share: f64,
    /// Shorter trials mislead: the best scale changes during training, downwards once the network
    /// overfits between the pixels, upwards while it has not yet learned the detail.
    min_steps: u64,
    /// Bounds the search.
    max_trials: usize,
}

/// For sigma: octaves with short trials, then half octaves around the best with longer ones.
const OF_SIGMA: &[Climb] = &[
    Climb { stride: PER_OCTAVE, share: 1.0 / 16.0, min_steps: 150, max_trials: 8 },
    Climb { stride: 1, share: 1.0 / 4.0, min_steps: 500, max_trials: 8 },
];

/// For w0, whose first candidate is closer and whose trials mislead more: half octaves with long trials.
const OF_W0: &[Climb] = &[Climb { stride: 1, share: 1.0 / 2.0, min_steps: 500, max_trials: 10 }];

/// One candidate and its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleTrial {
    /// Sigma in cycles per longer side, or w0.
    pub value: f32,
    /// Optimiser steps it was trained for.
    pub(crate) steps: u64,
    /// Loss on the held-out pixels, infinite where training diverged.
    pub held_out_loss: f64,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleChoice {
    /// What was chosen.
    pub scale: Scale,
    /// Its value.
    pub value: f32,
    /// Everything tried, in order.
    pub trials: Vec<ScaleTrial>,
    /// Optimiser steps of all trials, relative to the run's.
    pub cost: f64,
}

impl ScaleChoice {
    /// Writes one line per trial, to a run's [`Scale::file_name`].
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let line = |t: &ScaleTrial| format!("{},{},{}\n", t.value, t.steps, t.held_out_loss);
        let lines: String = self.trials.iter().map(line).collect();
        let text = format!("{},steps,held_out_loss\n{lines}", self.scale.name());
        write_cached(path, text.as_bytes())
    }
}

/// Observes a search.
pub trait Watch {
    /// Called after each candidate.
    fn trial(&mut self, scale: Scale, trial: &ScaleTrial);
    /// Whether to stop.
    fn stop_requested(&self) -> bool;
}

/// Chooses `scale` for training `picture` (at its training size, with its mask) as `config` says, on `device`.
///
/// Hill climbing, then the minimum of a parabola through the best candidate and its neighbours, in the logarithms of
/// value and loss. Test pixels are never used.
///
/// # Errors
/// When the settings cannot be run, the device fails, or `watch` asks to stop.
pub async fn choose_scale(
    scale: Scale,
    config: &Config,
    (picture, mask): (&Arc<Picture>, Option<&Picture>),
    device: &DeviceRequest,
    watch: &mut dyn Watch,
) -> Result<ScaleChoice, TuneError> {
    // Any value: nothing else depends on it.
    let run = resolve(config, (picture, mask), (scale, 1.0))?;
    let (mut best, range) = candidates(scale, &run, picture);
    let mut value = value_of(best);
    let n_steps = run.epochs.saturating_mul(u64::from(run.steps_per_epoch()));
    let mut trials = Vec::new();
    let climbs = match scale {
        Scale::Sigma => OF_SIGMA,
        Scale::W0 => OF_W0,
    };
    for climb in climbs {
        let wanted = ((n_steps as f64 * climb.share) as u64).max(climb.min_steps);
        let steps = wanted.min(n_steps).max(1);
        let mut losses = BTreeMap::new();
        let mut try_one = async |candidate: i32| -> Result<f64, TuneError> {
            let value = value_of(candidate);
            let run = resolve(config, (picture, mask), (scale, value))?;
            let job = backend::Job { batch_size: batch_size(&run), ..run.job(Arc::clone(picture)) };
            let mut backend = backend::open(device, job, || run.initial_params()).await?.backend;
            let held_out_loss = train(&run, backend.as_mut(), steps, &|| watch.stop_requested()).await?;
            let trial = ScaleTrial { value, steps, held_out_loss };
            trials.push(trial);
            watch.trial(scale, &trial);
            Ok(held_out_loss)
        };
        best = climb.run(best, &range, &mut losses, &mut try_one).await?;
        value = refine(&losses, best, climb.stride);
    }
    let cost = trials.iter().map(|t| t.steps).sum::<u64>() as f64 / n_steps.max(1) as f64;
    Ok(ScaleChoice { scale, value, trials, cost })
}

fn value_of(candidate: i32) -> f32 {
    libm::exp2f(candidate as f32 / PER_OCTAVE as f32)
}

/// Loss on the held-out pixels by candidate.
type Losses = BTreeMap<i32, f64>;

impl Climb {
    /// From `start` to the first candidate that is better than both its neighbours.
    async fn run(
        &self,
        start: i32,
        range: &RangeInclusive<i32>,
        losses: &mut Losses,
        try_one: &mut impl AsyncFnMut(i32) -> Result<f64, TuneError>,
    ) -> Result<i32, TuneError> {
        losses.insert(start, try_one(start).await?);
        let mut best = start;
        loop {
            let neighbours = [best - self.stride, best + self.stride];
            for candidate in neighbours.into_iter().filter(|c| range.contains(c)) {
                if losses.len() < self.max_trials && !losses.contains_key(&candidate) {
                    losses.insert(candidate, try_one(candidate).await?);
                }
            }
            let lowest = losses.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(&c, _)| c);
            let lowest = lowest.filter(|c| losses[c].is_finite()).ok_or(TuneError::Diverged)?;
            if lowest == best || losses.len() == self.max_trials {
                return Ok(lowest);
            }
            best = lowest;
        }
    }
}

fn resolve(
    config: &Config,
    (picture, mask): (&Picture, Option<&Picture>),
    (scale, value): (Scale, f32),
) -> Result<Resolved, TuneError> {
    let mut config = config.clone();
    scale.set(&mut config, Some(value));
    // The held-out pixels are the end of the sample order.
    config.training.sampling = None;
    Ok(config.resolve(picture, mask)?)
}

fn n_held_out(n_samples: u32) -> u32 {
    (n_samples / HELD_OUT).clamp(1, MAX_HELD_OUT)
}

fn batch_size(run: &Resolved) -> u32 {
    let n_samples = run.samples.len();
    run.batch_size.min((n_samples - n_held_out(n_samples)).max(1))
}

/// Trains for `n_steps` steps without the held-out pixels and returns the loss on those.
///
/// One fixed shuffle of the training pixels is used throughout: its end is what is held out.
async fn train(
    run: &Resolved,
    backend: &mut dyn Backend,
    n_steps: u64,
    stop: &dyn Fn() -> bool,
) -> Result<f64, TuneError> {
    let n_samples = run.samples.len();
    let n_held_out = n_held_out(n_samples);
    let n_training = n_samples - n_held_out;
    let steps = |lr, part| Steps::new(n_samples, batch_size(run), run.seed, lr).part_of_order(u64::MAX, part);
    let training = steps(run.lr, 0..n_training.max(1)).scheduled(run.schedule, n_steps);
    for step in training.take(n_steps as usize) {
        if stop() {
            return Err(TuneError::Stopped);
        }
        backend.enqueue(&[step]).await?;
        backend.take_losses()?;
    }
    backend.finish().await?;
    backend.take_losses()?;
    // Steps that learn nothing measure the loss where no weight has seen the pixel.
    let mut sum = 0.0;
    let measuring = steps(0.0, n_training..n_samples);
    let n_measuring = measuring.per_epoch() as usize;
    for step in measuring.take(n_measuring) {
        backend.enqueue(std::slice::from_ref(&step)).await?;
        backend.finish().await?;
        sum += backend.take_losses()?.iter().sum::<f64>() * f64::from(step.n_samples);
    }
    let loss = sum / f64::from(n_held_out);
    Ok(if loss.is_finite() { loss } else { f64::INFINITY })
}

/// The minimum of the parabola through the best candidate and its neighbours, in the logarithms of
/// value and loss; the best candidate if a neighbour was not tried.
fn refine(losses: &Losses, best: i32, stride: i32) -> f32 {
    let around = [best - stride, best, best + stride].map(|c| losses.get(&c).map(|&loss| libm::log(loss)));
    let [Some(low), Some(middle), Some(high)] = around else { return value_of(best) };
    let curvature = low - 2.0 * middle + high;
    if !(curvature.is_finite() && curvature > 0.0) {
        return value_of(best);
    }
    let offset = (0.5 * (low - high) / curvature).clamp(-0.5, 0.5) * f64::from(stride);
    libm::exp2((f64::from(best) + offset) / f64::from(PER_OCTAVE)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;

    const RANGE: RangeInclusive<i32> = -4..=12;

    /// The candidate that a climb finds, and all it tried.
    fn climb(climb: &Climb, start: i32, loss: impl Fn(i32) -> f64) -> (Result<i32, TuneError>, Losses) {
        let mut losses = Losses::new();
        let best = block_on(climb.run(start, &RANGE, &mut losses, &mut async |c| Ok(loss(c))));
        (best, losses)
    }

    #[test]
    fn a_climb_finds_the_lowest_point_from_either_side() {
        for start in [-4, 0, 4, 12] {
            let (best, losses) = climb(&OF_SIGMA[1], start, |c| f64::from((c - 3) * (c - 3)));
            assert!(losses.len() <= OF_SIGMA[1].max_trials);
            if start != 12 {
                assert_eq!(best.expect("found"), 3, "from {start}");
            }
        }
        let (best, _) = climb(&OF_SIGMA[0], 4, f64::from);
        assert_eq!(best.expect("found"), -4, "the end of the range");
    }

    #[test]
    fn a_candidate_that_diverged_is_never_chosen() {
        let (best, losses) = climb(&OF_SIGMA[0], 4, |c| if c == 4 { 2.0 } else { f64::INFINITY });
        assert_eq!(best.expect("one is finite"), 4);
        assert_eq!(refine(&losses, 4, OF_SIGMA[0].stride), 4.0);
        let (best, _) = climb(&OF_SIGMA[0], 4, |_| f64::INFINITY);
        assert!(matches!(best, Err(TuneError::Diverged)));
    }

    #[test]
    fn the_parabola_finds_its_own_lowest_point() {
        // ln loss = (octave - 1.1)^2
        let loss = |c: i32| (f64::from(c) / 2.0 - 1.1).powi(2).exp();
        let losses: Losses = (1..=3).map(|c| (c, loss(c))).collect();
        let value = refine(&losses, 2, 1);
        assert!((value - 2.0_f32.powf(1.1)).abs() < 1e-4, "{value}");
        assert_eq!(refine(&losses, 3, 1), value_of(3), "at the edge the best is taken as it is");
    }
}
