// One update of every parameter.

struct OptimizerParams {
    grid_width: u32,
    n_params: u32,
    n_encoding: u32,  // encoding weights, which come first
    encoding_l2: f32, // penalty on those
    l2: f32,          // and on the others
    // Matrices that are updated elsewhere, as ranges of parameters.
    first_begin: u32,
    first_end: u32,
    others_begin: u32, // one every others_stride, each of others_length
    others_end: u32,
    others_length: u32,
    others_stride: u32,
}

@group(0) @binding(0) var<uniform> params: OptimizerParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;         // (n)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (n)

fn is_in_matrix(i: u32) -> bool {
    let is_first = i >= params.first_begin && i < params.first_end;
    let is_other = i >= params.others_begin && i < params.others_end
        && (i - params.others_begin) % params.others_stride < params.others_length;
    return is_first || is_other;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_params || is_in_matrix(i) {
        return;
    }
    update_one(i, grads[i]);
}
