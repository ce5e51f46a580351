// Fetches rows of a step: each sample's pixel, position and colour. The order is `shuffle.wgsl`, the geometry
// `SampleSet` and `Raster`. `sample_all.wgsl`, `sample_masked.wgsl` or `sample_by_error.wgsl` maps numbers to pixels
// and weights, and `picture_parts.wgsl` has the colours.

struct SampleParams {
    grid_width: u32,
    n_rows: u32,         // of this part of the step
    first_row: u32,      // of this part, within the step
    columns: u32,        // training pixels per row of them
    rows: u32,           // of training pixels
    stride: u32,         // between training pixels
    width: u32,          // of the picture, in pixels
    channels: u32,
    bits: u32,
    words_per_part: u32,
    origin: vec2<f32>,
    step: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: SampleParams;
@group(0) @binding(5) var<storage, read_write> coords: array<f32>;  // (n, 2)
@group(0) @binding(6) var<storage, read_write> targets: array<f32>; // (n, channels)
@group(0) @binding(7) var<storage, read_write> sample_weights: array<f32>; // (n)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group_index(group, params.grid_width) * THREADS + thread;
    if row >= params.n_rows {
        return;
    }
    let index = shuffled(step.first_sample + params.first_row + row);
    let drawn = draw(index);
    let x = drawn.pixel.x;
    let y = drawn.pixel.y;
    sample_weights[row] = drawn.weight;
    coords[2u * row] = f32(x) * params.step.x + params.origin.x;
    coords[2u * row + 1u] = f32(y) * params.step.y + params.origin.y;
    for (var channel = 0u; channel < params.channels; channel++) {
        targets[row * params.channels + channel] = picture_value(y * params.width + x, channel);
    }
}
