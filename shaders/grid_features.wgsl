// Visits the levels of positions: one thread per position and level; neighbouring threads share a level, and
// so its table. A kernel supplies `levels`, `coords` and
//   visit(cell, first_feature)   for the features (n, L F) of a level from `first_feature` on

struct GridParams {
    grid_width: u32,
    n_rows: u32,
    n_levels: u32,
    n_features: u32,  // of a level
    smoothstep: u32,  // 0: linear
    gradient_unit: f32, // the value of a stored gradient of 1
}

@group(0) @binding(0) var<uniform> params: GridParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_rows * params.n_levels {
        return;
    }
    let level = i / params.n_rows;
    let row = i % params.n_rows;
    visit(locate(levels[level], params.smoothstep, coords[row]), (row * params.n_levels + level) * params.n_features);
}
