// grads = the fixed-point sums of `encode_grid_backward.wgsl`, which are cleared for the next step.

struct GridGradientsParams {
    grid_width: u32,
    n_values: u32, // entries times F
}

@group(0) @binding(0) var<uniform> params: GridGradientsParams;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;  // (n, 2): low, high
@group(0) @binding(2) var<storage, read_write> grads: array<f32>; // flat gradients; the encoding's come first

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_values {
        return;
    }
    var low = sums[2u * i];
    var high = sums[2u * i + 1u];
    let negative = (high >> 31u) != 0u;
    // The magnitude first, so that the two words do not cancel.
    if negative {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    let magnitude = f32(high) * (1.0 / 1048576.0) + f32(low) * (1.0 / 4503599627370496.0); // 2^-20, 2^-52
    grads[i] = select(magnitude, -magnitude, negative);
    sums[2u * i] = 0u;
    sums[2u * i + 1u] = 0u;
}
