// dl_dx = (dl_dz W) * f'(x), overwriting x: the pre-activation of the layer before becomes that layer's gradient.
// Rows are samples, columns inputs, k outputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>;       // flat parameters; W: (o, i)
@group(0) @binding(2) var<storage, read> dl_dz: array<Stored>;         // (n, o)
@group(0) @binding(3) var<storage, read_write> x_dl_dx: array<Stored>; // (n, i)

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = false;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.output_width);
}

fn left(row: u32, k: u32) -> f32 {
    if row >= params.n_samples || k >= params.output_width {
        return 0.0;
    }
    return f32(dl_dz[row * params.output_width + k]);
}

fn right(k: u32, column: u32) -> f32 {
    if column >= params.input_width || k >= params.output_width {
        return 0.0;
    }
    return weights[params.weight_offset + k * params.input_width + column];
}

fn store(slice: u32, row: u32, column: u32, quad: vec4<f32>) {
    if row >= params.n_samples {
        return;
    }
    let i = params.input_width;
    let at = row * i + column;
    if column < i { x_dl_dx[at] = stored(quad.x * activation_derivative(f32(x_dl_dx[at]))); }
    if column + 1u < i { x_dl_dx[at + 1u] = stored(quad.y * activation_derivative(f32(x_dl_dx[at + 1u]))); }
    if column + 2u < i { x_dl_dx[at + 2u] = stored(quad.z * activation_derivative(f32(x_dl_dx[at + 2u]))); }
    if column + 3u < i { x_dl_dx[at + 3u] = stored(quad.w * activation_derivative(f32(x_dl_dx[at + 3u]))); }
}

fn store_sums(slice: u32, row: u32, quad: vec4<f32>) {}
