// One update of every parameter. A rule of `optimizer/` supplies `update`, and
// `optimizer_moments_N.wgsl` the moments it keeps.

struct OptimizerParams {
    grid_width: u32,
    n_params: u32,
}

struct Updated {
    weight: f32,
    moments: vec2<f32>, // those that the rule keeps, first to last
}

@group(0) @binding(0) var<uniform> params: OptimizerParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (n)
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_params {
        return;
    }
    let updated = update(weights[i], grads[i], moments(i));
    weights[i] = updated.weight;
    keep_moments(i, updated.moments);
}
