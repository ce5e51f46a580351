// Fetches rows of a step: each sample's pixel, position and colour. The order is `model::sampling::Shuffle`, the
// geometry `SampleSet` and `Raster`. `sample_all.wgsl`, `sample_masked.wgsl` or `sample_by_error.wgsl` maps numbers
// to pixels and weights, and `sample_order_of_step.wgsl` or `sample_order_of_network.wgsl` has the keys of the order.

struct SampleParams {
    grid_width: u32,
    n_rows: u32,         // of this part of the step
    first_row: u32,      // of this part, within the step
    columns: u32,        // training pixels per row of them
    rows: u32,           // of training pixels
    stride: u32,         // between training pixels
    width: u32,          // of the picture, in pixels
    channels: u32,
    bits: u32,           // of a stored value: 8, 16 or 32 (f32)
    words_per_part: u32, // of the picture's bindings, but the last
    origin: vec2<f32>,
    step: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: SampleParams;
// The picture as stored, a whole number of words per pixel, split to fit a binding's limit.
@group(0) @binding(1) var<storage, read> picture_0: array<u32>;
@group(0) @binding(2) var<storage, read> picture_1: array<u32>;
@group(0) @binding(3) var<storage, read> picture_2: array<u32>;
@group(0) @binding(4) var<storage, read> picture_3: array<u32>;
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

fn picture_word(index: u32) -> u32 {
    let within = index % params.words_per_part;
    switch index / params.words_per_part {
        case 0u: { return picture_0[within]; }
        case 1u: { return picture_1[within]; }
        case 2u: { return picture_2[within]; }
        default: { return picture_3[within]; }
    }
}

fn picture_value(pixel: u32, channel: u32) -> f32 {
    switch params.bits {
        case 8u: {
            let word = picture_word(pixel);
            return f32((word >> (8u * channel)) & 0xffu) / 255.0;
        }
        case 16u: {
            let word = picture_word(pixel * ((params.channels + 1u) / 2u) + channel / 2u);
            return f32((word >> (16u * (channel % 2u))) & 0xffffu) / 65535.0;
        }
        default: {
            return bitcast<f32>(picture_word(pixel * params.channels + channel));
        }
    }
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
