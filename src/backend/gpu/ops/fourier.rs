//! Gradients of trained frequencies.

use super::dense::Slices;
use super::testing::{case_of, poison, uniform};
use crate::backend::cpu;
use crate::backend::gpu::kernel::tolerance::{self, FLUSH};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, close, params_block, read, read_stored, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use std::f64::consts::TAU;

params_block! {
    FourierGradientsParams {
        n_rows: u32,
        /// m
        n_frequencies: u32,
        /// Samples of a slice; the last may be shorter.
        slice_rows: u32,
    }
}

/// partials = gradients of B for each slice of the samples
pub(crate) static GRADIENTS: KernelDef = KernelDef {
    name: "fourier_gradients",
    parts: &[wgsl!("fourier_gradients.wgsl")],
    bindings: &[read("frequencies"), read("coords"), read_stored("dl_dfeatures"), write("partials")],
    ..KernelDef::plain::<FourierGradientsParams>(reference, cases)
};

/// Minimum samples of a slice.
const SHORTEST_SLICE: usize = 64;
/// Slices that keep a large device busy.
const MAX_SLICES: usize = 256;

/// How the gradients of `n_rows` samples are split, into at most `max_groups` slices.
pub(crate) fn slices(n_rows: usize, max_groups: u32) -> Slices {
    let wanted = n_rows.div_ceil(SHORTEST_SLICE).clamp(1, MAX_SLICES.min(max_groups as usize));
    let length = n_rows.div_ceil(wanted);
    Slices { count: n_rows.div_ceil(length), length }
}

/// partials = gradients of m frequencies. Buffers: flat parameters, coords, dl_dfeatures, partials.
pub(crate) fn gradients(m: usize, n_rows: usize, buffers: [BufferId; 4], max_groups: u32) -> Dispatch {
    let slices = slices(n_rows, max_groups);
    let params = FourierGradientsParams {
        n_rows: n_rows as u32,
        n_frequencies: m as u32,
        slice_rows: slices.length as u32,
    };
    let grid = Workgroups { width: m.div_ceil(THREADS) as u32, height: slices.count as u32 };
    Dispatch::new(Kernel::plain(&GRADIENTS), &params, buffers.into(), grid, 60.0 * (m * n_rows) as f64)
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: FourierGradientsParams = call.params();
    let (n, m, per_slice) = (p.n_rows as usize, p.n_frequencies as usize, p.slice_rows as usize);
    let b = call.f64s(0, 0, 2 * m);
    let (coords, dl_dfeatures) = (call.f64s(1, 0, 2 * n), call.f64s(2, 0, n * 2 * m));
    let (mut values, mut tolerances) = (Vec::new(), Vec::new());
    for (coords, rows) in coords.chunks(2 * per_slice).zip(dl_dfeatures.chunks(2 * m * per_slice)) {
        let mut grads = vec![[0.0; 2]; m];
        cpu::encode::fourier_backward(&b, coords, rows, &mut grads);
        values.extend_from_slice(grads.as_flattened());
        for j in 0..m {
            let mut error = [FLUSH; 2];
            for (c, row) in coords.chunks_exact(2).zip(rows.chunks_exact(2 * m)) {
                let magnitude = (c[0] * b[2 * j]).abs() + (c[1] * b[2 * j + 1]).abs();
                let size = TAU * (row[j].abs() + row[m + j].abs());
                let relative = tolerance::sin_turns(magnitude, 2.0) + tolerance::sum_of_products(per_slice);
                error[0] += size * c[0].abs() * relative;
                error[1] += size * c[1].abs() * relative;
            }
            tolerances.extend_from_slice(&error);
        }
    }
    vec![close(3, 0, values, tolerances)]
}

fn cases(_: &Kernel) -> Vec<Case> {
    let one = |n: usize, m: usize, max_groups: u32| {
        let count = slices(n, max_groups).count;
        let dl_dfeatures = uniform(3, n * 2 * m, 1e-2);
        let buffers =
            vec![uniform(1, 2 * m, 30.0), uniform(2, 2 * n, 1.0), dl_dfeatures, poison(count * 2 * m)];
        let dispatch = gradients(m, n, Default::default(), max_groups);
        case_of(format!("{n} x {m} frequencies, {count} slices"), dispatch, buffers)
    };
    vec![one(1, 1, 65_535), one(130, 17, 65_535), one(257, 300, 65_535), one(500, 3, 3)]
}
