// Prepended to every kernel.

const THREADS: u32 = 256u; // of an element-wise workgroup

// What changes between steps. `gpu::kernel::StepParams` on the host.
struct StepParams {
    keys: vec4<u32>,     // of the epoch's Feistel network
    half_bits: u32,      // of its block
    n_samples: u32,      // in the epoch
    first_sample: u32,   // of the step, within the epoch
    slot: u32,           // of the loss ring
    factors: vec4<f32>,  // of the update rule: `model::Optimizer::factors`
    encoding_factors: vec4<f32>, // the same for the encoding's weights
    average_rate: f32,   // of the weights' moving average: `model::Refinements::average_rate`
    index: u32,          // low half of the step's number, for people reading a capture
    matrix_lr: f32,      // of matrices that are updated as a whole
    matrix_keep: f32,    // and the factor on their weights
}

// A picture, its training pixels, and the part of a step that is drawn from them. `gpu::ops::sample::PictureParams` on
// the host.
struct PictureParams {
    origin: vec2<f32>,
    step: vec2<f32>,
    first_row: u32,      // of the part, within the step
    columns: u32,        // training pixels per row of them
    rows: u32,           // of training pixels
    stride: u32,         // between training pixels
    width: u32,          // in pixels
    channels: u32,
    bits: u32,           // of a stored value
    words_per_part: u32, // words of each of its bindings but the last
}

// Dispatches larger than the limit of one dimension are folded: row y holds groups y * grid_width and on.
fn group_index(group: vec3<u32>, grid_width: u32) -> u32 {
    return group.y * grid_width + group.x;
}

// sin(2 pi r) for r in [-1/4, 1/4]. The coefficients are `model::real::SIN_TURNS`.
fn sin_quarter(r: f32) -> f32 {
    let s = r * r;
    return r * (6.2831855 + s * (-41.3417 + s * (81.605225
        + s * (-76.70417 + s * (42.007797 + s * -14.381391)))));
}

// sin(2 pi t). WGSL guarantees the built-in only to 2^-11 and only within [-pi, pi].
fn sin_turns(t: f32) -> f32 {
    let r = t - round(t);
    let s = sin_quarter(0.25 - abs(abs(r) - 0.25));
    return select(s, -s, r < 0.0);
}

// cos(2 pi t)
fn cos_turns(t: f32) -> f32 {
    return sin_quarter(0.25 - abs(t - round(t)));
}

// ln(1 + x) for x in [-1/4, 1]: `model::real::ln_1p_series`. WGSL guarantees log only to 2^-21 near 1.
fn ln_1p(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let q = s * s;
    return 2.0 * s * ((((((0.07692308 * q + 1.0 / 11.0) * q + 1.0 / 9.0) * q + 1.0 / 7.0) * q + 0.2) * q
        + 1.0 / 3.0) * q + 1.0);
}
