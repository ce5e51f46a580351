// dl_dx = (dl_dz W) * f'(x), overwriting x: the pre-activation of the layer before becomes that layer's gradient.
// Rows are samples, columns inputs, k outputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<vec4<Stored>>; // flat parameters as stored; W: (o, i)
@group(0) @binding(2) var<storage, read> dl_dz: array<vec4<Stored>>;   // (n, o)
@group(0) @binding(3) var<storage, read_write> results: Results;       // x, then dl_dx: (n, i)

alias Result = Stored;
alias LeftFour = vec4<Stored>;
alias Before = vec4<Stored>;
alias RightFour = vec4<Stored>;

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = false;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.output_width);
}

fn left_four(row: u32, k: u32) -> vec4<Stored> {
    let o = params.output_width;
    let at = min(row, params.n_samples - 1u) * o + depth_within(k, o);
    let four = dl_dz[at / 4u];
    if OUTPUTS_ALIGNED {
        return four;
    }
    let next = dl_dz[min(at / 4u + 1u, (params.n_samples * o - 1u) / 4u)];
    // What follows the last row may be anything, even NaN.
    return select(vec4<Stored>(), stored_four_of(four, next, at % 4u), are_inside(k, o, false));
}

fn left_value(four: vec4<Stored>) -> vec4<f32> {
    return vec4<f32>(four);
}

fn left_stored(four: vec4<Stored>) -> vec4<Stored> {
    return four;
}

fn right_four(k: u32, column: u32) -> vec4<Stored> {
    let i = params.input_width;
    let at = params.weight_offset + depth_within(k, params.output_width) * i + min(column, i - 1u);
    var four = weights[at / 4u];
    if !WEIGHTS_ALIGNED {
        four = stored_four_of(four, weights[min(at / 4u + 1u, (params.bias_offset - 1u) / 4u)], at % 4u);
    }
    if DEPTH_WHOLE {
        return four;
    }
    return select(vec4<Stored>(), four, k < params.output_width);
}

fn right_value(four: vec4<Stored>) -> vec4<f32> {
    return vec4<f32>(four);
}

fn right_stored(four: vec4<Stored>) -> vec4<Stored> {
    return four;
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
fn before_store(row: u32, column: u32) -> Before {
    let place = place_of(row, column);
    return four_before(place.x, place.y);
}

fn store(slice: u32, row: u32, column: u32, sums: vec4<f32>, of_columns: vec4<f32>, x: Before) {
    let place = place_of(row, column);
    put_four(place.x, place.y, stored_four(sums * derivatives(vec4<f32>(x))));
}

fn store_sums(slice: u32, row: u32, sums: vec4<f32>) {}
