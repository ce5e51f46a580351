// The fused network kernels: a workgroup takes BLOCK samples at a time through all layers, with all intermediate
// values in workgroup memory.
//
// `load` and `keep` give rows of units by columns of samples, four samples per vector:
//   pre-activations z of layer l   from row l * hidden_rows on; overwritten by dl_dz in the backward pass
//   features                       from feature_row on, feature_rows at a time
//   f(z) of the layer before       from value_row on, unless DERIVATIVE_FROM_OUTPUT
// Before a barrier, every loop runs as often in each thread, and what a thread has no part in is skipped within it:
// Microsoft's FXC compiler refuses loops that depend on the thread.
//
// Row numbers are multiples of four, or of the size of a cooperative matrix. Padding rows hold finite numbers, and
// weights beyond a layer's matrix count as 0, or are multiplied by nothing, so that products need no bounds checks.

struct FusedParams {
    grid_width: u32,
    n_groups: u32,
    n_samples: u32,
    blocks_per_group: u32,
    input_width: u32,
    hidden_width: u32,
    output_width: u32,
    n_layers: u32,
    first_weight: u32,  // of the network in the flat parameters
    n_params: u32,      // of the network
    hidden_rows: u32,   // hidden_width, rounded up to whole rows
    feature_row: u32,
    feature_rows: u32,  // a multiple of eight, or all of them
    value_row: u32,
    features_kept: u32, // whether features are kept for the backward pass
    n_units: u32,       // of the encoding: frequencies, levels, or features of an axis
    n_features: u32,    // of a level
    smoothstep: u32,    // 0: linear
    scale: f32,         // one over the values of the whole step
    gradient_scale: f32, // S: gradients are stored S times as large, see gpu::kernel::config
    picture: PictureParams, // where the step fetches its samples
    channel_weights: vec4<f32>, // of the loss
}

@group(0) @binding(0) var<uniform> params: FusedParams;
@group(0) @binding(1) var<storage, read> weights: array<vec2<f32>>;   // flat parameters
@group(0) @binding(2) var<storage, read> constants: array<vec4<u32>>; // of the encoding: B (m, 2), or levels (L, 4)

override BLOCK: u32 = 16u;        // samples: 16, 32, 64 or 128
override DERIVATIVE_FROM_OUTPUT: u32 = 0u;  // 1 if f' follows from f: then hidden rows hold f(z) instead of z
override ROWS_OF_FOURS: u32 = 0u; // 1 if layers have a multiple of four inputs, and first_weight is even
override QUADS: u32 = BLOCK / 4u; // vectors of four samples

var<workgroup> positions: array<vec4<f32>, 64>; // x of each sample, then y

struct Layer {
    input_width: u32,
    output_width: u32,
    weight: u32, // of W in the flat parameters; b follows it
    row: u32,    // of its z
    index: u32,
}

fn layer_at(index: u32) -> Layer {
    let h = params.hidden_width;
    let of_first = h * (params.input_width + 1u);
    let before = select(0u, of_first + (index - 1u) * h * (h + 1u), index > 0u);
    return Layer(
        select(h, params.input_width, index == 0u),
        select(h, params.output_width, index + 1u == params.n_layers),
        params.first_weight + before,
        index * params.hidden_rows,
        index,
    );
}

// Four of the flat parameters from `at` on; those beyond the last may be anything.
fn four_weights(at: u32) -> vec4<f32> {
    let last = (params.first_weight + params.n_params - 1u) / 2u;
    let pair = min(at / 2u, last);
    let p0 = weights[pair];
    let p1 = weights[min(pair + 1u, last)];
    let p2 = weights[min(pair + 2u, last)];
    return select(vec4<f32>(p0, p1), vec4<f32>(p0.y, p1, p2.x), at % 2u == 1u);
}

// Of a row of W, from `input` on; 0 outside the matrix, but with rows of fours anything beyond the last input.
fn weights_of(layer: Layer, output: u32, input: u32) -> vec4<f32> {
    if ROWS_OF_FOURS == 1u {
        let is_row = output < layer.output_width;
        let within = output * layer.input_width + min(input, layer.input_width - 4u);
        let pair = (layer.weight + select(0u, within, is_row)) / 2u;
        return select(vec4<f32>(), vec4<f32>(weights[pair], weights[pair + 1u]), is_row);
    }
    let width = select(0u, layer.input_width, output < layer.output_width);
    let at = layer.weight + select(0u, output * layer.input_width + input, input < width);
    return select(vec4<f32>(), four_weights(at), are_inside(input, width, false));
}
