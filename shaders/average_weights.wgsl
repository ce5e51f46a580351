// The weights' moving average: a += rate (w - a).

struct AverageParams {
    grid_width: u32,
    n_params: u32,
}

@group(0) @binding(0) var<uniform> params: AverageParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>;       // (n)
@group(0) @binding(2) var<storage, read_write> average: array<f32>; // (n)
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_params {
        return;
    }
    average[i] += step.average_rate * (weights[i] - average[i]);
}
