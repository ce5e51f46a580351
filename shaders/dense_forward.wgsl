// z = f(x) W^T + b, where f is the activation before this layer. Rows are samples, columns outputs, k inputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<Vector>;   // flat parameters as stored; W: (o, i)
@group(0) @binding(2) var<storage, read> biases: array<vec4<f32>>; // flat parameters; b: (o)
@group(0) @binding(3) var<storage, read> x: array<Vector>;         // (n, i), before the activation
@group(0) @binding(4) var<storage, read_write> results: Results;   // z: (n, o)

alias Result = Stored;
alias Before = vec4<f32>;

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = true;
const ACTIVATE_LEFT: bool = true;
const ACTIVATE_RIGHT: bool = false;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.input_width);
}

fn left_chunk(row: u32, k: u32) -> Chunk {
    let i = params.input_width;
    let found = inputs_chunk(min(row, params.n_samples - 1u) * i + depth_within(k, i));
    if INPUTS_ALIGNED {
        return found;
    }
    // What follows the last row may be anything, even NaN.
    return chunk_within(found, k, i, false);
}

fn right_chunk(k: u32, column: u32) -> Chunk {
    let i = params.input_width;
    let at = params.weight_offset + min(column, params.output_width - 1u) * i + depth_within(k, i);
    let found = weights_chunk(at);
    if DEPTH_WHOLE {
        return found;
    }
    return chunk_within(found, k, i, WEIGHTS_ALIGNED);
}

// The biases.
fn before_columns(column: u32) -> vec4<f32> {
    let at = params.bias_offset + min(column, params.output_width - 1u);
    let four = biases[at / 4u];
    if WEIGHTS_ALIGNED {
        return four;
    }
    return four_of(four, biases[min(at / 4u + 1u, (params.bias_offset + params.output_width - 1u) / 4u)], at % 4u);
}

fn before_store(row: u32, column: u32) -> Before {
    return vec4<f32>();
}

fn store(slice: u32, row: u32, column: u32, sums: vec4<f32>, biases: vec4<f32>, before: Before) {
    let o = params.output_width;
    let n = select(0u, o - min(column, o), row < params.n_samples);
    put_four(row * o + column, n, stored_four(sums + biases));
}

fn store_sums(slice: u32, row: u32, sums: vec4<f32>) {}
