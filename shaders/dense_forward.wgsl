// z = f(x) W^T + b, where f is the activation before this layer. Rows are samples, k inputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>; // flat parameters; W: (o, i), b: (o)
@group(0) @binding(2) var<storage, read> x: array<Stored>;       // (n, i), before the activation
@group(0) @binding(3) var<storage, read_write> z: array<Stored>; // (n, o)

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = true;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.input_width);
}

fn left(row: u32, k: u32) -> f32 {
    if row >= params.n_samples || k >= params.input_width {
        return 0.0;
    }
    return activation(f32(x[row * params.input_width + k]));
}

fn right(k: u32, column: u32) -> f32 {
    if column >= params.output_width || k >= params.input_width {
        return 0.0;
    }
    return weights[params.weight_offset + column * params.input_width + k];
}

fn store(slice: u32, row: u32, column: u32, quad: vec4<f32>) {
    if row >= params.n_samples {
        return;
    }
    let o = params.output_width;
    let at = row * o + column;
    let bias = params.bias_offset + column;
    if column < o { z[at] = stored(quad.x + weights[bias]); }
    if column + 1u < o { z[at + 1u] = stored(quad.y + weights[bias + 1u]); }
    if column + 2u < o { z[at + 2u] = stored(quad.z + weights[bias + 2u]); }
    if column + 3u < o { z[at + 3u] = stored(quad.w + weights[bias + 3u]); }
}

fn store_sums(slice: u32, row: u32, quad: vec4<f32>) {}
