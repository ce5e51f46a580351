// Fetches rows of a step: each sample's pixel, position and colour. The order is `model::sampling::Shuffle`, the
// geometry `SampleSet` and `Raster`. `sample_all.wgsl`, `sample_masked.wgsl` or `sample_by_error.wgsl` maps numbers
// to pixels and weights, `sample_order_of_step.wgsl` or `sample_order_of_network.wgsl` has the keys of the order, and
// `picture_value.wgsl` the colours.

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
@group(1) @binding(0) var<uniform> step: StepParams;

struct Sample {
    pixel: vec2<u32>,
    weight: f32,
}

// The finaliser of MurmurHash3.
fn mix_bits(hash: u32) -> u32 {
    var h = hash;
    h ^= h >> 16u;
    h *= 0x85ebca6bu;
    h ^= h >> 13u;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16u);
}

fn feistel_round(halves: vec2<u32>, key: u32, mask: u32) -> vec2<u32> {
    return vec2<u32>(halves.y, halves.x ^ (mix_bits(halves.y ^ key) & mask));
}

fn shuffled(i: u32) -> u32 {
    let key = round_keys();
    let mask = (1u << step.half_bits) - 1u;
    var x = i;
    loop {
        var halves = vec2<u32>(x >> step.half_bits, x & mask);
        halves = feistel_round(halves, key.x, mask);
        halves = feistel_round(halves, key.y, mask);
        halves = feistel_round(halves, key.z, mask);
        halves = feistel_round(halves, key.w, mask);
        x = (halves.x << step.half_bits) | halves.y;
        if x < step.n_samples {
            break;
        }
    }
    return x;
}

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
