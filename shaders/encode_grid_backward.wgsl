// Adds to each vertex's features their gradient, from those of the features of positions. Many positions
// share a vertex; `grid_add_exact.wgsl` or `grid_add_float.wgsl` has the sums at binding 4 and how to add.

@group(0) @binding(0) var<uniform> params: GridParams;
@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;     // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> coords: array<f32>;           // (n, 2)
@group(0) @binding(3) var<storage, read> dl_dfeatures: array<Stored>;  // (n, L F)

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
    let from_features = (row * params.n_levels + level) * n_features;
    for (var f = 0u; f < n_features; f++) {
        let at = first + f;
        let terms = cell.weights * (params.gradient_unit * f32(dl_dfeatures[from_features + f]));
        add(at.x, terms.x);
        add(at.y, terms.y);
        add(at.z, terms.z);
        add(at.w, terms.w);
    }
}
