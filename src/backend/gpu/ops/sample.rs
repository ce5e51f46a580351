//! Samples of a step and positions of a raster, computed on the device.

use crate::backend::Job;
use crate::backend::gpu::kernel::{
    Binding, Kernel, KernelDef, Params, ParamsBlock, Source, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::{Raster, Sampling};

mod reference;

pub(super) use reference::{Samples, example_picture, example_step, position_tolerances};

params_block! {
    /// A picture, its training pixels, and the part of a step that is drawn from them.
    PictureParams {
        /// This and the next are as in [`Raster`].
        origin: [f32; 2],
        step: [f32; 2],
        /// First sample of the part within the step.
        first_row: u32,
        /// Training pixels per row of them.
        columns: u32,
        /// Rows of training pixels.
        rows: u32,
        /// Distance between training pixels.
        stride: u32,
        width: u32,
        channels: u32,
        /// Bits of a stored value.
        bits: u32,
        /// Words of each of the picture's bindings but the last.
        words_per_part: u32,
    }
}

/// The only block within others, for the test that compares them with the shaders.
pub const PICTURE_BLOCK: ParamsBlock = PictureParams::BLOCK;

params_block! {
    SampleParams {
        picture: PictureParams,
        grid_width: u32,
        /// Samples of this part of the step.
        n_rows: u32,
    }
}

params_block! {
    RasterParams {
        grid_width: u32,
        n_rows: u32,
        width: u32,
        first_x: u32,
        first_y: u32,
        /// Column of the whole raster at column 0.
        left: u32,
        /// This and the next are as in [`Raster`].
        origin: [f32; 2],
        step: [f32; 2],
    }
}

/// The bindings of a sampler that reads the sample index as `index`.
const fn with_index(index: &'static str) -> [Binding; 8] {
    [
        read("picture_0"),
        read("picture_1"),
        read("picture_2"),
        read("picture_3"),
        write("coords"),
        write("targets"),
        write("sample_weights"),
        read(index),
    ]
}
const MASKED: [Binding; 8] = with_index("pixels");

pub(super) const ORDER_OF_STEP: Source = wgsl!("sample_order_of_step.wgsl");
pub(super) const SHUFFLE: Source = wgsl!("shuffle.wgsl");
pub(super) const ALL: Source = wgsl!("sample_all.wgsl");
const SAMPLES: Source = wgsl!("sample.wgsl");
/// Values of a pixel's words.
pub(super) const STORED_VALUE: Source = wgsl!("stored_value.wgsl");
/// The colours of pixels.
pub(super) const PICTURE_PARTS: Source = wgsl!("picture_parts.wgsl");

/// Positions and targets of a step's samples.
pub(crate) static SAMPLE: KernelDef = KernelDef {
    name: "sample",
    parts: &[ORDER_OF_STEP, SHUFFLE, ALL, STORED_VALUE, PICTURE_PARTS, SAMPLES],
    uses_step: true,
    bindings: MASKED.split_at(7).0,
    ..KernelDef::plain::<SampleParams>(reference::sample, reference::sample_cases)
};

/// The same in an order of its own for each of several networks.
pub(crate) static SAMPLE_BY_NETWORK: KernelDef = KernelDef {
    name: "sample_by_network",
    parts: &[wgsl!("sample_order_of_network.wgsl"), SHUFFLE, ALL, STORED_VALUE, PICTURE_PARTS, SAMPLES],
    uses_step: true,
    bindings: &with_index("keys"),
    ..KernelDef::plain::<SampleParams>(reference::sample, reference::by_network_sample_cases)
};

/// The same for the pixels inside a mask.
pub(crate) static SAMPLE_MASKED: KernelDef = KernelDef {
    name: "sample_masked",
    parts: &[ORDER_OF_STEP, SHUFFLE, wgsl!("sample_masked.wgsl"), STORED_VALUE, PICTURE_PARTS, SAMPLES],
    uses_step: true,
    bindings: &MASKED,
    ..KernelDef::plain::<SampleParams>(reference::sample, reference::masked_sample_cases)
};

/// The same with more samples where the error is large.
pub(crate) static SAMPLE_BY_ERROR: KernelDef = KernelDef {
    name: "sample_by_error",
    parts: &[ORDER_OF_STEP, SHUFFLE, wgsl!("sample_by_error.wgsl"), STORED_VALUE, PICTURE_PARTS, SAMPLES],
    uses_step: true,
    bindings: &with_index("starts"),
    ..KernelDef::plain::<SampleParams>(reference::sample, reference::by_error_sample_cases)
};

/// Positions of consecutive pixels.
pub(crate) static RASTER: KernelDef = KernelDef {
    name: "raster",
    parts: &[wgsl!("raster.wgsl")],
    bindings: &[write("coords")],
    ..KernelDef::plain::<RasterParams>(reference::raster, reference::raster_cases)
};

impl PictureParams {
    /// Those of the samples from `first_row` on of a step.
    pub(crate) fn of(job: &Job, first_row: usize, words_per_part: usize) -> Self {
        Self {
            origin: job.raster.origin,
            step: job.raster.step,
            first_row: first_row as u32,
            columns: job.samples.columns(),
            rows: job.samples.rows(),
            stride: job.samples.stride(),
            width: job.picture.width,
            channels: job.picture.channels as u32,
            bits: job.picture.depth().bits().into(),
            words_per_part: words_per_part as u32,
        }
    }
}

/// Fetches the samples `rows` of a step. Buffers: the picture's parts, coords, targets, sample weights, and the sample
/// index or the keys of the order, if there are any.
pub(crate) fn sample(
    job: &Job,
    rows: std::ops::Range<usize>,
    words_per_part: usize,
    buffers: Vec<BufferId>,
    max_groups: u32,
) -> Dispatch {
    let grid = Workgroups::fold(rows.len().div_ceil(THREADS), max_groups);
    let params = SampleParams {
        picture: PictureParams::of(job, rows.start, words_per_part),
        grid_width: grid.width,
        n_rows: rows.len() as u32,
    };
    let def = match (&job.options.mask, job.options.sampling) {
        (Some(_), _) => &SAMPLE_MASKED,
        (None, Sampling::Error) => &SAMPLE_BY_ERROR,
        (None, Sampling::Uniform) if buffers.len() == SAMPLE_BY_NETWORK.bindings.len() => &SAMPLE_BY_NETWORK,
        (None, Sampling::Uniform) => &SAMPLE,
    };
    Dispatch::new(Kernel::plain(def), &params, buffers, grid, 200.0 * rows.len() as f64)
}

/// Positions of `n_rows` pixels; the first pixel and the geometry are set for each tile.
pub(crate) fn raster(n_rows: usize, coords: BufferId, max_groups: u32) -> Dispatch {
    let grid = Workgroups::fold(n_rows.div_ceil(THREADS), max_groups);
    let params = RasterParams { grid_width: grid.width, n_rows: n_rows as u32, ..Default::default() };
    Dispatch::new(Kernel::plain(&RASTER), &params, vec![coords], grid, 20.0 * n_rows as f64)
}

impl RasterParams {
    /// These parameters for the pixels of `raster` from number `first_pixel` on.
    pub(crate) fn at(self, raster: &Raster, first_pixel: u64) -> Self {
        Self {
            width: raster.width,
            first_x: (first_pixel % u64::from(raster.width)) as u32,
            first_y: raster.first[1] + (first_pixel / u64::from(raster.width)) as u32,
            left: raster.first[0],
            origin: raster.origin,
            step: raster.step,
            ..self
        }
    }
}
