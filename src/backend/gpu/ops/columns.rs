//! Copies columns of one matrix into another, for encodings that are side by side.

use super::testing::{case_of, poison, uniform};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, close, params_block, read_stored, wgsl, write_stored,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use std::ops::Range;

params_block! {
    CopyColumnsParams {
        grid_width: u32,
        n_rows: u32,
        n_columns: u32,
        from_width: u32,
        from_column: u32,
        to_width: u32,
        to_column: u32,
    }
}

/// target's columns = source's
pub(crate) static COPY: KernelDef = KernelDef {
    name: "copy_columns",
    parts: &[wgsl!("copy_columns.wgsl")],
    bindings: &[read_stored("source"), write_stored("target_rows")],
    ..KernelDef::plain::<CopyColumnsParams>(reference, cases)
};

#[derive(Clone, Copy, Debug)]
pub struct Copy {
    n_rows: usize,
    n_columns: usize,
    from: (usize, usize),
    to: (usize, usize),
}

impl Copy {
    /// Copies a whole part to its `columns` of rows `width` wide.
    pub(crate) fn out_of_part(n_rows: usize, columns: &Range<usize>, width: usize) -> Self {
        Self { n_rows, n_columns: columns.len(), from: (columns.len(), 0), to: (width, columns.start) }
    }

    /// Copies a part's `columns` of rows `width` wide to separate rows.
    pub(crate) fn into_part(n_rows: usize, columns: &Range<usize>, width: usize) -> Self {
        Self { n_rows, n_columns: columns.len(), from: (width, columns.start), to: (columns.len(), 0) }
    }
}

/// Copies from the first buffer to the second.
pub(crate) fn copy(copy: Copy, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let n_values = copy.n_rows * copy.n_columns;
    let grid = Workgroups::fold(n_values.div_ceil(THREADS), max_groups);
    let params = CopyColumnsParams {
        grid_width: grid.width,
        n_rows: copy.n_rows as u32,
        n_columns: copy.n_columns as u32,
        from_width: copy.from.0 as u32,
        from_column: copy.from.1 as u32,
        to_width: copy.to.0 as u32,
        to_column: copy.to.1 as u32,
    };
    Dispatch::new(Kernel::plain(&COPY), &params, buffers.to_vec(), grid, 4.0 * n_values as f64)
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: CopyColumnsParams = call.params();
    let columns = |row: u32| {
        let from = (row * p.from_width + p.from_column) as usize;
        let values = call.f64s(0, from, p.n_columns as usize);
        let start = (row * p.to_width + p.to_column) as usize;
        close(1, start, values, vec![0.0; p.n_columns as usize])
    };
    (0..p.n_rows).map(columns).collect()
}

fn cases(_: &Kernel) -> Vec<Case> {
    let one = |what: Copy, max_groups: u32| {
        let buffers = vec![uniform(1, what.n_rows * what.from.0, 1.0), poison(what.n_rows * what.to.0)];
        let label = format!("{} x {} of {:?} to {:?}", what.n_rows, what.n_columns, what.from, what.to);
        case_of(label, copy(what, Default::default(), max_groups), buffers)
    };
    vec![
        one(Copy::out_of_part(1, &(0..1), 1), 65_535),
        one(Copy::out_of_part(61, &(3..20), 33), 65_535),
        one(Copy::into_part(130, &(2..34), 37), 3),
    ]
}
