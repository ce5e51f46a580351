// One update of every parameter. A rule of `optimizer/` supplies `update`, and `optimizer_moments_N.wgsl` its
// moments.

struct OptimizerParams {
    grid_width: u32,
    n_params: u32,
    n_encoding: u32,  // encoding weights, which come first
    encoding_l2: f32, // penalty on those
    l2: f32,          // and on the others
}

struct Updated {
    weight: f32,
    moments: vec2<f32>, // those of the rule, first to last
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
    let of_encoding = i < params.n_encoding;
    let factors = select(step.factors, step.encoding_factors, of_encoding);
    let w = weights[i];
    let g = grads[i] + select(params.l2, params.encoding_l2, of_encoding) * w;
    let updated = update(factors, w, g, moments(i));
    weights[i] = updated.weight;
    keep_moments(i, updated.moments);
}
