// How far predicted colours are from the picture: partial sums over a workgroup's pixels, for each channel.

struct SquaredErrorsParams {
    picture: PictureParams,
    about: vec4<f32>,    // sums of values are of their differences from these
    grid_width: u32,
    n_groups: u32,
    n_pixels: u32,       // of the tile
    first_pixel: u32,    // of the tile, in the picture
    first_group: u32,    // of the tile, in all
    first_tested: u32,   // row and column of the first pixel of the test split
    tested_stride: u32,
}

@group(0) @binding(0) var<uniform> params: SquaredErrorsParams;
@group(0) @binding(5) var<storage, read> colours: array<f32>;          // (n, channels)
@group(0) @binding(6) var<storage, read_write> errors: array<vec4<f32>>; // (groups, 4), a vector's numbers for channels

const ROUNDS: u32 = 16u; // pixels of a thread

var<workgroup> of_threads: array<vec4<f32>, THREADS>;

// A value as it is compared: clamped to black and white, or not finite.
fn in_range(value: f32) -> f32 {
    let is_finite = (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
    return select(value, clamp(value, 0.0, 1.0), is_finite);
}

fn channel_within(channel: u32) -> u32 {
    return min(channel, params.picture.channels - 1u);
}

fn prediction(pixel: u32, channel: u32) -> f32 {
    return in_range(colours[pixel * params.picture.channels + channel_within(channel)]);
}

fn truth(pixel: u32, channel: u32) -> f32 {
    return picture_value(pixel, channel_within(channel));
}

// The sum over all threads, in a fixed order, to be stored as vector `index` of the workgroup.
fn store_sum(thread: u32, group: u32, index: u32, value: vec4<f32>) {
    of_threads[thread] = value;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            of_threads[thread] += of_threads[thread + half];
        }
        workgroupBarrier();
    }
    if thread == 0u {
        errors[4u * (params.first_group + group) + index] = of_threads[0];
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    var trained = vec4<f32>();
    var tested = vec4<f32>();
    var sums = vec4<f32>();
    var squares = vec4<f32>();
    for (var round = 0u; round < ROUNDS; round++) {
        let pixel = (index * ROUNDS + round) * THREADS + thread;
        let at = min(pixel, params.n_pixels - 1u);
        let number = params.first_pixel + at;
        let place = vec2<u32>(number % params.picture.width, number / params.picture.width);
        let p = vec4<f32>(prediction(at, 0u), prediction(at, 1u), prediction(at, 2u), prediction(at, 3u));
        let t = vec4<f32>(truth(number, 0u), truth(number, 1u), truth(number, 2u), truth(number, 3u));
        let is_there = pixel < params.n_pixels;
        let is_trained = is_there && all(place % vec2<u32>(params.picture.stride) == vec2<u32>());
        let of_test = place - vec2<u32>(params.first_tested);
        let is_tested = is_there && all(place >= vec2<u32>(params.first_tested))
            && all(of_test % vec2<u32>(params.tested_stride) == vec2<u32>());
        let error = (p - t) * (p - t);
        let value = p - params.about;
        trained += select(vec4<f32>(), error, is_trained);
        tested += select(vec4<f32>(), error, is_tested);
        sums += select(vec4<f32>(), value, is_trained);
        squares += select(vec4<f32>(), value * value, is_trained);
    }
    store_sum(thread, index, 0u, trained);
    store_sum(thread, index, 1u, tested);
    store_sum(thread, index, 2u, sums);
    store_sum(thread, index, 3u, squares);
}
