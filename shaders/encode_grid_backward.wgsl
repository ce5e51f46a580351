// Adds the gradients of positions' features to the vertices' features. Many positions share a vertex;
// `grid_add_exact.wgsl` or `grid_add_float.wgsl` has the sums at binding 4 and how to add.

@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;     // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> coords: array<vec2<f32>>;     // (n)
@group(0) @binding(3) var<storage, read> dl_dfeatures: array<Stored>;  // (n, L F)

fn visit(cell: Cell, first_feature: u32) {
    let first = cell.entries * params.n_features;
    for (var f = 0u; f < params.n_features; f++) {
        let at = first + f;
        let terms = cell.weights * (params.gradient_unit * f32(dl_dfeatures[first_feature + f]));
        add(at.x, terms.x);
        add(at.y, terms.y);
        add(at.z, terms.z);
        add(at.w, terms.w);
    }
}
