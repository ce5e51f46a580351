//! Encodings of each coordinate by itself.

use super::testing::{case, poison, uniform};
use crate::backend::gpu::kernel::tolerance::Bounded;
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, Source, close, params_block, read, wgsl, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::encoding::PerAxis;

params_block! {
    /// Parameters of the encodings of each axis.
    PerAxisParams {
        /// Workgroups in x.
        grid_width: u32,
        /// Positions.
        n_rows: u32,
        /// Features of one coordinate.
        n_features: u32,
    }
}

const MAIN: Source = wgsl!("encode_per_axis.wgsl");

/// Bins around the coordinate.
pub static ONE_BLOB: KernelDef = KernelDef {
    name: "encode_one_blob",
    parts: &[wgsl!("per_axis/one_blob.wgsl"), MAIN],
    bindings: &[read("coords"), write_stored("features")],
    params: PerAxisParams::BLOCK,
    ..KernelDef::plain(|call| reference(call, |n_bins| PerAxis::OneBlob { n_bins }), cases)
};

/// Triangle waves.
pub static TRIANGLE_WAVE: KernelDef = KernelDef {
    name: "encode_triangle_wave",
    parts: &[wgsl!("per_axis/triangle_wave.wgsl"), MAIN],
    bindings: &[read("coords"), write_stored("features")],
    params: PerAxisParams::BLOCK,
    ..KernelDef::plain(|call| reference(call, |n_octaves| PerAxis::TriangleWave { n_octaves }), cases)
};

/// features = encoding(coords) for `n_rows` positions. Buffers: coords, features.
pub fn encode(encoding: PerAxis, n_rows: usize, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let (def, operations) = match encoding {
        PerAxis::OneBlob { .. } => (&ONE_BLOB, 60.0),
        PerAxis::TriangleWave { .. } => (&TRIANGLE_WAVE, 10.0),
    };
    let n_values = n_rows * encoding.output_width();
    let (params, grid) = params(n_rows, encoding.n_features(), max_groups);
    Dispatch::new(Kernel::plain(def), &params, buffers.into(), grid, operations * n_values as f64)
}

fn params(n_rows: usize, n_features: usize, max_groups: u32) -> (PerAxisParams, Workgroups) {
    let grid = Workgroups::fold((n_rows * 2 * n_features).div_ceil(THREADS), max_groups);
    let (n_rows, n_features) = (n_rows as u32, n_features as u32);
    (PerAxisParams { grid_width: grid.width, n_rows, n_features }, grid)
}

fn reference(call: &Call, encoding: impl Fn(usize) -> PerAxis) -> Vec<Expected> {
    let p: PerAxisParams = call.params();
    let encoding = encoding(p.n_features as usize);
    let mut features = vec![Bounded::exact(0.0); p.n_rows as usize * encoding.output_width()];
    let coords = call.f64s(0, 0, 2 * p.n_rows as usize);
    for (&c, features) in coords.iter().zip(features.chunks_exact_mut(encoding.n_features())) {
        encoding.encode(Bounded::exact(c), features);
    }
    let (values, errors) = features.iter().map(|f| (f.value, f.error)).unzip();
    vec![close(1, 0, values, errors)]
}

fn cases(_: &Kernel) -> Vec<Case> {
    let one = |n_rows: usize, n_features: usize, max_groups: u32| {
        let (params, grid) = params(n_rows, n_features, max_groups);
        let mut coords = uniform(1, 2 * n_rows, 1.0);
        let special = [0.0_f32, 1.0, 0.5, 0.25];
        coords[..2 * n_rows].iter_mut().zip(special).for_each(|(word, c)| *word = c.to_bits());
        let buffers = vec![coords, poison(n_rows * 2 * n_features)];
        case(format!("{n_rows} x {n_features} an axis"), params, buffers, grid.size())
    };
    vec![one(1, 1, 65_535), one(257, 2, 65_535), one(33, 12, 65_535), one(129, 16, 2), one(61, 17, 65_535)]
}
