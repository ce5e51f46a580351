//! Encodings whose features depend on the position alone.

use super::testing::{case, poison, uniform};
use crate::backend::gpu::kernel::tolerance::{Bounded, Positions};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, Source, close_bounded, params_block, read, wgsl, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::Pointwise;
use crate::model::encoding::{self, Formula, formulas};

params_block! {
    PointwiseParams {
        grid_width: u32,
        n_rows: u32,
        n_features: u32,
        /// The formula's n.
        n_units: u32,
    }
}

const MAIN: Source = wgsl!("encode_pointwise.wgsl");

macro_rules! definitions {
    ($($formula:ident $module:ident)+) => {
        /// features = those of a formula, one kernel each.
        pub(crate) static ENCODE: &[KernelDef] = &[$(KernelDef {
            name: concat!("encode_", stringify!($module)),
            parts: &[wgsl!("encoding", $module), MAIN],
            bindings: &[read("coords"), write_stored("features")],
            ..KernelDef::plain::<PointwiseParams>(
                |call| reference(call, |n| Pointwise::$formula(encoding::$formula::with_units(n))),
                |_| cases(|n| Pointwise::$formula(encoding::$formula::with_units(n))),
            )
        }),+];
    };
}
formulas!(definitions);

/// features = encoding(coords) for `n_rows` positions. Buffers: coords, features.
pub fn encode(pointwise: Pointwise, n_rows: usize, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let formula = pointwise.formula();
    let (params, grid) = params(formula, n_rows, max_groups);
    let stem = Some(pointwise.stem());
    let def = ENCODE.iter().find(|def| def.name.strip_prefix("encode_") == stem);
    let kernel = Kernel::plain(def.expect("each formula has its kernel"));
    let operations = formula.operations() * (n_rows * formula.output_width()) as f64;
    Dispatch::new(kernel, &params, buffers.into(), grid, operations)
}

fn params(formula: &dyn Formula, n_rows: usize, max_groups: u32) -> (PointwiseParams, Workgroups) {
    let n_features = formula.output_width();
    let grid = Workgroups::fold((n_rows * n_features).div_ceil(THREADS), max_groups);
    let (n_rows, n_features, n_units) = (n_rows as u32, n_features as u32, formula.n_units() as u32);
    (PointwiseParams { grid_width: grid.width, n_rows, n_features, n_units }, grid)
}

/// The features of `coords` with their bounds.
pub(super) fn features(pointwise: Pointwise, positions: Positions) -> Vec<Bounded> {
    let Positions { coords, error } = positions;
    let width = pointwise.formula().output_width();
    let mut features = vec![Bounded::exact(0.0); coords.len() / 2 * width];
    for (c, features) in coords.as_chunks::<2>().0.iter().zip(features.chunks_exact_mut(width)) {
        pointwise.encode(c.map(|value| Bounded { value, error }), features);
    }
    features
}

fn reference(call: &Call, with_units: fn(usize) -> Pointwise) -> Vec<Expected> {
    let p: PointwiseParams = call.params();
    let coords = call.f64s(0, 0, 2 * p.n_rows as usize);
    vec![close_bounded(1, features(with_units(p.n_units as usize), Positions::exact(&coords)))]
}

fn cases(with_units: fn(usize) -> Pointwise) -> Vec<Case> {
    let one = |n_rows: usize, n_units: usize, max_groups: u32| {
        let pointwise = with_units(n_units);
        let (params, grid) = params(pointwise.formula(), n_rows, max_groups);
        let mut coords = uniform(1, 2 * n_rows, 1.0);
        let special = [0.0_f32, 1.0, 0.5, 0.25];
        coords[..2 * n_rows].iter_mut().zip(special).for_each(|(word, c)| *word = c.to_bits());
        let buffers = vec![coords, poison(n_rows * params.n_features as usize)];
        case(format!("{n_rows} x {} features", params.n_features), params, buffers, grid.size())
    };
    vec![one(1, 1, 65_535), one(257, 2, 65_535), one(33, 12, 65_535), one(129, 16, 2), one(61, 17, 65_535)]
}
