// features = those of each level, interpolated between the vertices around the position.

@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;   // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> weights: array<vec2<f32>>;  // flat parameters: (entries, F)
@group(0) @binding(3) var<storage, read> coords: array<vec2<f32>>;   // (n)
@group(0) @binding(4) var<storage, read_write> features: array<Stored>; // (n, L F)

fn visit(cell: Cell, first_feature: u32) {
    for (var f = 0u; f < params.n_features; f += 2u) {
        let two = interpolated(cell, params.n_features, f);
        features[first_feature + f] = stored(two.x);
        if f + 1u < params.n_features {
            features[first_feature + f + 1u] = stored(two.y);
        }
    }
}
