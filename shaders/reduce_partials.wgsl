// grads (+)= sum of the slices' partials, in the order of the slices.

struct ReduceParams {
    grid_width: u32,
    n_values: u32,    // of the layer: o * i + o
    n_slices: u32,
    grads_offset: u32, // of the layer in the flat gradients, in elements
    accumulate: u32,  // 0 for the step's first part
    unit: f32,        // the value of a partial gradient of 1
}

@group(0) @binding(0) var<uniform> params: ReduceParams;
@group(0) @binding(1) var<storage, read> partials: array<f32>;    // (slices, n_values)
@group(0) @binding(2) var<storage, read_write> grads: array<f32>; // flat gradients

fn term(at: u32) -> f32 {
    return partials[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_values {
        return;
    }
    var sum = strided_sum(i, params.n_values, params.n_slices) * params.unit;
    let at = params.grads_offset + i;
    if params.accumulate != 0u {
        sum += grads[at];
    }
    grads[at] = sum;
}
