// a 1 + b s + c s s for a square matrix s, in place of its square.

struct MuonPolynomialParams {
    grid_width: u32,
    n_rows: u32,
    a: f32,
    b: f32,
    c: f32,
}

@group(0) @binding(0) var<uniform> params: MuonPolynomialParams;
@group(0) @binding(1) var<storage, read> gram: array<f32>;          // s: (rows, rows)
@group(0) @binding(2) var<storage, read_write> squared: array<f32>; // (rows, rows)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    let n = params.n_rows;
    if i >= n * n {
        return;
    }
    let diagonal = select(0.0, params.a, i % (n + 1u) == 0u);
    squared[i] = diagonal + params.b * gram[i] + params.c * squared[i];
}
