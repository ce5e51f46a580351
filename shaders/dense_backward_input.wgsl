// dl_dx = (dl_dz W) * f'(x), overwriting x: the pre-activation of the layer before becomes that layer's gradient.
// Rows are samples, columns inputs, k outputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;  // flat parameters; W: (o, i)
@group(0) @binding(2) var<storage, read> dl_dz: array<vec4<Stored>>; // (n, o)
@group(0) @binding(3) var<storage, read_write> results: Results;     // x, then dl_dx: (n, i)

alias Result = Stored;

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = false;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.output_width);
}

fn left_four(row: u32, k: u32) -> vec4<f32> {
    let o = params.output_width;
    let at = select(0u, row * o + k, row < params.n_samples && k < o);
    var four = vec4<f32>(dl_dz[at / 4u]);
    if !OUTPUTS_ALIGNED {
        four = four_of(four, vec4<f32>(dl_dz[min(at / 4u + 1u, (params.n_samples * o - 1u) / 4u)]), at % 4u);
    }
    let inside = are_inside(k, select(0u, o, row < params.n_samples), OUTPUTS_ALIGNED);
    return select(vec4<f32>(), four, inside);
}

fn right_four(k: u32, column: u32) -> vec4<f32> {
    let i = params.input_width;
    let at = params.weight_offset + select(0u, k * i + column, column < i && k < params.output_width);
    var four = weights[at / 4u];
    if !WEIGHTS_ALIGNED {
        four = four_of(four, weights[min(at / 4u + 1u, (params.bias_offset - 1u) / 4u)], at % 4u);
    }
    let inside = are_inside(column, select(0u, i, k < params.output_width), WEIGHTS_ALIGNED);
    return select(vec4<f32>(), four, inside);
}

// Where four results of a row are, and how many of them are in the matrix.
fn place_of(row: u32, column: u32) -> vec2<u32> {
    let i = params.input_width;
    return vec2<u32>(row * i + column, select(0u, i - min(column, i), row < params.n_samples));
}

fn before_columns(column: u32) -> vec4<f32> {
    return vec4<f32>();
}

// x, of which dl_dx takes the place.
fn before_store(row: u32, column: u32) -> vec4<f32> {
    let place = place_of(row, column);
    return vec4<f32>(four_before(place.x, place.y));
}

fn store(slice: u32, row: u32, column: u32, sums: vec4<f32>, of_columns: vec4<f32>, x: vec4<f32>) {
    let place = place_of(row, column);
    put_four(place.x, place.y, stored_four(sums * derivatives(x)));
}

fn store_sums(slice: u32, row: u32, sums: vec4<f32>) {}
