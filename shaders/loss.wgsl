// The loss and its gradient, which overwrites z: dl_dz = S w l'(p, t) f'(z) / N with p = f(z), w the weight of the
// channel times that of the sample and N the number of values of the whole step; and each workgroup's sum of w l(p,
// t) / N.

struct LossParams {
    grid_width: u32,
    n_values: u32, // of this part of the step: samples times channels
    channels: u32,
    scale: f32,    // 1 / N
    weights: vec4<f32>, // of the channels
    gradient_scale: f32, // S / N: gradients are stored S times as large, see gpu::kernel::config
}

@group(0) @binding(0) var<uniform> params: LossParams;
@group(0) @binding(1) var<storage, read> targets: array<f32>;             // (n, channels)
@group(0) @binding(2) var<storage, read> sample_weights: array<f32>;      // (n)
@group(0) @binding(3) var<storage, read_write> z_dl_dz: array<Stored>;    // (n, channels)
@group(0) @binding(4) var<storage, read_write> loss_partials: array<f32>; // (workgroups)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let part = group_index(group, params.grid_width);
    let first = part * THREADS;
    if first >= params.n_values {
        return;
    }
    let i = first + thread;
    var value = 0.0;
    if i < params.n_values {
        let z = f32(z_dl_dz[i]);
        let p = activation(z);
        let t = targets[i];
        let weight = params.weights[i % params.channels] * sample_weights[i / params.channels];
        value = weight * params.scale * loss(p, t);
        z_dl_dz[i] = stored(weight * params.gradient_scale * loss_derivative(p, t) * activation_derivative(z));
    }
    let sum = reduce(thread, THREADS, value);
    if thread == 0u {
        loss_partials[part] = sum;
    }
}
