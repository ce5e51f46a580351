// x = Nesterov's direction of descent of each matrix, and its momentum.

@group(0) @binding(0) var<uniform> params: MuonMatrixParams;
@group(0) @binding(1) var<storage, read> grads: array<f32>;          // (n), all parameters'
@group(0) @binding(2) var<storage, read> weights: array<f32>;        // (n)
@group(0) @binding(3) var<storage, read_write> moment_0: array<f32>; // (n)
@group(0) @binding(4) var<storage, read_write> x: array<f32>;        // (matrices, rows, columns)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let element = group_index(group, params.grid_width) * THREADS + thread;
    if element >= n_elements() {
        return;
    }
    let places = places_of(element);
    let at = places.parameter;
    let g = grads[at] + params.l2 * weights[at];
    let m = params.momentum * moment_0[at] + params.one_minus_momentum * g;
    moment_0[at] = m;
    x[places.x] = params.momentum * m + params.one_minus_momentum * g;
}
