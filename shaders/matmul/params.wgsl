// Parameters of the three matrix products, however they are made of tiles.

struct DenseParams {
    grid_width: u32,
    n_groups: u32,
    n_row_tiles: u32,
    n_column_tiles: u32,
    n_samples: u32,     // n
    input_width: u32,   // i
    output_width: u32,  // o
    weight_offset: u32, // of W in the flat parameters, in elements
    bias_offset: u32,   // of b
    slice_length: u32,  // samples summed by a slice: backward to weights only
}
