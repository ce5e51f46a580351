// sums += the gradient of each vertex's features, from those of the features of positions.
// Many positions share a vertex, so the sums are those of `fixed_point.wgsl`.

@group(0) @binding(0) var<uniform> params: GridParams;
@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;     // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> coords: array<f32>;           // (n, 2)
@group(0) @binding(3) var<storage, read> dl_dfeatures: array<f32>;     // (n, L F)
@group(0) @binding(4) var<storage, read_write> sums: array<atomic<u32>>; // (entries, F, 2): low, high

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
        let terms = cell.weights * dl_dfeatures[from_features + f];
        add_fixed_point(at.x, terms.x);
        add_fixed_point(at.y, terms.y);
        add_fixed_point(at.z, terms.z);
        add_fixed_point(at.w, terms.w);
    }
}
