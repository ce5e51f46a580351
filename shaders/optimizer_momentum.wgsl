// v = momentum v + g + weight_decay w; w -= lr v, as torch.optim.SGD.

struct OptimizerParams {
    grid_width: u32,
    n_params: u32,
}

override momentum: f32;
override weight_decay: f32;

@group(0) @binding(0) var<uniform> params: OptimizerParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (n)
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>; // (n)
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_params {
        return;
    }
    let w = weights[i];
    let v = momentum * velocity[i] + (grads[i] + weight_decay * w);
    velocity[i] = v;
    weights[i] = w - step.lr * v;
}
