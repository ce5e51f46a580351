//! Finds the fastest configuration for a whole step.

use super::cache::{Fastest, Key, TuningCache};
use super::{sound, tiles};
use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::execute::GpuBackend;
use crate::backend::gpu::kernel::{KernelConfig, MatmulTiling, Precision, Storage};
use crate::backend::gpu::ops::{Layout, fused, layout};
use crate::backend::{Backend, BackendError, Job, Result};
use crate::model::{Encoding, Importance, Mlp, Model, Sampling, Step, Steps, TrainingState};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of samples of a timed step.
const MAX_SAMPLES: u32 = 1 << 18;

/// Minimum duration of the steps timed together, so that submission overhead does not count.
const MIN_SAMPLE_TIME: Duration = Duration::from_millis(20);
const MAX_STEPS: usize = 256;

/// The fastest of these counts.
const REPEATS: usize = 3;

/// Candidates slower than this multiple of the fastest are not tried further.
const PRUNE_RATIO: f64 = 1.5;

/// How much faster 16 bits must be if 32 are allowed.
const F16_MIN_SPEEDUP: f64 = 1.1;

/// The fastest way to train `job` from `state`, from the cache or measured now, and whether it was measured.
///
/// # Errors
/// When the device does not support the job, fails, or computes nothing right.
pub(super) async fn fastest(
    gpu: &Arc<Gpu>,
    (job, state): (&Job, &TrainingState),
    precision: Precision,
) -> Result<(KernelConfig, bool)> {
    let candidates = candidates(gpu, job, precision)?;
    let path = gpu.options.cache.as_ref().map(|folder| folder.join("tuning.json"));
    let mut cache = TuningCache::read(path.as_deref());
    let key = Key { device: gpu.identity(), job: describe(job), precision };
    let known = cache.fastest(&key).map(|fastest| fastest.config.clone());
    let is_possible = |known: &KernelConfig| {
        let is_fused = Some(layout::fused_step(job, gpu.budget(), known).is_some());
        candidates.iter().any(|c| way(c) == way(known)) && known.are_on(gpu) && is_fused == known.fused
    };
    if let Some(known) = known.filter(is_possible) {
        return Ok((known, false));
    }
    let fastest = Race { gpu, job, state }.run(&candidates, &mut cache).await?;
    let config = fastest.config.clone();
    cache.remember(Fastest { key, milliseconds: 1e3 * fastest.seconds, config });
    cache.write(path.as_deref());
    Ok((fastest.config, true))
}

/// What tells a candidate from others, whatever its tiles and blocks.
fn way(config: &KernelConfig) -> (Storage, Option<bool>, Option<MatmulTiling>) {
    (config.storage, config.fused, config.fused_tiling)
}

/// The candidates, with untuned tiles and blocks.
fn candidates(gpu: &Gpu, job: &Job, precision: Precision) -> Result<Vec<KernelConfig>> {
    let budget = gpu.budget();
    let mixed = || KernelConfig::choose(gpu, Precision::Mixed);
    let stored = match precision {
        Precision::F32 => vec![KernelConfig::default()],
        Precision::Mixed => vec![mixed()?],
        // A device without 16-bit floats has fewer candidates.
        Precision::Auto => [Some(KernelConfig::default()), mixed().ok()].into_iter().flatten().collect(),
    };
    let ways = stored.into_iter().flat_map(|stored| {
        let way = |(fused, fused_tiling)| KernelConfig { fused: Some(fused), fused_tiling, ..stored.clone() };
        let with_matrices = MatmulTiling::with_matrices(gpu, stored.storage);
        let all = [Some((true, None)), with_matrices.map(|t| (true, Some(t))), Some((false, None))];
        // The environment may rule out some, and a network may be too large.
        let is_possible =
            |way: &KernelConfig| Some(layout::fused_step(job, budget, way).is_some()) == way.fused;
        all.into_iter().flatten().map(way).filter(is_possible).collect::<Vec<_>>()
    });
    let (mut fitting, mut refusal) = (Vec::new(), None);
    for way in ways {
        match Layout::training(job, budget, way.clone()) {
            Ok(_) => fitting.push(way),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) if fitting.is_empty() => Err(error),
        _ => Ok(fitting),
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Timed {
    config: KernelConfig,
    seconds: f64,
}

/// The faster of the two, unless it stores 16 bits and is barely faster.
fn faster(a: Timed, b: Timed) -> Timed {
    let handicap = |t: &Timed| if t.config.storage == Storage::F16 { F16_MIN_SPEEDUP } else { 1.0 };
    if b.seconds * handicap(&b) < a.seconds * handicap(&a) { b } else { a }
}

struct Race<'a> {
    gpu: &'a Arc<Gpu>,
    job: &'a Job,
    state: &'a TrainingState,
}

impl Race<'_> {
    /// The best of `candidates`, first with the default tiles and blocks, then with the fastest.
    async fn run(&self, candidates: &[KernelConfig], cache: &mut TuningCache) -> Result<Timed> {
        let (mut timed, mut refusal) = (Vec::new(), None);
        for candidate in candidates {
            let candidate = sound(self.gpu, self.job.model.network.activation, candidate.clone()).await?;
            match self.time(&candidate).await {
                Ok(seconds) => timed.push(Timed { config: candidate, seconds }),
                Err(error) => refusal = Some(left_out(error)?),
            }
        }
        let Some(fastest) = timed.iter().map(|t| t.seconds).min_by(f64::total_cmp) else {
            return Err(refusal.expect("each candidate was timed or refused"));
        };
        timed.retain(|t| t.seconds <= PRUNE_RATIO * fastest);
        for timed in &mut timed {
            let refined = match timed.config.fused {
                Some(true) => self.blocks(&timed.config),
                _ => Vec::from_iter(self.tiles(&timed.config, cache).await?),
            };
            for config in refined {
                match self.time(&config).await {
                    Ok(seconds) if seconds < timed.seconds => *timed = Timed { config, seconds },
                    Ok(_) => {}
                    Err(error) => _ = left_out(error)?,
                }
            }
        }
        Ok(timed.into_iter().reduce(faster).expect("the fastest is left"))
    }

    /// A fused step with other blocks.
    fn blocks(&self, way: &KernelConfig) -> Vec<KernelConfig> {
        fused::with_other_blocks(&self.job.model, self.job.batch_size as usize, &self.gpu.budget(), way)
    }

    /// A step layer by layer with the fastest tiles for each product, unless they cannot be timed.
    async fn tiles(&self, way: &KernelConfig, cache: &mut TuningCache) -> Result<Option<KernelConfig>> {
        let (gpu, job) = (self.gpu, self.job);
        let known = cache.tiles(&gpu.identity(), way.storage, tiles::n_samples(job, gpu.budget()));
        match tiles::complete(gpu, job, way, known).await {
            Ok(tuned) => Ok(Some(KernelConfig { tuned, ..way.clone() })),
            Err(error) => left_out(error).map(|_| None),
        }
    }

    /// Seconds of a step with `config`, once its kernels have passed their self-test.
    async fn time(&self, config: &KernelConfig) -> Result<f64> {
        let job = Job { batch_size: self.job.batch_size.min(MAX_SAMPLES), ..self.job.clone() };
        let how = (self.gpu.budget(), config.clone());
        let mut backend = GpuBackend::with(Arc::clone(self.gpu), job, self.state, how).await?;
        backend.self_test().await?;
        let (mut n, mut best, mut counted) = (1, f64::INFINITY, 0);
        let (clock, mut all) = (self.gpu.options.clock, self.steps());
        while counted < REPEATS {
            let steps: Vec<Step> = all.by_ref().take(n).collect();
            let start = clock.now();
            backend.enqueue(&steps).await?;
            backend.finish().await?;
            let took = clock.since(start);
            if took < MIN_SAMPLE_TIME && n < MAX_STEPS && counted == 0 {
                n *= 2;
                continue;
            }
            best = best.min(took.as_secs_f64() / n as f64);
            counted += 1;
        }
        log::info!("{:.3} ms a step {}", 1e3 * best, config.name());
        Ok(best)
    }

    /// Whole steps, with almost no change of the weights.
    fn steps(&self) -> Steps {
        let (samples, batch_size) = (self.job.samples, self.job.batch_size.min(MAX_SAMPLES));
        let by_error = self.job.options.sampling == Sampling::Error && self.job.options.mask.is_none();
        Steps::new(samples.len(), batch_size, 0, 1e-6)
            .part_of_order(0, 0..samples.len() / batch_size * batch_size)
            .spread_by(by_error.then(|| Arc::new(Importance::even(samples))))
            .starting_at(self.state.step)
    }
}

/// Reports why a candidate is left out; returns the error if the device itself is lost.
fn left_out(error: BackendError) -> Result<BackendError> {
    match error {
        BackendError::WrongResults { .. }
        | BackendError::NotCompiled { .. }
        | BackendError::Device(_)
        | BackendError::DoesNotFit(_) => {
            log::warn!("not used: {error}");
            Ok(error)
        }
        error => Err(error),
    }
}

/// What a step's speed depends on, readable and as a key.
fn describe(job: &Job) -> String {
    let Model { encoding, network } = &job.model;
    let parts: Vec<_> = encoding
        .parts()
        .iter()
        .map(|part| {
            let kind = match part {
                Encoding::Pointwise(pointwise) => pointwise.stem(),
                Encoding::Fourier { .. } => "Fourier",
                Encoding::TrainedFourier { .. } => "trained Fourier",
                Encoding::Grid(_) => "grid",
                Encoding::Composite(_) => "composite",
            };
            format!("{kind} {} of {} weights", part.output_width(), part.n_params())
        })
        .collect();
    let Mlp { hidden_width, output_width, n_layers, activation, output_activation, .. } = network;
    let (parts, n_samples) = (parts.join(" + "), job.batch_size.next_power_of_two());
    let (loss, n_moments, sums) = (job.loss, job.optimizer.n_moments(), job.options.grid_gradients);
    format!(
        "{parts}, {n_layers} layers of {hidden_width} to {output_width}, {activation:?}, {output_activation:?}; \
         {loss:?}, {n_moments} moments; {n_samples} samples, {sums:?} sums"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_must_be_worth_it() {
        let timed =
            |storage, seconds| Timed { config: KernelConfig { storage, ..KernelConfig::default() }, seconds };
        let (exact, slower) = (timed(Storage::F32, 1.0), timed(Storage::F32, 1.2));
        for (half, wins) in [(0.8, true), (0.95, false), (1.05, false)] {
            let half = timed(Storage::F16, half);
            for winner in [faster(exact.clone(), half.clone()), faster(half.clone(), exact.clone())] {
                assert_eq!(winner.config.storage == Storage::F16, wins, "{half:?}");
            }
        }
        assert_eq!(faster(slower.clone(), exact.clone()), exact);
        assert_eq!(faster(exact.clone(), slower), exact);
    }
}
