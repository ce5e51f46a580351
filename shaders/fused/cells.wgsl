// The memory of the kernels that multiply vectors of four: `load` and `keep`.

override GROUP: u32 = 64u;       // threads: 64, 128 or 256
override CELLS: u32 = 256u;      // vectors of four samples
override TILE_CELLS: u32 = 272u; // vectors of four weights

var<workgroup> cells: array<vec4<Stored>, CELLS>;
var<workgroup> tile: array<vec4<f32>, TILE_CELLS>; // of weights

fn load(row: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>(cells[row * QUADS + quad]);
}

fn keep(row: u32, quad: u32, v: vec4<f32>) {
    cells[row * QUADS + quad] = stored_four(v);
}
