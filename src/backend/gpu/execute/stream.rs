//! A picture that stays on the host: its samples are gathered there, step by step, and sent to the device.
//!
//! The host gathers for one submission while the device works on earlier ones.

use super::resources::Resources;
use crate::backend::Job;
use crate::backend::cpu::sample::draw;
use crate::backend::gpu::plan::picture::pack_pixel;
use crate::backend::gpu::plan::{Piece, StagingRing};
use crate::model::Step;
use rayon::prelude::*;

/// Rows gathered per task.
const TASK_ROWS: usize = 1 << 10;

/// A piece that a dispatch is about to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadRequest<'a> {
    /// The step's slot of the loss ring.
    pub step_slot: usize,
    pub step: &'a Step,
    pub piece: &'a Piece,
}

/// The host side of the ring.
#[derive(Debug)]
pub(crate) struct Stream {
    job: Job,
    pub(super) ring: StagingRing,
    words: Vec<u32>,
}

impl Stream {
    pub(crate) fn new(job: &Job, ring: &StagingRing) -> Self {
        Self { job: job.clone(), ring: ring.clone(), words: Vec::new() }
    }

    /// How many of `wanted`, at least one, fit into the ring together: in ascending slots.
    pub(crate) fn fitting<'a>(&self, wanted: impl Iterator<Item = UploadRequest<'a>>) -> usize {
        let mut last = None;
        let ascends = |one: &UploadRequest| {
            let slot = Some(self.ring.slot(one.step_slot, one.piece.number));
            let ascends = last < slot;
            last = slot;
            ascends
        };
        wanted.take_while(ascends).count()
    }

    /// Gathers `wanted`, which fit together, and writes them before the next submission.
    pub(crate) fn send(&mut self, resources: &Resources, wanted: &[UploadRequest]) {
        let slot = |one: &UploadRequest| self.ring.slot(one.step_slot, one.piece.number);
        let (Some(first), Some(last)) = (wanted.first().map(slot), wanted.last().map(slot)) else { return };
        let (slot_words, row_words) = (self.ring.slot_words(), self.ring.row_words);
        let last_words = wanted.last().map_or(0, |one| one.piece.rows.len() * row_words);
        self.words.resize((last - first) * slot_words + last_words, 0);
        // Shorter steps leave some slots unused.
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
        let buffer = resources.buffer(self.ring.buffer);
        resources.gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(&self.words));
    }
}

/// Row `row` of `step`, as [`StagingRing::row_words`] says.
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
