// Common to the three matrix products, whatever their tiling.

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

// Whether the rows of matrices of that many columns begin on whole chunks: `gpu::kernel::Alignment`.
override INPUTS_ALIGNED: bool = false;
override OUTPUTS_ALIGNED: bool = false;
override WEIGHTS_ALIGNED: bool = false; // rows of W, and the layer within the flat parameters

// Whether what is summed over is a whole number of tiles deep.
override DEPTH_WHOLE: bool = false;

// Operands are moved in chunks of neighbouring numbers, and loaded in vectors: `chunks_of_*.wgsl`.
const CHUNK_VECTORS: u32 = CHUNK / VECTOR;

// k, or the last of n if that is beyond it.
fn depth_within(k: u32, n: u32) -> u32 {
    if DEPTH_WHOLE {
        return k;
    }
    return min(k, n - 1u);
}

// A workgroup's tile of results.
struct Tile {
    row: u32,    // its first
    column: u32, // its first
    slice: u32,
}

// Tiles are ordered row by row, slice after slice. sides: rows and columns of one.
fn tile_of(index: u32, sides: vec2<u32>) -> Tile {
    let by_row = index / params.n_column_tiles;
    return Tile(
        by_row % params.n_row_tiles * sides.x,
        index % params.n_column_tiles * sides.y,
        index / (params.n_column_tiles * params.n_row_tiles),
    );
}

// k of the tile after this one; the last again after the last.
fn next_depth(k_base: u32, end: u32) -> u32 {
    return select(k_base, k_base + DEPTH, k_base + DEPTH < end);
}
