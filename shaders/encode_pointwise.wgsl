// features = those of the formula whose `feature` is joined in before, each from the position alone.

struct PointwiseParams {
    grid_width: u32,
    n_rows: u32,
    n_features: u32, // of a position
    n_units: u32,    // the formula's n
}

@group(0) @binding(0) var<uniform> params: PointwiseParams;
@group(0) @binding(1) var<storage, read> coords: array<f32>;         // (rows, 2)
@group(0) @binding(2) var<storage, read_write> features: array<Stored>; // (rows, n_features)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    let n_features = params.n_features;
    if i >= params.n_rows * n_features {
        return;
    }
    let row = i / n_features;
    let position = vec2<f32>(coords[2u * row], coords[2u * row + 1u]);
    features[i] = stored(feature(i % n_features, params.n_units, position));
}
