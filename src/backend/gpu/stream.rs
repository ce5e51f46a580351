//! A picture that stays on the host: its samples are gathered there, step by step, and sent.
//!
//! A part of a step is cut into pieces of rows, each with a slot of a ring on the device. The slots of a
//! submission are written before it, so none may be used twice in it; the next submission uses them again. The
//! host gathers for one submission while the device works on those before.

use super::ops::sample::{pack_pixel, words_per_pixel};
use super::plan::{BufferId, Dispatch};
use super::session::Session;
use crate::backend::Job;
use crate::backend::cpu::sample::draw;
use crate::model::{Sampling, Step};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a piece, if memory allows.
const PIECE_ROWS: usize = 1 << 16;

/// Rows that one task gathers.
const TASK_ROWS: usize = 1 << 10;

/// Consecutive rows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Within the step.
    pub number: u32,
    /// Within the step.
    pub rows: Range<usize>,
}

/// The ring on the device: slots of as many words as a piece has.
#[derive(Clone, Debug)]
pub struct Ring {
    /// (slots, rows of a piece, words of a row)
    pub buffer: BufferId,
    /// Slots.
    pub n_slots: u32,
    /// Pieces of a full step.
    pub pieces_per_step: u32,
    /// Words of a row: its pixel's number; where rows have weights, area and count of
    /// [`crate::model::Drawn`]; the pixel as stored.
    pub row_words: usize,
    /// Whether rows have weights.
    pub weighted: bool,
    /// Samples computed at a time.
    chunk: usize,
    piece_rows: usize,
}

impl Ring {
    /// For steps of `job` in parts of `chunk` samples, within `max_bytes`. Without a buffer yet.
    pub fn new(job: &Job, chunk: usize, max_bytes: u64) -> Self {
        let weighted = job.options.mask.is_none() && job.options.sampling == Sampling::Error;
        let row_words = 1 + 2 * usize::from(weighted) + words_per_pixel(&job.picture);
        let max_rows = (max_bytes / (4 * row_words as u64)) as usize;
        // Four slots or more, so that pieces can be sent while others are used.
        let piece_rows = PIECE_ROWS.min(max_rows / 4).clamp(1, chunk);
        let n_parts = (job.batch_size as usize).div_ceil(chunk);
        let pieces_per_step = n_parts * chunk.div_ceil(piece_rows);
        let useful = pieces_per_step * super::memory::RING_SLOTS;
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

    /// Words of a slot.
    pub fn slot_words(&self) -> usize {
        self.piece_rows * self.row_words
    }

    /// The shape of its buffer.
    pub fn shape(&self) -> [usize; 3] {
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
    fn slot(&self, step_slot: usize, piece: u32) -> usize {
        // As in the shader, in 32 bits.
        ((step_slot as u32 * self.pieces_per_step + piece) % self.n_slots) as usize
    }

    /// Most steps of a submission: one at least.
    pub fn max_steps(&self) -> usize {
        ((self.n_slots / self.pieces_per_step) as usize).max(1)
    }
}

/// A piece that a dispatch is about to take.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The step's slot of the loss ring.
    pub step_slot: usize,
    /// The step.
    pub step: &'a Step,
    /// The piece.
    pub piece: &'a Piece,
}

/// The host's side.
#[derive(Debug)]
pub struct Stream {
    job: Job,
    ring: Ring,
    words: Vec<u32>,
}

impl Stream {
    /// Of `job`'s picture through `ring`.
    pub fn new(job: &Job, ring: &Ring) -> Self {
        Self { job: job.clone(), ring: ring.clone(), words: Vec::new() }
    }

    /// Most steps of a submission.
    pub fn max_steps(&self) -> usize {
        self.ring.max_steps()
    }

    /// How many of `wanted`, at least one, go into the ring together: in ascending slots.
    pub fn fitting<'a>(&self, wanted: impl Iterator<Item = Wanted<'a>>) -> usize {
        let mut last = None;
        let ascends = |one: &Wanted| {
            let slot = Some(self.ring.slot(one.step_slot, one.piece.number));
            let ascends = last < slot;
            last = slot;
            ascends
        };
        wanted.take_while(ascends).count()
    }

    /// Gathers `wanted`, which fit together, and has them written before what is submitted next.
    pub fn send(&mut self, session: &Session, wanted: &[Wanted]) {
        let slot = |one: &Wanted| self.ring.slot(one.step_slot, one.piece.number);
        let (Some(first), Some(last)) = (wanted.first().map(slot), wanted.last().map(slot)) else { return };
        let (slot_words, row_words) = (self.ring.slot_words(), self.ring.row_words);
        let last_words = wanted.last().map_or(0, |one| one.piece.rows.len() * row_words);
        self.words.resize((last - first) * slot_words + last_words, 0);
        // The slots of shorter steps are not all wanted.
        let mut slots: Vec<_> = self.words.chunks_mut(slot_words).map(Some).collect();
        let tasks: Vec<_> = wanted
            .iter()
            .flat_map(|one| {
                let words = slots[slot(one) - first].take().expect("slots ascend");
                let words = &mut words[..one.piece.rows.len() * row_words];
                let starts = one.piece.rows.clone().step_by(TASK_ROWS);
                starts
                    .zip(words.chunks_mut(TASK_ROWS * row_words))
                    .map(move |(row, words)| (one.step, row, words))
            })
            .collect();
        let (job, weighted) = (&self.job, self.ring.weighted);
        tasks.into_par_iter().for_each(|(step, first_row, words)| {
            for (row, words) in (first_row as u32..).zip(words.chunks_exact_mut(row_words)) {
                gather(job, step, row, weighted, words);
            }
        });
        let offset = 4 * (first * slot_words) as u64;
        let buffer = session.buffer(self.ring.buffer);
        session.gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(&self.words));
    }

    /// Sends what `dispatch` of `step` takes, if it takes any, where each is submitted alone.
    pub fn send_for(&mut self, session: &Session, dispatch: &Dispatch, step: &Step) {
        if let Some(piece) = &dispatch.piece {
            self.send(session, &[Wanted { step_slot: 0, step, piece }]);
        }
    }
}

/// Row `row` of `step`, as [`Ring::row_words`] says.
fn gather(job: &Job, step: &Step, row: u32, weighted: bool, words: &mut [u32]) {
    let drawn = draw(job, step, row);
    let pixel = drawn.y as usize * job.picture.width as usize + drawn.x as usize;
    words[0] = pixel as u32;
    let stored = if weighted {
        (words[1], words[2]) = (drawn.area, drawn.count);
        &mut words[3..]
    } else {
        &mut words[1..]
    };
    pack_pixel(&job.picture, pixel, stored);
}
