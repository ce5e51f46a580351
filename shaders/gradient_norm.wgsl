// The sum of the gradient's squares, one partial sum per workgroup.

struct GradientNormParams {
    n_params: u32,
    n_groups: u32,
}

@group(0) @binding(0) var<uniform> params: GradientNormParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> squares: array<f32>; // (groups)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = group.x * THREADS + thread; i < params.n_params; i += params.n_groups * THREADS) {
        sum += grads[i] * grads[i];
    }
    sum = reduce(thread, THREADS, sum);
    if thread == 0u {
        squares[group.x] = sum;
    }
}
