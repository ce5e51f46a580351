// Kingma and Ba 2015, algorithm 1, with the decoupled decay of Loshchilov and Hutter 2019,
// algorithm 2. The bias corrections come from the host in `step`.

struct OptimizerParams {
    grid_width: u32,
    n_params: u32,
}

override beta1: f32;
override beta2: f32;
override one_minus_beta1: f32;
override one_minus_beta2: f32;
override epsilon: f32;

@group(0) @binding(0) var<uniform> params: OptimizerParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (n)
@group(0) @binding(3) var<storage, read_write> first_moment: array<f32>;  // (n)
@group(0) @binding(4) var<storage, read_write> second_moment: array<f32>; // (n)
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_params {
        return;
    }
    let g = grads[i];
    let m = beta1 * first_moment[i] + one_minus_beta1 * g;
    let v = beta2 * second_moment[i] + one_minus_beta2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    weights[i] = weights[i] * step.keep - step.step_size * m / (sqrt(v) * step.second_scale + epsilon);
}
