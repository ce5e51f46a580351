// features = [f_0(x), .., f_{n-1}(x), f_0(y), .., f_{n-1}(y)] with the axis_feature joined in before.

struct PerAxisParams {
    grid_width: u32,
    n_rows: u32,
    n_features: u32, // of one coordinate: n
}

@group(0) @binding(0) var<uniform> params: PerAxisParams;
@group(0) @binding(1) var<storage, read> coords: array<f32>;         // (rows, 2)
@group(0) @binding(2) var<storage, read_write> features: array<Stored>; // (rows, 2n)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    let n = params.n_features;
    if i >= params.n_rows * 2u * n {
        return;
    }
    features[i] = stored(axis_feature(coords[i / n], i % n, n));
}
