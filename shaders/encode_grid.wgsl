// features = those of each level, interpolated between the vertices around the position.

@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;   // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> table: array<f32>;          // flat parameters: (entries, F)
@group(0) @binding(3) var<storage, read> coords: array<f32>;         // (n, 2)
@group(0) @binding(4) var<storage, read_write> features: array<Stored>; // (n, L F)

fn visit(weights: vec4<f32>, at: vec4<u32>, feature: u32) {
    features[feature] = stored(weights.x * table[at.x] + weights.y * table[at.y]
        + weights.z * table[at.z] + weights.w * table[at.w]);
}
