// grads = 0 where `grid_add_float.wgsl` adds to it.

struct ClearGradientsParams {
    grid_width: u32,
    n_values: u32, // entries times F
}

@group(0) @binding(0) var<uniform> params: ClearGradientsParams;
@group(0) @binding(1) var<storage, read_write> grads: array<f32>; // flat gradients; the encoding's come first

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i < params.n_values {
        grads[i] = 0.0;
    }
}
