//! Steps over chunks of samples on all cores, bit-identical for any number of threads.

use super::chunks::{CHUNK_SIZE, n_lanes};
use super::lane::{Lane, encoding_gradients, rounds};
use super::memory;
use super::muon::Orthogonalizer;
use super::network::{Pass, Scratch};
use super::packed::{PackFor, Packed};
use super::predictor::{self, give_out, helpers, lock, predict_with, thread_pool};
use super::simd::SimdReal;
use super::single::{self, Weights};
use super::update::{Block, PARAM_BLOCK, Parts, Update, sum_of_squares};
use crate::backend::{Backend, BackendError, BackendInfo, Job, Predict, Result};
use crate::model::refinements::clip_factor;
use crate::model::{ParamLayout, Raster, Real, Step, TrainingState};
use async_trait::async_trait;
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Minimum number of blocks times lanes for an update on several threads.
const PARALLEL_BLOCKS: usize = 32;

/// The CPU backend. In f32 it trains; in f64 it is the reference.
pub struct CpuTrainer<T> {
    job: Job,
    layout: ParamLayout,
    pool: Arc<rayon::ThreadPool>,
    info: BackendInfo,
    /// One a thread.
    scratch: Vec<Mutex<Scratch<T>>>,
    /// Gradients of the linear layers and the loss, one sum per lane.
    lanes: Vec<Mutex<Lane<T>>>,
    /// Gradients of the encoding's weights; zeros between steps.
    encoding_grads: Vec<T>,
    params: Vec<T>,
    packed: Packed<T>,
    moments: Vec<Vec<T>>,
    /// One for each matrix that is updated as a whole.
    orthogonalizers: Vec<Orthogonalizer<T>>,
    step: u64,
    losses: Vec<f64>,
}

impl<T: SimdReal> CpuTrainer<T> {
    /// Prepares `job` from initial `params` (as laid out by the model) on `threads` threads; 0 means all cores.
    ///
    /// # Errors
    /// When the worker threads cannot be started. See [`super::memory::check`] for memory.
    pub fn new(job: Job, params: &[T], threads: usize) -> Result<Self> {
        Ok(Self::on(thread_pool(threads)?, job, params))
    }

    /// The same on the threads of `pool`.
    pub(crate) fn on(pool: rayon::ThreadPool, job: Job, params: &[T]) -> Self {
        let layout = job.model.layout();
        assert_eq!(params.len(), layout.n_params(), "parameters for the model");
        let n_threads = pool.current_num_threads();
        let matrices = job.whole_matrices(&layout);
        let scratch = || Mutex::new(Scratch::new(&job.model, CHUNK_SIZE));
        Self {
            scratch: (0..n_threads).map(|_| scratch()).collect(),
            lanes: (0..n_lanes(job.batch_size as usize)).map(|_| Mutex::new(Lane::new(&job.model))).collect(),
            encoding_grads: vec![T::zero(); layout.encoding.len()],
            orthogonalizers: matrices.iter().map(|layer| Orthogonalizer::new(layer.shape)).collect(),
            moments: initial_moments(&job, params),
            params: params.to_vec(),
            packed: Packed::new(&layout, PackFor::Training),
            info: BackendInfo {
                bytes: memory::size_bytes::<T>(&job, n_threads) + job.picture.size_bytes(),
                ..predictor::info(&pool)
            },
            step: 0,
            losses: Vec::new(),
            layout,
            pool: Arc::new(pool),
            job,
        }
    }

    /// Weights and biases, as laid out.
    pub fn params(&self) -> &[T] {
        &self.params
    }

    /// Replaces them.
    pub fn set_params(&mut self, params: &[T]) {
        self.params.copy_from_slice(params);
        self.packed.invalidate();
    }

    /// One optimiser step; returns its loss, before the update.
    pub fn step(&mut self, step: &Step) -> f64 {
        self.step = step.index + 1;
        let is_plain = self.job.options.refinements.are_none()
            && self.layout.encoding.is_empty()
            && self.orthogonalizers.is_empty();
        if step.n_samples == 1 && is_plain {
            return self.single_sample_step(step);
        }
        let n_lanes = self.accumulate_gradients(step);
        self.update(step, n_lanes);
        self.lanes[..n_lanes].iter_mut().map(|lane| exclusive(lane).loss).sum()
    }

    /// A step of one sample runs on one thread and stores no gradient.
    fn single_sample_step(&mut self, step: &Step) -> f64 {
        let scratch = exclusive(&mut self.scratch[0]);
        let layers = Vec::new();
        let pass = Pass { model: &self.job.model, layout: &self.layout, params: &self.params, layers };
        let loss = pass.train_one(&self.job, step, scratch);
        let mut weights = Weights { params: &mut self.params, moments: &mut self.moments };
        single::descend(&self.layout, (self.job.optimizer, step), scratch, &mut weights);
        self.packed.invalidate();
        loss
    }

    /// Loss and gradients of `step` without an update.
    pub fn loss_and_gradients(&mut self, step: &Step) -> (f64, Vec<T>) {
        let n_lanes = self.accumulate_gradients(step);
        let mut grads = self.encoding_grads.clone();
        self.encoding_grads.fill(T::zero());
        grads.resize(self.layout.n_params(), T::zero());
        let mut loss = 0.0;
        for lane in &mut self.lanes[..n_lanes] {
            let lane = exclusive(lane);
            loss += lane.loss;
            for (sum, &g) in grads[self.layout.encoding.end..].iter_mut().zip(&lane.layers) {
                *sum += g;
            }
        }
        (loss, grads)
    }

    /// Fills the lanes' gradients and losses; returns how many lanes were used.
    fn accumulate_gradients(&mut self, step: &Step) -> usize {
        let n_samples = step.n_samples as usize;
        let n_lanes = n_lanes(n_samples);
        assert!(n_lanes <= self.lanes.len(), "a step of {n_samples} samples exceeds the batch");
        let n_chunks = n_samples.div_ceil(CHUNK_SIZE);
        let pool = helpers(&self.pool);
        let layers = self.packed.of(&self.layout, &self.params, pool);
        let pass = Pass { model: &self.job.model, layout: &self.layout, params: &self.params, layers };
        let (job, lanes, scratch) = (&self.job, &self.lanes[..n_lanes], &self.scratch);
        // Waking the other threads would take longer than a small step.
        let pool = pool.filter(|_| n_lanes > 1);
        for (round, chunks) in rounds(&job.model, n_chunks, n_lanes).enumerate() {
            let run_lane = |l: usize, scratch: &mut Scratch<T>| {
                let lane = &mut *lock(&lanes[l]);
                if round == 0 {
                    lane.clear();
                }
                lane.clear_samples();
                for chunk in chunks(l) {
                    let first = chunk * CHUNK_SIZE;
                    let n = CHUNK_SIZE.min(n_samples - first);
                    lane.loss += pass.train(job, step, (first as u32, n), scratch, lane.chunk(n));
                }
            };
            // Threads take whole lanes, each from its first chunk to its last.
            give_out(pool, n_lanes, |thread, lanes| {
                let scratch = &mut *lock(&scratch[thread]);
                lanes.for_each(|l| run_lane(l, scratch));
            });
            let of_encoding = &self.params[self.layout.encoding.clone()];
            encoding_gradients(&job.model.encoding, of_encoding, lanes, pool, &mut self.encoding_grads);
        }
        n_lanes
    }

    /// Sums the lanes' gradients in order and applies the optimiser, block by block.
    fn update(&mut self, step: &Step, n_lanes: usize) {
        self.packed.invalidate();
        let Self { pool, lanes, params, moments, orthogonalizers, job, encoding_grads, layout, .. } = self;
        let lanes: Vec<_> = lanes[..n_lanes].iter().map(lock).collect();
        let lanes: Vec<&[T]> = lanes.iter().map(|lane| lane.layers.as_slice()).collect();
        let factor = match job.options.refinements.clip_norm {
            Some(clip_norm) => {
                let squares = sum_of_squares(pool, &[encoding_grads]) + sum_of_squares(pool, &lanes);
                clip_factor(clip_norm, squares.sqrt())
            }
            None => 1.0,
        };
        let [of_encoding, of_layers, of_matrices] = Update::of_parts(job, step, factor);
        let Parts { encoding, layers, matrices } =
            Parts::new(params, moments, layout.encoding.end, job.whole_matrices(layout));
        let encoding_block = |(grads, block): (&mut [T], _)| {
            of_encoding.block(grads, block);
            // For the next step, while they are in the cache.
            grads.fill(T::zero());
        };
        // Lanes begin with the first layer.
        let start = |block: &Block<T>| block.start - layout.encoding.end;
        let layers_block = |block| of_layers.lanes(&lanes, start(&block), block);
        let matrix = |(block, orthogonalizer): (_, &mut _)| {
            of_matrices.matrix(&lanes, start(&block), block, orthogonalizer);
        };
        let encoding = encoding_grads.chunks_mut(PARAM_BLOCK).zip(encoding);
        let is_small = encoding.len() + layers.len() * lanes.len() < PARALLEL_BLOCKS;
        match helpers(pool).filter(|_| !is_small) {
            None => {
                encoding.for_each(encoding_block);
                layers.into_iter().for_each(layers_block);
            }
            Some(pool) => {
                let encoding: Vec<_> = encoding.collect();
                pool.install(|| {
                    encoding.into_par_iter().for_each(encoding_block);
                    layers.into_par_iter().for_each(layers_block);
                });
            }
        }
        match helpers(pool).filter(|_| !matrices.is_empty()) {
            None => matrices.into_iter().zip(orthogonalizers).for_each(matrix),
            Some(pool) => {
                pool.install(|| matrices.into_par_iter().zip(orthogonalizers).for_each(matrix));
            }
        }
    }
}

/// The moments, all 0, and the average, if there is one.
fn initial_moments<T: Real>(job: &Job, params: &[T]) -> Vec<Vec<T>> {
    let mut moments = vec![vec![T::zero(); params.len()]; job.optimizer.n_moments()];
    moments.extend(job.options.refinements.ema.map(|_| params.to_vec()));
    moments
}

fn exclusive<L>(mutex: &mut Mutex<L>) -> &mut L {
    mutex.get_mut().expect("a worker thread panicked")
}

#[async_trait(?Send)]
impl<T: SimdReal> Predict for CpuTrainer<T> {
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<()> {
        // Predict with the average, if there is one, setting the training weights aside.
        let averaged = self.job.options.refinements.ema.is_some();
        let params = if averaged { self.moments.last().expect("the average") } else { &self.params };
        if averaged {
            self.packed.invalidate();
        }
        let layers = self.packed.of(&self.layout, params, helpers(&self.pool));
        let pass = Pass { model: &self.job.model, layout: &self.layout, params, layers };
        predict_with(&self.pool, &pass, &self.scratch, (|pixel| raster.position_of(pixel), first), out);
        if averaged {
            self.packed.invalidate();
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl<T: SimdReal> Backend for CpuTrainer<T> {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    async fn enqueue(&mut self, steps: &[Step]) -> Result<()> {
        let (pool, n_lanes) = (Arc::clone(&self.pool), self.lanes.len());
        // Run everything on a thread of the pool, which steps through several lanes by itself: each time an outside
        // thread waits for the pool, both have to be woken.
        let mut all = || {
            for step in steps {
                let loss = self.step(step);
                self.losses.push(loss);
            }
        };
        match helpers(&pool).filter(|_| n_lanes > 1) {
            Some(pool) => pool.install(all),
            None => all(),
        }
        Ok(())
    }

    fn take_losses(&mut self) -> Result<Vec<f64>> {
        Ok(std::mem::take(&mut self.losses))
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    async fn state(&mut self) -> Result<TrainingState> {
        let narrow = |values: &[T]| values.iter().map(|v| v.as_f32()).collect::<Vec<f32>>();
        Ok(TrainingState {
            step: self.step,
            params: narrow(&self.params),
            moments: self.moments.iter().map(|m| narrow(m)).collect(),
        })
    }

    async fn set_state(&mut self, state: &TrainingState) -> Result<()> {
        if state.params.len() != self.params.len() || state.moments.len() != self.moments.len() {
            return Err(BackendError::StateMismatch(format!(
                "{} parameters and {} moments; {} and {} are needed",
                state.params.len(),
                state.moments.len(),
                self.params.len(),
                self.moments.len()
            )));
        }
        let widen = |values: &[f32]| values.iter().map(|&v| T::from_f32(v)).collect::<Vec<T>>();
        self.params = widen(&state.params);
        self.packed.invalidate();
        self.moments = state.moments.iter().map(|m| widen(m)).collect();
        self.step = state.step;
        Ok(())
    }
}
