// x /= |x|. Every workgroup sums the results of `gradient_norm.wgsl` again, in the same order.

struct MuonNormalizeParams {
    grid_width: u32,
    n_values: u32,
    n_shares: u32,
    smallest_norm: f32,
}

@group(0) @binding(0) var<uniform> params: MuonNormalizeParams;
@group(0) @binding(1) var<storage, read> squares: array<f32>; // (shares)
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // (n)

fn term(at: u32) -> f32 {
    return squares[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let sum = strided_sum(thread, THREADS, n_terms(thread, THREADS, params.n_shares));
    let norm = max(sqrt(reduce(thread, THREADS, sum)), params.smallest_norm);
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i < params.n_values {
        x[i] /= norm;
    }
}
