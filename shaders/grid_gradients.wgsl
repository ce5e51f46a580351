// grads = the fixed-point sums of `encode_grid_backward.wgsl`, which are cleared for the next step.

struct GridGradientsParams {
    grid_width: u32,
    n_values: u32, // entries times F
}

@group(0) @binding(0) var<uniform> params: GridGradientsParams;
@group(0) @binding(1) var<storage, read_write> sums: array<vec2<u32>>; // (n): low, high
@group(0) @binding(2) var<storage, read_write> grads: array<f32>;      // flat gradients; the encoding's come first

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_values {
        return;
    }
    grads[i] = fixed_point_value(sums[i]);
    sums[i] = vec2<u32>();
}
