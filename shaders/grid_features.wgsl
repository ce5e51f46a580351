// Iterates over the features of positions: one thread per position and level; neighbouring threads share a level, and
// so its table. A kernel supplies `levels`, `coords` and
//   visit(weights, at, feature)   for a feature (n, L F) and its values (entries, F) at the four vertices

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
    let cell = locate(levels[level], params.smoothstep, vec2<f32>(coords[2u * row], coords[2u * row + 1u]));
    let n_features = params.n_features;
    let first = cell.entries * n_features;
    let first_feature = (row * params.n_levels + level) * n_features;
    for (var f = 0u; f < n_features; f++) {
        visit(cell.weights, first + f, first_feature + f);
    }
}
