// The network's weights as products read them: as values between layers are stored.

struct StoreWeightsParams {
    grid_width: u32,
    first: u32, // of the network in the flat parameters
    end: u32,
}

@group(0) @binding(0) var<uniform> params: StoreWeightsParams;
@group(0) @binding(1) var<storage, read> weights: array<f32>;                // (n)
@group(0) @binding(2) var<storage, read_write> stored_weights: array<Stored>; // (n)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = params.first + group_index(group, params.grid_width) * THREADS + thread;
    if i < params.end {
        stored_weights[i] = stored(weights[i]);
    }
}
