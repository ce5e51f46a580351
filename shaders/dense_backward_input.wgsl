// dl_dx = (dl_dz W) * f'(x), overwriting x: the pre-activation of the layer before becomes that layer's gradient.
// Rows are samples, columns inputs, k outputs.

@group(0) @binding(0) var<uniform> params: DenseParams;
@group(0) @binding(1) var<storage, read> weights: array<Vector>;   // flat parameters as stored; W: (o, i)
@group(0) @binding(2) var<storage, read> dl_dz: array<Vector>;     // (n, o)
@group(0) @binding(3) var<storage, read_write> results: Results;   // x, then dl_dx: (n, i)

alias Result = Stored;
alias Before = vec4<Stored>;

const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = false;
const ACTIVATE_LEFT: bool = false;
const ACTIVATE_RIGHT: bool = false;
const SUM_LEFT: bool = false;

fn depth_range(slice: u32) -> vec2<u32> {
    return vec2<u32>(0u, params.output_width);
}

fn left_chunk(row: u32, k: u32) -> Chunk {
    let o = params.output_width;
    let found = gradients_chunk(min(row, params.n_samples - 1u) * o + depth_within(k, o));
    if OUTPUTS_ALIGNED {
        return found;
    }
    // What follows the last row may be anything, even NaN.
    return chunk_within(found, k, o, false);
}

fn right_chunk(k: u32, column: u32) -> Chunk {
    let i = params.input_width;
    let found = weights_chunk(params.weight_offset + depth_within(k, params.output_width) * i + min(column, i - 1u));
    if DEPTH_WHOLE {
        return found;
    }
    return chunk_if(found, k < params.output_width);
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
