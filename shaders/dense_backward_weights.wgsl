// dl_dw = dl_dz^T f(x) and dl_db = column sums of dl_dz, over the samples of each slice.
// Rows are outputs, columns inputs, k samples. The slices give the device enough workgroups;
// `reduce_partials.wgsl` adds them in a fixed order.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> dl_dz: array<Vector>;     // (n, o)
@group(0) @binding(2) var<storage, read> x: array<Vector>;         // (n, i), before the activation
@group(0) @binding(3) var<storage, read_write> results: Results;   // (slices, o * i + o): dl_dw, dl_db

alias Result = f32;
alias Before = vec4<f32>;

const LEFT_ALONG_K: bool = false;
const RIGHT_ALONG_K: bool = false;
const ACTIVATE_LEFT: bool = false;
const ACTIVATE_RIGHT: bool = true;
const SUM_LEFT: bool = true;

fn depth_range(slice: u32) -> vec2<u32> {
    let first = slice * params.slice_length;
    return vec2<u32>(first, min(first + params.slice_length, params.n_samples));
}

fn left_chunk(row: u32, k: u32) -> Chunk {
    let o = params.output_width;
    let found = gradients_chunk(depth_within(k, params.n_samples) * o + min(row, o - 1u));
    if DEPTH_WHOLE {
        return found;
    }
    return chunk_if(found, k < params.n_samples);
}

fn right_chunk(k: u32, column: u32) -> Chunk {
    let i = params.input_width;
    return inputs_chunk(depth_within(k, params.n_samples) * i + min(column, i - 1u));
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
