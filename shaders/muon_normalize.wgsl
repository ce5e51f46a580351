// x /= |x|

struct MuonNormalizeParams {
    grid_width: u32,
    n_values: u32,
    n_shares: u32,
    smallest_norm: f32,
}

@group(0) @binding(0) var<uniform> params: MuonNormalizeParams;
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // (n)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let norm = max(norm_of_shares(thread, params.n_shares), params.smallest_norm);
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i < params.n_values {
        x[i] /= norm;
    }
}
