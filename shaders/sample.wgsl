// Fetches rows of a step: each sample's pixel, position and colour. The order is `shuffle.wgsl`, the geometry
// `SampleSet` and `Raster`. `sample_all.wgsl`, `sample_masked.wgsl` or `sample_by_error.wgsl` maps numbers to pixels
// and weights, and `picture_parts.wgsl` has the colours.

struct SampleParams {
    picture: PictureParams,
    grid_width: u32,
    n_rows: u32, // of this part of the step
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
    let index = shuffled(step.first_sample + params.picture.first_row + row);
    let drawn = draw(index);
    let x = drawn.pixel.x;
    let y = drawn.pixel.y;
    sample_weights[row] = drawn.weight;
    coords[2u * row] = f32(x) * params.picture.step.x + params.picture.origin.x;
    coords[2u * row + 1u] = f32(y) * params.picture.step.y + params.picture.origin.y;
    for (var channel = 0u; channel < params.picture.channels; channel++) {
        targets[row * params.picture.channels + channel] = picture_value(y * params.picture.width + x, channel);
    }
}
