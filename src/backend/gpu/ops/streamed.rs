//! Samples of a step gathered on the host, if the picture stays there.

use super::sample::{PictureParams, STORED_VALUE, position_tolerances};
use super::testing::{case, poison, words};
use crate::backend::Job;
use crate::backend::gpu::kernel::tolerance::DIVISION;
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, StepParams, close, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::picture::words_per_pixel;
use crate::backend::gpu::plan::{BufferId, Dispatch, Piece, StagingRing, THREADS, Workgroups};
use crate::model::{Coords, Raster};

params_block! {
    StreamedParams {
        /// Its first row is the piece's, within the part of the step.
        picture: PictureParams,
        grid_width: u32,
        n_rows: u32,
        /// Number of this piece within the step.
        piece: u32,
        pieces_per_step: u32,
        n_slots: u32,
        slot_words: u32,
        row_words: u32,
        /// Whether samples have weights: 0 or 1.
        weighted: u32,
    }
}

/// Positions, targets and weights of a piece.
pub(crate) static STREAMED: KernelDef = KernelDef {
    name: "sample_streamed",
    parts: &[STORED_VALUE, wgsl!("sample_streamed.wgsl")],
    uses_step: true,
    bindings: &[read("gathered"), write("coords"), write("targets"), write("sample_weights")],
    ..KernelDef::plain::<StreamedParams>(reference, cases)
};

/// Copies `piece` from `ring` to the rows from `first_row` on of `[coords, targets, sample_weights]`.
pub(crate) fn streamed(
    job: &Job,
    ring: &StagingRing,
    (piece, first_row): (Piece, usize),
    buffers: [BufferId; 3],
    max_groups: u32,
) -> Dispatch {
    let n = piece.rows.len();
    let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
    let params = StreamedParams {
        picture: PictureParams::of(job, first_row, 0),
        grid_width: grid.width,
        n_rows: n as u32,
        piece: piece.number,
        pieces_per_step: ring.pieces_per_step,
        n_slots: ring.n_slots,
        slot_words: ring.slot_words() as u32,
        row_words: ring.row_words as u32,
        weighted: ring.weighted.into(),
    };
    debug_assert_eq!(
        ring.row_words,
        1 + 2 * usize::from(ring.weighted) + words_per_pixel(&job.picture),
        "words of a sample"
    );
    let bound = [ring.buffer].into_iter().chain(buffers).collect();
    let dispatch = Dispatch::new(Kernel::plain(&STREAMED), &params, bound, grid, 40.0 * n as f64);
    Dispatch { piece: Some(piece), ..dispatch }
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: StreamedParams = call.params();
    let PictureParams { origin, step, first_row, width, channels, bits, .. } = p.picture;
    let (first, channels) = (first_row as usize, channels as usize);
    let slot = (call.step.slot * p.pieces_per_step + p.piece) % p.n_slots;
    let gathered = &call.buffers[0][(slot * p.slot_words) as usize..];
    let raster = Raster { width, height: u32::MAX, first: [0; 2], origin, step };
    let (mut coords, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    let (mut near, mut target_tolerances) = (Vec::new(), Vec::new());
    for row in gathered.chunks_exact(p.row_words as usize).take(p.n_rows as usize) {
        let (x, y) = (row[0] % width, row[0] / width);
        coords.extend(raster.position(x, y).map(f64::from));
        near.extend(position_tolerances([x, y], &raster));
        weights.push(if p.weighted == 1 { f64::from(row[1]) / f64::from(row[2]) } else { 1.0 });
        let pixel = &row[1 + 2 * p.weighted as usize..];
        for c in 0..channels {
            let value = match bits {
                8 => f64::from(pixel[0].to_le_bytes()[c]) / 255.0,
                16 => f64::from((pixel[c / 2] >> (16 * (c % 2))) as u16) / 65_535.0,
                _ => f64::from(f32::from_bits(pixel[c])),
            };
            targets.push(value);
            target_tolerances.push(if bits == 32 { 0.0 } else { value * DIVISION });
        }
    }
    let of_weights = weights.iter().map(|w| if p.weighted == 1 { w * DIVISION } else { 0.0 }).collect();
    vec![
        close(1, 2 * first, coords, near),
        close(2, channels * first, targets, target_tolerances),
        close(3, first, weights, of_weights),
    ]
}

fn cases(_: &Kernel) -> Vec<Case> {
    let shapes = [
        // width, channels, bits, weighted, rows, first row, widest grid
        (1, 1, 8, false, 1, 0, 65_535),
        (33, 4, 8, true, 257, 0, 65_535),
        (67, 3, 16, false, 601, 130, 2),
        (19_997, 3, 32, true, 300, 7, 65_535),
    ];
    shapes.map(streamed_case).into()
}

fn streamed_case(
    (width, channels, bits, weighted, n, first, max_groups): (u32, u32, u32, bool, usize, usize, u32),
) -> Case {
    let row_words = 1 + 2 * usize::from(weighted) + channels.div_ceil(32 / bits) as usize;
    let (slot_rows, n_slots) = (n + 2, 5);
    let height = 1 + 400_000_000 / width;
    let mut gathered = words(u64::from(width), n_slots * slot_rows * row_words);
    for row in gathered.chunks_exact_mut(row_words) {
        row[0] %= if width == 1 { 1 } else { width * height };
        if weighted {
            (row[1], row[2]) = (1 + row[1] % 64, 1 + row[2] % 1000);
        }
        if bits == 32 {
            let values = row[1 + 2 * usize::from(weighted)..].iter_mut();
            values.for_each(|word| *word = ((*word >> 8) as f32 / 1e6).to_bits());
        }
    }
    let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
    let Raster { origin, step, .. } = Raster::new(width, height, Coords::Center);
    let first_row = first as u32;
    let params = StreamedParams {
        picture: PictureParams { origin, step, first_row, width, channels, bits, ..Default::default() },
        grid_width: grid.width,
        n_rows: n as u32,
        piece: 1,
        pieces_per_step: 3,
        n_slots: n_slots as u32,
        slot_words: (slot_rows * row_words) as u32,
        row_words: row_words as u32,
        weighted: weighted.into(),
    };
    let rows = first + n;
    let buffers = vec![gathered, poison(2 * rows), poison(rows * channels as usize), poison(rows)];
    let label = format!("{n} of width {width} x {channels}, {bits} bits, weighted: {weighted}");
    // Step 2 of three pieces each: slot 7 of 5, which is 2.
    Case {
        step: StepParams { slot: 2, ..StepParams::default() },
        ..case(label, params, buffers, grid.size())
    }
}
