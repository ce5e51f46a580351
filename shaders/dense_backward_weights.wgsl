// dl_dw = dl_dz^T f(x) and dl_db = column sums of dl_dz, over the samples of each slice.
// Rows are outputs, columns inputs, k samples. The slices give the device enough workgroups;
// `reduce_partials.wgsl` adds them in a fixed order.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> dl_dz: array<vec4<Stored>>; // (n, o)
@group(0) @binding(2) var<storage, read> x: array<vec4<Stored>>;     // (n, i), before the activation
@group(0) @binding(3) var<storage, read_write> results: Results;     // (slices, o * i + o): dl_dw, dl_db

alias Result = f32;
alias LeftFour = vec4<Stored>;
alias Before = vec4<f32>;
alias RightFour = vec4<Stored>;

const LEFT_ALONG_K: bool = false;
const RIGHT_ALONG_K: bool = false;
const SUM_LEFT: bool = true;

fn depth_range(slice: u32) -> vec2<u32> {
    let first = slice * params.slice_length;
    return vec2<u32>(first, min(first + params.slice_length, params.n_samples));
}

fn left_four(row: u32, k: u32) -> vec4<Stored> {
    let o = params.output_width;
    let at = depth_within(k, params.n_samples) * o + min(row, o - 1u);
    var four = dl_dz[at / 4u];
    if !OUTPUTS_ALIGNED {
        four = stored_four_of(four, dl_dz[min(at / 4u + 1u, (params.n_samples * o - 1u) / 4u)], at % 4u);
    }
    if DEPTH_WHOLE {
        return four;
    }
    return select(vec4<Stored>(), four, k < params.n_samples);
}

fn left_value(four: vec4<Stored>) -> vec4<f32> {
    return vec4<f32>(four);
}

fn left_stored(four: vec4<Stored>) -> vec4<Stored> {
    return four;
}

fn right_four(k: u32, column: u32) -> vec4<Stored> {
    let i = params.input_width;
    let at = depth_within(k, params.n_samples) * i + min(column, i - 1u);
    let four = x[at / 4u];
    if INPUTS_ALIGNED {
        return four;
    }
    return stored_four_of(four, x[min(at / 4u + 1u, (params.n_samples * i - 1u) / 4u)], at % 4u);
}

fn right_value(four: vec4<Stored>) -> vec4<f32> {
    return activations(vec4<f32>(four));
}

fn right_stored(four: vec4<Stored>) -> vec4<Stored> {
    return stored_activations(four);
}

fn slice_base(slice: u32) -> u32 {
    return slice * params.output_width * (params.input_width + 1u);
}

fn before_columns(column: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn before_store(row: u32, column: u32) -> Before {
    return vec4<f32>();
}

fn store(slice: u32, row: u32, column: u32, sums: vec4<f32>, of_columns: vec4<f32>, before: Before) {
    let i = params.input_width;
    let n = select(0u, i - min(column, i), row < params.output_width);
    put_four(slice_base(slice) + row * i + column, n, sums);
}

fn store_sums(slice: u32, row: u32, sums: vec4<f32>) {
    let o = params.output_width;
    put_four(slice_base(slice) + o * params.input_width + row, o - min(row, o), sums);
}
