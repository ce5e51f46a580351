// dl_dw = dl_dz^T f(x) and dl_db = column sums of dl_dz, over the samples of each slice.
// Rows are outputs, columns inputs, k samples. The slices give the device enough workgroups;
// `reduce_partials.wgsl` adds them in a fixed order.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> dl_dz: array<Stored>;          // (n, o)
@group(0) @binding(2) var<storage, read> x: array<Stored>;              // (n, i), before the activation
@group(0) @binding(3) var<storage, read_write> partials: array<f32>; // (slices, o * i + o): dl_dw, dl_db

const LEFT_ALONG_K: bool = false;
const RIGHT_ALONG_K: bool = false;
const SUM_LEFT: bool = true;

fn depth_range(slice: u32) -> vec2<u32> {
    let first = slice * params.slice_length;
    return vec2<u32>(first, min(first + params.slice_length, params.n_samples));
}

fn left(row: u32, k: u32) -> f32 {
    if row >= params.output_width || k >= params.n_samples {
        return 0.0;
    }
    return f32(dl_dz[k * params.output_width + row]);
}

fn right(k: u32, column: u32) -> f32 {
    if column >= params.input_width || k >= params.n_samples {
        return 0.0;
    }
    return activation(f32(x[k * params.input_width + column]));
}

fn slice_base(slice: u32) -> u32 {
    return slice * params.output_width * (params.input_width + 1u);
}

fn store(slice: u32, row: u32, column: u32, quad: vec4<f32>) {
    if row >= params.output_width {
        return;
    }
    let i = params.input_width;
    let at = slice_base(slice) + row * i + column;
    if column < i { partials[at] = quad.x; }
    if column + 1u < i { partials[at + 1u] = quad.y; }
    if column + 2u < i { partials[at + 2u] = quad.z; }
    if column + 3u < i { partials[at + 3u] = quad.w; }
}

fn store_sums(slice: u32, row: u32, quad: vec4<f32>) {
    let o = params.output_width;
    let at = slice_base(slice) + o * params.input_width + row;
    if row < o { partials[at] = quad.x; }
    if row + 1u < o { partials[at + 1u] = quad.y; }
    if row + 2u < o { partials[at + 2u] = quad.z; }
    if row + 3u < o { partials[at + 3u] = quad.w; }
}
