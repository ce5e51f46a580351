// For whole fours of frequencies: four sines and four cosines a thread.

@group(0) @binding(0) var<uniform> params: EncodeParams;
@group(0) @binding(1) var<storage, read> frequencies: array<vec4<f32>>; // B: (m, 2), two rows each
@group(0) @binding(2) var<storage, read> coords: array<vec2<f32>>;      // (n)
@group(0) @binding(3) var<storage, read_write> features: array<vec4<Stored>>; // (n, 2m): m sines, m cosines

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let quads = params.n_frequencies / 4u;
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_rows * quads {
        return;
    }
    let row = i / quads;
    let quad = i % quads;
    let c = coords[row];
    let b0 = frequencies[2u * quad];
    let b1 = frequencies[2u * quad + 1u];
    let turns = c.x * vec4<f32>(b0.xz, b1.xz) + c.y * vec4<f32>(b0.yw, b1.yw);
    let sines = vec4<f32>(sin_turns(turns.x), sin_turns(turns.y), sin_turns(turns.z), sin_turns(turns.w));
    let cosines = vec4<f32>(cos_turns(turns.x), cos_turns(turns.y), cos_turns(turns.z), cos_turns(turns.w));
    features[2u * row * quads + quad] = stored_four(sines);
    features[(2u * row + 1u) * quads + quad] = stored_four(cosines);
}
