// Scales the gradient down to a norm of clip_norm if it is longer: `model::refinements::clip_factor`.

const NORM_EPSILON: f32 = 1e-6;

struct ClipParams {
    grid_width: u32,
    n_params: u32,
    n_shares: u32,
    clip_norm: f32,
}

@group(0) @binding(0) var<uniform> params: ClipParams;
@group(0) @binding(2) var<storage, read_write> grads: array<f32>; // (n)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let norm = norm_of_shares(thread, params.n_shares);
    let factor = min(params.clip_norm / (norm + NORM_EPSILON), 1.0);
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i < params.n_params {
        grads[i] *= factor;
    }
}
