//! Gradients of a step: those of the linear layers lane by lane, those of the encoding's weights part by part.
//!
//! A grid's tables may have millions of entries, so lanes have no copy of their gradients. They buffer the gradient
//! of each sample's features for a round of chunks. Then each part of the encoding (a level of a grid, some
//! frequencies) is summed by one thread, lane after lane and sample after sample.

use super::chunks::CHUNK_SIZE;
use super::encode::fourier_backward_panels;
use super::grid;
use super::network::{ChunkGradients, EncodingInputs};
use super::panels::{PANEL, padded};
use super::predictor::{give_out, lock};
use crate::model::{Encoding, Model, Real};
use std::sync::Mutex;

/// Chunks a lane processes before the encoding's gradients are summed, if it has weights.
const ROUND_CHUNKS: usize = 2;

/// Gradients and loss of some of a step's chunks.
pub(super) struct Lane<T> {
    pub(super) layers: Vec<T>,
    pub(super) loss: f64,
    /// Positions of this round's samples, (n, 2); empty for encodings without weights.
    coords: Vec<T>,
    /// Sample panels of encoding width, likewise.
    dl_dfeatures: Vec<[T; PANEL]>,
    /// n, a multiple of 16 until the step's last chunk.
    n_buffered: usize,
}

/// Samples a lane buffers at a time.
fn max_buffered(model: &Model) -> usize {
    if model.encoding.n_params() == 0 { 0 } else { ROUND_CHUNKS * CHUNK_SIZE }
}

impl<T: Real> Lane<T> {
    pub(super) fn new(model: &Model) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let n = max_buffered(model);
        Self {
            layers: zeros(model.network.n_params()),
            loss: 0.0,
            coords: zeros(2 * n),
            dl_dfeatures: vec![[T::zero(); PANEL]; n / PANEL * model.network.input_width],
            n_buffered: 0,
        }
    }

    /// Values that [`Lane::new`] allocates.
    pub(super) fn size(model: &Model) -> usize {
        model.network.n_params() + max_buffered(model) * (2 + model.network.input_width)
    }

    pub(super) fn clear(&mut self) {
        self.layers.fill(T::zero());
        self.loss = 0.0;
    }

    pub(super) fn clear_samples(&mut self) {
        self.n_buffered = 0;
    }

    /// Where the gradients of the next `n` samples go.
    pub(super) fn chunk(&mut self, n: usize) -> ChunkGradients<'_, T> {
        if self.coords.is_empty() {
            return ChunkGradients { layers: &mut self.layers, encoding: None };
        }
        let width = self.encoding_width();
        let samples = self.n_buffered..self.n_buffered + n;
        self.n_buffered = samples.end;
        let panels = samples.start / PANEL..padded(samples.end) / PANEL;
        let encoding = EncodingInputs {
            coords: &mut self.coords[2 * samples.start..2 * samples.end],
            dl_dfeatures: &mut self.dl_dfeatures[width * panels.start..width * panels.end],
        };
        ChunkGradients { layers: &mut self.layers, encoding: Some(encoding) }
    }

    fn encoding_width(&self) -> usize {
        2 * PANEL * self.dl_dfeatures.len() / self.coords.len()
    }

    /// coords (n, 2) and dl_dfeatures, sample panels of encoding width, of this round's samples.
    fn samples(&self) -> (&[T], &[[T; PANEL]]) {
        (&self.coords[..2 * self.n_buffered], &self.dl_dfeatures)
    }
}

/// The chunks of lane `lane` of `n_lanes`, in rounds; a single round if the encoding has no weights.
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

/// Frequencies per task.
const FREQUENCY_BLOCK: usize = 32;

/// Adds the gradients of this round's samples in `lanes` to `grads`, those of the encoding's weights `params`. Runs
/// on this thread if `pool` is `None`.
pub(super) fn encoding_gradients<T: Real>(
    encoding: &Encoding,
    params: &[T],
    lanes: &[Mutex<Lane<T>>],
    pool: Option<&rayon::ThreadPool>,
    grads: &mut [T],
) {
    let Some((part, columns)) = encoding.trained_part() else { return };
    let (width, column) = (encoding.output_width(), columns.start);
    let lanes: Vec<_> = lanes.iter().map(lock).collect();
    let samples: Vec<_> = lanes.iter().map(|lane| lane.samples()).collect();
    match part {
        Encoding::Grid(grid) => {
            let levels = (0..grid.levels.len()).map(|level| grid.params_of(level).len());
            in_parts(grads, levels.collect(), pool, |level, grads| {
                for (coords, dl_dfeatures) in &samples {
                    grid::backward_level(grid, level, coords, (dl_dfeatures, width, column), grads);
                }
            });
        }
        Encoding::TrainedFourier { initial } => {
            let blocks = initial.chunks(FREQUENCY_BLOCK).map(|block| 2 * block.len());
            in_parts(grads, blocks.collect(), pool, |block, grads| {
                let grads = grads.as_chunks_mut().0;
                let own = (params, block * FREQUENCY_BLOCK);
                for (coords, dl_dfeatures) in &samples {
                    fourier_backward_panels(own, coords, (dl_dfeatures, width, column), grads);
                }
            });
        }
        Encoding::Pointwise(_) | Encoding::Fourier { .. } | Encoding::Composite(_) => {
            unreachable!("an encoding without weights has no gradients")
        }
    }
}

/// Splits `grads` into parts of `lengths` and gives each to a thread, the last first, since a grid's finest level
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
    give_out(pool, parts.len(), |_, tasks| {
        for part in tasks.map(|task| parts.len() - 1 - task) {
            add(part, &mut lock(&parts[part]));
        }
    });
}
