// features = those of each level, interpolated between the vertices around the position.
// One thread a position and level; neighbouring threads share a level, and so its table.

@group(0) @binding(0) var<uniform> params: GridParams;
@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;   // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> table: array<f32>;          // flat parameters: (entries, F)
@group(0) @binding(3) var<storage, read> coords: array<f32>;         // (n, 2)
@group(0) @binding(4) var<storage, read_write> features: array<Stored>; // (n, L F)

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
    let out = (row * params.n_levels + level) * n_features;
    for (var f = 0u; f < n_features; f++) {
        let at = first + f;
        features[out + f] = stored(cell.weights.x * table[at.x] + cell.weights.y * table[at.y]
            + cell.weights.z * table[at.z] + cell.weights.w * table[at.w]);
    }
}
