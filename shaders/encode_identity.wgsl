// features = coords

struct EncodeParams {
    grid_width: u32,
    n_rows: u32,
    n_frequencies: u32, // unused here
}

@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> coords: array<f32>;         // (n, 2)
@group(0) @binding(2) var<storage, read_write> features: array<Stored>; // (n, 2)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= 2u * params.n_rows {
        return;
    }
    features[i] = stored(coords[i]);
}
