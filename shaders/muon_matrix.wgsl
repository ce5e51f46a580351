// Matrices of one shape that Muon orthogonalises side by side, and where their elements lie in x, whose rows are the
// shorter side.

struct MuonMatrixParams {
    grid_width: u32,
    n_matrices: u32,
    weight_offset: u32, // of the first W: (o, i) in the flat parameters, in elements
    weight_stride: u32, // from one W to the next
    x_stride: u32,      // from one x to the next
    input_width: u32,   // i
    output_width: u32,  // o
    transposed: u32,    // whether x is W^T
    l2: f32,            // penalty on W
    momentum: f32,
    one_minus_momentum: f32,
    scale: f32,         // of a step
}

// Places of an element: in the flat parameters, and in x.
struct Places {
    parameter: u32,
    x: u32,
}

fn n_elements() -> u32 {
    return params.n_matrices * params.input_width * params.output_width;
}

fn places_of(element: u32) -> Places {
    let i = params.input_width;
    let n = i * params.output_width;
    let matrix = element / n;
    let e = element % n;
    let within = select(e, e % i * params.output_width + e / i, params.transposed != 0u);
    return Places(params.weight_offset + matrix * params.weight_stride + e, matrix * params.x_stride + within);
}
