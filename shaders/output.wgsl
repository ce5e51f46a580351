// colours = f(z), the output activation.

struct OutputParams {
    grid_width: u32,
    n_values: u32, // pixels times channels
}

@group(0) @binding(0) var<uniform> params: OutputParams;
@group(0) @binding(1) var<storage, read> z: array<f32>;             // (n, channels)
@group(0) @binding(2) var<storage, read_write> colours: array<f32>; // (n, channels)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_values {
        return;
    }
    colours[i] = activation(z[i]);
}
