// Positions of consecutive pixels of a raster, row by row: `model::Raster::position`.

struct RasterParams {
    grid_width: u32,
    n_rows: u32,  // pixels to compute
    width: u32,   // of the raster
    first_x: u32, // of the first pixel
    first_y: u32,
    left: u32,    // column of the whole raster at column 0
    origin: vec2<f32>,
    step: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: RasterParams;
@group(0) @binding(1) var<storage, read_write> coords: array<f32>; // (n, 2)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group_index(group, params.grid_width) * THREADS + thread;
    if row >= params.n_rows {
        return;
    }
    let pixel = params.first_x + row;
    let x = params.left + pixel % params.width;
    let y = params.first_y + pixel / params.width;
    coords[2u * row] = f32(x) * params.step.x + params.origin.x;
    coords[2u * row + 1u] = f32(y) * params.step.y + params.origin.y;
}
