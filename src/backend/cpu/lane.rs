//! What a step's samples add up to: the gradients of the linear layers lane by lane, those of the
//! encoding's weights part by part.
//!
//! A table of features may have millions of entries, so lanes have no copy of it. They keep the
//! gradient of each sample's features for a round of chunks; then each part of the encoding (a
//! level of a grid, some frequencies) adds up its own, lane after lane and sample after sample, whichever
//! thread takes it.

use super::encode::fourier_backward;
use super::network::{ChunkGradients, EncodingRows};
use super::{CHUNK_SIZE, grid};
use crate::model::encoding::parts::copy_columns;
use crate::model::{Encoding, Model, Real};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Chunks a lane goes through before the encoding's gradients are added up, where it has weights.
const ROUND_CHUNKS: usize = 2;

/// Gradients and loss of some of a step's chunks.
pub(super) struct Lane<T> {
    /// Of the linear layers.
    pub(super) layers: Vec<T>,
    /// This lane's share.
    pub(super) loss: f64,
    /// Positions of this round's samples, (n, 2); empty for encodings without weights.
    coords: Vec<T>,
    /// (n, encoding width), likewise.
    dl_dfeatures: Vec<T>,
    /// n
    n_rows: usize,
}

/// Samples a lane keeps at a time.
fn kept_rows(model: &Model) -> usize {
    if model.encoding.n_params() == 0 { 0 } else { ROUND_CHUNKS * CHUNK_SIZE }
}

impl<T: Real> Lane<T> {
    pub(super) fn new(model: &Model) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let rows = kept_rows(model);
        Self {
            layers: zeros(model.network.n_params()),
            loss: 0.0,
            coords: zeros(2 * rows),
            dl_dfeatures: zeros(rows * model.network.input_width),
            n_rows: 0,
        }
    }

    /// Values that [`Lane::new`] allocates.
    pub(super) fn size(model: &Model) -> usize {
        model.network.n_params() + kept_rows(model) * (2 + model.network.input_width)
    }

    /// Begins a step.
    pub(super) fn clear(&mut self) {
        self.layers.fill(T::zero());
        self.loss = 0.0;
    }

    /// Begins a round.
    pub(super) fn forget_rows(&mut self) {
        self.n_rows = 0;
    }

    /// Where the gradients of the next `n` samples go.
    pub(super) fn chunk(&mut self, n: usize) -> ChunkGradients<'_, T> {
        if self.coords.is_empty() {
            return ChunkGradients { layers: &mut self.layers, encoding: None };
        }
        let width = self.dl_dfeatures.len() / (self.coords.len() / 2);
        let rows = self.n_rows..self.n_rows + n;
        self.n_rows = rows.end;
        let encoding = EncodingRows {
            coords: &mut self.coords[2 * rows.start..2 * rows.end],
            dl_dfeatures: &mut self.dl_dfeatures[width * rows.start..width * rows.end],
        };
        ChunkGradients { layers: &mut self.layers, encoding: Some(encoding) }
    }

    /// coords (n, 2) and dl_dfeatures (n, encoding width) of this round's samples.
    fn rows(&self) -> (&[T], &[T]) {
        let width = self.dl_dfeatures.len() / (self.coords.len() / 2).max(1);
        (&self.coords[..2 * self.n_rows], &self.dl_dfeatures[..width * self.n_rows])
    }
}

/// The chunks of lane `lane` of `n_lanes`, in rounds: all of them where the encoding has no
/// weights.
pub(super) fn rounds(
    model: &Model,
    n_chunks: usize,
    n_lanes: usize,
) -> impl Iterator<Item = impl Fn(usize) -> std::ops::Range<usize>> {
    let longest = n_chunks.div_ceil(n_lanes);
    let length = if model.encoding.n_params() == 0 { longest } else { ROUND_CHUNKS };
    (0..longest.div_ceil(length)).map(move |round| {
        move |lane: usize| {
            let (start, end) = (n_chunks * lane / n_lanes, n_chunks * (lane + 1) / n_lanes);
            (start + round * length).min(end)..(start + (round + 1) * length).min(end)
        }
    })
}

/// Frequencies that one thread takes at a time.
const FREQUENCY_BLOCK: usize = 32;

/// Adds the gradients of this round's samples in `lanes` to `grads`, those of the encoding's weights
/// `params`. `pool` is none to do it on this thread.
pub(super) fn encoding_gradients<T: Real>(
    encoding: &Encoding,
    params: &[T],
    lanes: &[Mutex<Lane<T>>],
    pool: Option<&rayon::ThreadPool>,
    grads: &mut [T],
) {
    if grads.is_empty() {
        return;
    }
    let lanes: Vec<_> = lanes.iter().map(|lane| lane.lock().expect("a worker thread panicked")).collect();
    let rows: Vec<_> = lanes.iter().map(|lane| lane.rows()).collect();
    let Encoding::Composite(_) = encoding else {
        return gradients_of_rows(encoding, params, &rows, pool, grads);
    };
    let Some((part, columns)) = encoding.trained_part() else { return };
    let own = rows.iter().map(|(coords, dl_dfeatures)| {
        let mut own = vec![T::zero(); coords.len() / 2 * columns.len()];
        let from = (*dl_dfeatures, encoding.output_width(), columns.clone());
        copy_columns(from, (&mut own, columns.len(), 0));
        own
    });
    let own: Vec<Vec<T>> = own.collect();
    let rows: Vec<_> = rows.iter().zip(&own).map(|((coords, _), own)| (*coords, own.as_slice())).collect();
    gradients_of_rows(part, params, &rows, pool, grads);
}

/// The same of one encoding and its own columns: `rows` are coords (n, 2) and dl_dfeatures (n, width).
fn gradients_of_rows<T: Real>(
    encoding: &Encoding,
    params: &[T],
    rows: &[(&[T], &[T])],
    pool: Option<&rayon::ThreadPool>,
    grads: &mut [T],
) {
    match encoding {
        Encoding::Grid(grid) => {
            let levels = (0..grid.levels.len()).map(|level| grid.params_of(level).len());
            in_parts(grads, levels.collect(), pool, |level, grads| {
                for (coords, dl_dfeatures) in rows {
                    grid::backward_level(grid, level, coords, dl_dfeatures, grads);
                }
            });
        }
        Encoding::TrainedFourier { initial } => {
            let blocks = initial.chunks(FREQUENCY_BLOCK).map(|block| 2 * block.len());
            in_parts(grads, blocks.collect(), pool, |block, grads| {
                let grads = grads.as_chunks_mut().0;
                for (coords, dl_dfeatures) in rows {
                    fourier_backward(params, block * FREQUENCY_BLOCK, coords, dl_dfeatures, grads);
                }
            });
        }
        Encoding::Identity | Encoding::Fourier { .. } | Encoding::PerAxis(_) | Encoding::Composite(_) => {
            unreachable!("an encoding without weights has no gradients")
        }
    }
}

/// Cuts `grads` into parts of `lengths` and gives each to a thread, the last first: a grid's finest level
/// takes longest.
fn in_parts<T: Real>(
    grads: &mut [T],
    lengths: Vec<usize>,
    pool: Option<&rayon::ThreadPool>,
    add: impl Fn(usize, &mut [T]) + Sync,
) {
    let mut rest = grads;
    let parts: Vec<_> = lengths
        .into_iter()
        .map(|length| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            Mutex::new(part)
        })
        .collect();
    let next = AtomicUsize::new(0);
    let take = || parts.len().checked_sub(1 + next.fetch_add(1, Ordering::Relaxed));
    let work = || {
        while let Some(part) = take() {
            add(part, &mut parts[part].lock().expect("a worker thread panicked"));
        }
    };
    match pool {
        None => work(),
        Some(pool) => {
            pool.broadcast(|_| work());
        }
    }
}
