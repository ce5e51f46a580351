// Matrices descend along their orthogonalised directions.

@group(0) @binding(0) var<uniform> params: MuonMatrixParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;             // (matrices, rows, columns)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (n), all parameters
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let element = group_index(group, params.grid_width) * THREADS + thread;
    if element >= n_elements() {
        return;
    }
    let places = places_of(element);
    let at = places.parameter;
    weights[at] = step.matrix_keep * weights[at] - step.matrix_lr * params.scale * x[places.x];
}
