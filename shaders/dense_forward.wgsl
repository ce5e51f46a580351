// z = f(x) W^T + b, where f is the activation before this layer. Rows are samples, columns outputs, k inputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>; // flat parameters; W: (o, i), b: (o)
@group(0) @binding(2) var<storage, read> x: array<vec4<Stored>>;    // (n, i), before the activation
@group(0) @binding(3) var<storage, read_write> results: Results;    // z: (n, o)

alias Result = Stored;

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = true;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.input_width);
}

fn left_four(row: u32, k: u32) -> vec4<f32> {
    let i = params.input_width;
    let at = select(0u, row * i + k, row < params.n_samples && k < i);
    var four = vec4<f32>(x[at / 4u]);
    if !INPUTS_ALIGNED {
        four = four_of(four, vec4<f32>(x[min(at / 4u + 1u, (params.n_samples * i - 1u) / 4u)]), at % 4u);
    }
    let inside = are_inside(k, select(0u, i, row < params.n_samples), INPUTS_ALIGNED);
    return select(vec4<f32>(), activations(four), inside);
}

// Four of the flat parameters; at is below end.
fn four_weights(at: u32, end: u32) -> vec4<f32> {
    let four = weights[at / 4u];
    if WEIGHTS_ALIGNED {
        return four;
    }
    return four_of(four, weights[min(at / 4u + 1u, (end - 1u) / 4u)], at % 4u);
}

fn right_four(k: u32, column: u32) -> vec4<f32> {
    let i = params.input_width;
    let at = params.weight_offset + select(0u, column * i + k, column < params.output_width && k < i);
    let inside = are_inside(k, select(0u, i, column < params.output_width), WEIGHTS_ALIGNED);
    return select(vec4<f32>(), four_weights(at, params.bias_offset), inside);
}

// The biases.
fn before_columns(column: u32) -> vec4<f32> {
    let at = params.bias_offset + select(0u, column, column < params.output_width);
    return four_weights(at, params.bias_offset + params.output_width);
}

fn before_store(row: u32, column: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn store(slice: u32, row: u32, column: u32, sums: vec4<f32>, biases: vec4<f32>, before: vec4<f32>) {
    let o = params.output_width;
    let n = select(0u, o - min(column, o), row < params.n_samples);
    put_four(row * o + column, n, stored_four(sums + biases));
}

fn store_sums(slice: u32, row: u32, sums: vec4<f32>) {}
