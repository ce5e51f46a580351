// For any number of frequencies: a sine and a cosine a thread.

@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;    // B: (m, 2)
@group(0) @binding(2) var<storage, read> coords: array<f32>;         // (n, 2)
@group(0) @binding(3) var<storage, read_write> features: array<Stored>; // (n, 2m): m sines, m cosines

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let m = params.n_frequencies;
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_rows * m {
        return;
    }
    let row = i / m;
    let j = i % m;
    let turns = coords[2u * row] * frequencies[2u * j] + coords[2u * row + 1u] * frequencies[2u * j + 1u];
    features[row * 2u * m + j] = stored(sin_turns(turns));
    features[row * 2u * m + m + j] = stored(cos_turns(turns));
}
