//! Encodings: positions to features.

use super::testing::{case, poison, uniform};
use super::{columns, grid, pointwise};
use crate::backend::cpu;
use crate::backend::gpu::kernel::tolerance::{self, Positions};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, close, params_block, read, wgsl, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, ForwardBuffers, THREADS, Workgroups};
use crate::model::Encoding;
use std::f64::consts::TAU;
use std::ops::Range;

params_block! {
    EncodeParams {
        grid_width: u32,
        n_rows: u32,
        /// m, the rows of B.
        n_frequencies: u32,
    }
}

/// Sines and cosines, four frequencies a thread.
pub(crate) static FOURIER: KernelDef = KernelDef {
    name: "encode_fourier",
    parts: &[wgsl!("encode_fourier_params.wgsl"), wgsl!("encode_fourier.wgsl")],
    bindings: &[read("frequencies"), read("coords"), write_stored("features")],
    ..KernelDef::plain::<EncodeParams>(fourier_reference, |_| fourier_cases([4, 4, 20, 256, 68]))
};

/// The same for any number of frequencies.
pub(crate) static FOURIER_ODD: KernelDef = KernelDef {
    name: "encode_fourier_odd",
    parts: &[wgsl!("encode_fourier_params.wgsl"), wgsl!("encode_fourier_odd.wgsl")],
    bindings: &[read("frequencies"), read("coords"), write_stored("features")],
    ..KernelDef::plain::<EncodeParams>(fourier_reference, |_| fourier_cases([1, 1, 17, 255, 67]))
};

/// A buffer that is written once: frequencies or levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constants {
    pub name: &'static str,
    pub shape: [usize; 2],
    pub words: Vec<u32>,
}

/// The constants of an encoding that is not a composite, if it has any: B (m, 2), or the levels of a grid.
pub(crate) fn constants(encoding: &Encoding) -> Option<Constants> {
    match encoding {
        Encoding::Pointwise(_) | Encoding::TrainedFourier { .. } => None,
        Encoding::Fourier { frequencies } => {
            let words = bytemuck::cast_slice(frequencies).to_vec();
            Some(Constants { name: "frequencies", shape: [frequencies.len(), 2], words })
        }
        Encoding::Grid(hash_grid) => {
            let words = grid::level_words(hash_grid);
            Some(Constants { name: "levels", shape: [hash_grid.levels.len(), grid::LEVEL_WORDS], words })
        }
        Encoding::Composite(_) => unreachable!("each part has its own"),
    }
}

/// features = encoding(coords) for `n_rows` positions.
pub(crate) fn encode(
    encoding: &Encoding,
    n_rows: usize,
    b: &ForwardBuffers,
    max_groups: u32,
) -> Vec<Dispatch> {
    let width = encoding.output_width();
    let of_part = |((part, columns), &constants): ((&Encoding, Range<usize>), &Option<BufferId>)| {
        let to = b.part.unwrap_or(b.features);
        let mut dispatches = vec![encode_part(part, n_rows, [b.params, b.coords, to], constants, max_groups)];
        if let Some(own) = b.part {
            let copy = columns::Copy::out_of_part(n_rows, &columns, width);
            dispatches.push(columns::copy(copy, [own, b.features], max_groups));
        }
        dispatches
    };
    encoding.placed().zip(&b.constants).flat_map(of_part).collect()
}

/// Buffers: flat parameters, coords, features.
fn encode_part(
    encoding: &Encoding,
    n_rows: usize,
    [params, coords, features]: [BufferId; 3],
    constants: Option<BufferId>,
    max_groups: u32,
) -> Dispatch {
    let (m, bound) = match (encoding, constants) {
        (Encoding::Grid(hash_grid), Some(levels)) => {
            return grid::encode(hash_grid, n_rows, [levels, params, coords, features], max_groups);
        }
        (Encoding::Pointwise(encoding), _) => {
            return pointwise::encode(*encoding, n_rows, [coords, features], max_groups);
        }
        (Encoding::Fourier { frequencies: b }, Some(id)) => (b.len(), vec![id, coords, features]),
        (Encoding::TrainedFourier { initial: b }, _) => (b.len(), vec![params, coords, features]),
        (_, None) | (Encoding::Composite(_), _) => {
            unreachable!("the layout has a buffer for the constants of each part, and of {encoding:?}")
        }
    };
    let (params, grid) = fourier_params(n_rows, m, max_groups);
    let def = if m.is_multiple_of(4) { &FOURIER } else { &FOURIER_ODD };
    // About fifty operations for a sine and a cosine.
    Dispatch::new(Kernel::plain(def), &params, bound, grid, 50.0 * (n_rows * m) as f64)
}

fn fourier_params(n_rows: usize, m: usize, max_groups: u32) -> (EncodeParams, Workgroups) {
    let threads = n_rows * if m.is_multiple_of(4) { m / 4 } else { m };
    let grid = Workgroups::fold(threads.div_ceil(THREADS), max_groups);
    (EncodeParams { grid_width: grid.width, n_rows: n_rows as u32, n_frequencies: m as u32 }, grid)
}

fn fourier_reference(call: &Call) -> Vec<Expected> {
    let p: EncodeParams = call.params();
    let (n, m) = (p.n_rows as usize, p.n_frequencies as usize);
    let frequencies: Vec<[f32; 2]> = call.f32s(0)[..2 * m].chunks_exact(2).map(|b| [b[0], b[1]]).collect();
    let coords = call.f64s(1, 0, 2 * n);
    let tolerances = fourier_tolerances(&frequencies, Positions::exact(&coords));
    let mut features = vec![0.0; n * 2 * m];
    cpu::encode::encode(&Encoding::Fourier { frequencies }, &[], &coords, &mut features);
    vec![close(2, 0, features, tolerances)]
}

/// The tolerance of each feature of each position.
pub(super) fn fourier_tolerances(frequencies: &[[f32; 2]], positions: Positions) -> Vec<f64> {
    let m = frequencies.len();
    let Positions { coords, error } = positions;
    let mut tolerances = vec![0.0; coords.len() / 2 * 2 * m];
    for (c, row) in coords.chunks_exact(2).zip(tolerances.chunks_exact_mut(2 * m)) {
        for (j, b) in frequencies.iter().enumerate() {
            let b = b.map(|b| f64::from(b).abs());
            let magnitude = c[0].abs() * b[0] + c[1].abs() * b[1];
            row[j] = tolerance::sin_turns(magnitude, 2.0) + TAU * (b[0] + b[1]) * error;
            row[m + j] = row[j];
        }
    }
    tolerances
}

fn fourier_cases(frequencies: [usize; 5]) -> Vec<Case> {
    let sizes = [(1, 65_535), (257, 65_535), (31, 65_535), (255, 65_535), (61, 1)];
    let one = |((n, max_groups), m): ((usize, u32), usize)| {
        let (params, grid) = fourier_params(n, m, max_groups);
        let buffers = vec![uniform(1, 2 * m, 50.0), uniform(2, 2 * n, 1.0), poison(n * 2 * m)];
        case(format!("{n} x {m} frequencies"), params, buffers, grid.size())
    };
    sizes.into_iter().zip(frequencies).map(one).collect()
}
