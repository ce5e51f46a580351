// A matrix that Muon orthogonalises, and where its elements lie in x, whose rows are the shorter side.

struct MuonMatrixParams {
    grid_width: u32,
    weight_offset: u32, // of W: (o, i) in the flat parameters, in elements
    input_width: u32,   // i
    output_width: u32,  // o
    transposed: u32,    // whether x is W^T
    l2: f32,            // penalty on W
    momentum: f32,
    one_minus_momentum: f32,
    scale: f32,         // of a step
}

// The place in x of element e of W.
fn place(e: u32) -> u32 {
    let i = params.input_width;
    return select(e, e % i * params.output_width + e / i, params.transposed != 0u);
}
