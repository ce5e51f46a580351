// The sum of the gradient's squares, one partial sum per workgroup.

struct GradientNormParams {
    n_params: u32,
    n_groups: u32,
}

@group(0) @binding(0) var<uniform> params: GradientNormParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> squares: array<f32>; // (groups)

fn term(at: u32) -> f32 {
    return grads[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value * value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * THREADS + thread;
    let stride = params.n_groups * THREADS;
    let of_thread = strided_sum(first, stride, n_terms(first, stride, params.n_params));
    let sum = reduce(thread, THREADS, of_thread);
    if thread == 0u {
        squares[group.x] = sum;
    }
}
