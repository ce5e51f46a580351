// Scales the gradient down to a norm of clip_norm if it is longer: `model::refinements::clip_factor`. Every workgroup
// sums the results of `gradient_norm.wgsl` again, in the same order.

const NORM_EPSILON: f32 = 1e-6;

struct ClipParams {
    grid_width: u32,
    n_params: u32,
    n_shares: u32,
    clip_norm: f32,
}

@group(0) @binding(0) var<uniform> params: ClipParams;
@group(0) @binding(1) var<storage, read> squares: array<f32>;     // (shares)
@group(0) @binding(2) var<storage, read_write> grads: array<f32>; // (n)

fn term(at: u32) -> f32 {
    return squares[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let sum = strided_sum(thread, THREADS, n_terms(thread, THREADS, params.n_shares));
    let norm = sqrt(reduce(thread, THREADS, sum));
    let factor = min(params.clip_norm / (norm + NORM_EPSILON), 1.0);
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i < params.n_params {
        grads[i] *= factor;
    }
}
