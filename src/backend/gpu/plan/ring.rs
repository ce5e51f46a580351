//! The ring buffer for streamed samples, if the picture stays on the host.
//!
//! A part of a step is split into pieces, each with a slot of a ring on the device. The slots of a submission
//! are written before it, so none may be used twice in it; the next submission reuses them.

use super::picture::words_per_pixel;
use super::{BufferId, RING_SLOTS};
use crate::backend::Job;
use crate::model::Sampling;
use std::ops::Range;

/// Rows of a piece, if memory allows.
const PIECE_ROWS: usize = 1 << 16;

/// Consecutive rows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index within the step.
    pub number: u32,
    /// Samples within the step.
    pub rows: Range<usize>,
}

/// The ring on the device: slots as large as a piece.
#[derive(Clone, Debug)]
pub struct StagingRing {
    /// (slots, rows of a piece, words of a row)
    pub(crate) buffer: BufferId,
    pub n_slots: u32,
    pub pieces_per_step: u32,
    /// Words of a row: its pixel's number; if rows have weights, area and count of [`crate::model::Sample`]; the
    /// pixel as stored.
    pub row_words: usize,
    /// Whether rows have weights.
    pub(crate) weighted: bool,
    /// Samples computed at a time.
    chunk: usize,
    piece_rows: usize,
}

impl StagingRing {
    /// For steps of `job` in parts of `chunk` samples, within `max_bytes`. Has no buffer yet.
    pub(crate) fn new(job: &Job, chunk: usize, max_bytes: u64) -> Self {
        let weighted = job.options.mask.is_none() && job.options.sampling == Sampling::Error;
        let row_words = 1 + 2 * usize::from(weighted) + words_per_pixel(&job.picture);
        let max_rows = (max_bytes / (4 * row_words as u64)) as usize;
        // Four slots or more, so that pieces can be sent while others are used.
        let piece_rows = PIECE_ROWS.min(max_rows / 4).clamp(1, chunk);
        let n_parts = (job.batch_size as usize).div_ceil(chunk);
        let pieces_per_step = n_parts * chunk.div_ceil(piece_rows);
        let useful = pieces_per_step * RING_SLOTS;
        let n_slots = (max_rows / piece_rows).clamp(1, useful) as u32;
        Self {
            buffer: BufferId(usize::MAX),
            n_slots,
            pieces_per_step: pieces_per_step as u32,
            row_words,
            weighted,
            chunk,
            piece_rows,
        }
    }

    pub fn slot_words(&self) -> usize {
        self.piece_rows * self.row_words
    }

    pub(crate) fn shape(&self) -> [usize; 3] {
        [self.n_slots as usize, self.piece_rows, self.row_words]
    }

    /// The pieces of the part `rows` of a step.
    pub fn pieces(&self, rows: Range<usize>) -> impl Iterator<Item = Piece> + '_ {
        let first = rows.start / self.chunk * self.chunk.div_ceil(self.piece_rows);
        rows.clone().step_by(self.piece_rows).zip(first as u32..).map(move |(start, number)| Piece {
            number,
            rows: start..(start + self.piece_rows).min(rows.end),
        })
    }

    /// The slot of piece `piece` of the step that has slot `step_slot` of the loss ring.
    pub(crate) fn slot(&self, step_slot: usize, piece: u32) -> usize {
        // As in the shader, in 32 bits.
        ((step_slot as u32 * self.pieces_per_step + piece) % self.n_slots) as usize
    }

    /// Maximum steps of a submission, at least one.
    pub(crate) fn max_steps(&self) -> usize {
        ((self.n_slots / self.pieces_per_step) as usize).max(1)
    }
}
