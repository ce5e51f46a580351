//! Colours of any raster on all cores, the same to the bit for any number of threads.

use super::chunks::CHUNK_SIZE;
use super::network::{Pass, Scratch};
use super::packed::{PackFor, Packed};
use super::simd::{SimdReal, instruction_set};
use crate::backend::{BackendError, BackendInfo, Predict, Result};
use crate::model::{Model, ParamLayout, Raster};
use async_trait::async_trait;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Starts `threads` worker threads; 0 means all cores.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool> {
    if cfg!(target_family = "wasm") {
        let reason = "the CPU backend needs threads, which there are not in a browser; use a GPU";
        return Err(BackendError::Unsupported(reason.to_owned()));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("cpu-{i}"))
        .build()
        .map_err(|e| BackendError::Device(e.to_string()))
}

/// `pool`, unless it has one thread: then the caller does its work, since waking another thread takes as long as a
/// small step.
pub(super) fn helpers(pool: &rayon::ThreadPool) -> Option<&rayon::ThreadPool> {
    (pool.current_num_threads() > 1).then_some(pool)
}

/// Locks a mutex that cannot be poisoned: a panic in a worker ends the run.
pub(super) fn lock<L>(mutex: &Mutex<L>) -> std::sync::MutexGuard<'_, L> {
    mutex.lock().expect("a worker thread panicked")
}

/// Calls `work` on all threads of `pool`, or on this one if there is none, with the thread's number and the tasks it
/// gets of `n`: always the next one that no other has taken.
pub(super) fn give_out(
    pool: Option<&rayon::ThreadPool>,
    n: usize,
    work: impl Fn(usize, &mut dyn Iterator<Item = usize>) + Sync,
) {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&task| task < n);
    let work = |thread: usize| work(thread, &mut std::iter::from_fn(take));
    match pool {
        None => work(0),
        Some(pool) => {
            pool.broadcast(|thread| work(thread.index()));
        }
    }
}

/// Colours of consecutive points on all threads of `pool`, by their positions and from number `first` on; one `scratch`
/// a thread.
pub(super) fn predict_with<T: SimdReal>(
    pool: &rayon::ThreadPool,
    pass: &Pass<'_, T>,
    scratch: &[Mutex<Scratch<T>>],
    (position, first): (impl Fn(u64) -> [f32; 2] + Sync, u64),
    out: &mut [f32],
) {
    let channels = pass.model.network.output_width;
    let chunks: Vec<_> = out.chunks_mut(CHUNK_SIZE * channels).map(Mutex::new).collect();
    give_out(helpers(pool), chunks.len(), |thread, indices| {
        let scratch = &mut *lock(&scratch[thread]);
        for index in indices {
            let first = first + (index * CHUNK_SIZE) as u64;
            pass.predict(&position, first, scratch, &mut lock(&chunks[index]));
        }
    });
}

/// Renders a trained model: no picture, no training state.
pub struct CpuPredictor<T> {
    model: Model,
    layout: ParamLayout,
    params: Vec<T>,
    packed: Packed<T>,
    pool: rayon::ThreadPool,
    scratch: Vec<Mutex<Scratch<T>>>,
}

impl<T: SimdReal> CpuPredictor<T> {
    /// From `params`, the flat buffer of `model.layout()`, on `threads` threads; 0 means all cores.
    ///
    /// # Errors
    /// When `params` has another length or the worker threads cannot be started.
    pub fn new(model: Model, params: &[f32], threads: usize) -> Result<Self> {
        Self::on(thread_pool(threads)?, model, params)
    }

    /// The same on the threads of `pool`.
    pub(crate) fn on(pool: rayon::ThreadPool, model: Model, params: &[f32]) -> Result<Self> {
        let layout = model.layout();
        if params.len() != layout.n_params() {
            let (given, needed) = (params.len(), layout.n_params());
            return Err(BackendError::StateMismatch(format!("{given} parameters of {needed}")));
        }
        let scratch = || Mutex::new(Scratch::new(&model, CHUNK_SIZE));
        Ok(Self {
            scratch: (0..pool.current_num_threads()).map(|_| scratch()).collect(),
            packed: Packed::new(&layout, PackFor::Prediction),
            params: params.iter().map(|&p| T::from_f32(p)).collect(),
            model,
            layout,
            pool,
        })
    }

    pub(crate) fn info(&self) -> BackendInfo {
        info(&self.pool)
    }

    /// Writes the colours at `coords` into `out`, (n, channels): the same to the bit as those of pixels there.
    ///
    /// # Panics
    /// When the lengths do not match.
    pub fn predict_at(&mut self, coords: &[[f32; 2]], out: &mut [f32]) {
        assert_eq!(out.len(), coords.len() * self.model.network.output_width, "colours");
        self.predict_points((|i| coords[i as usize], 0), out);
    }

    fn predict_points(&mut self, points: (impl Fn(u64) -> [f32; 2] + Sync, u64), out: &mut [f32]) {
        let layers = self.packed.of(&self.layout, &self.params, helpers(&self.pool));
        let pass = Pass { model: &self.model, layout: &self.layout, params: &self.params, layers };
        predict_with(&self.pool, &pass, &self.scratch, points, out);
    }
}

pub(super) fn info(pool: &rayon::ThreadPool) -> BackendInfo {
    BackendInfo {
        backend: "cpu".into(),
        device: std::env::consts::ARCH.into(),
        threads: pool.current_num_threads(),
        kernels: vec![instruction_set()],
        chunk_size: CHUNK_SIZE as u32,
        ..BackendInfo::default()
    }
}

#[async_trait(?Send)]
impl<T: SimdReal> Predict for CpuPredictor<T> {
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<()> {
        self.predict_points((|pixel| raster.position_of(pixel), first), out);
        Ok(())
    }
}
