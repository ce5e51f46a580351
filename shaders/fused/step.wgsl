// A training step's forward and backward pass. Each workgroup processes its blocks of samples one after the other;
// `reduce_partials.wgsl` and `reduce_loss.wgsl` sum the gradients and losses of all workgroups in a fixed order.

@group(0) @binding(4) var<storage, read> targets: array<f32>;             // (n, channels)
@group(0) @binding(5) var<storage, read> sample_weights: array<f32>;      // (n)
@group(0) @binding(7) var<storage, read_write> loss_partials: array<f32>; // (groups)

// w l(p, t) / N and S dl_dz, as in `loss.wgsl`; 0 beyond the last sample.
fn loss_at(sample: u32, channel: u32, z: f32) -> vec2<f32> {
    let is_there = sample < params.n_samples;
    let at = min(sample, params.n_samples - 1u);
    let p = output_activation(z);
    let t = targets[at * params.output_width + channel];
    let scale = params.channel_weights[channel] * params.scale * sample_weights[at];
    let both = scale * vec2<f32>(loss(p, t), params.gradient_scale * (loss_derivative(p, t) * output_derivative(z)));
    return select(vec2<f32>(), both, is_there);
}

// Overwrites z of the last layer with dl_dz, and returns this thread's share of the loss.
fn loss_of_block(first_sample: u32, thread: u32) -> f32 {
    let row = layer_at(params.n_layers - 1u).row;
    var sum = 0.0;
    for (var base = 0u; base < BLOCK; base += GROUP) {
        let i = base + thread;
        if i < BLOCK {
            let channel = i / QUADS;
            let quad = i % QUADS;
            var dl_dz = vec4<f32>();
            if channel < params.output_width {
                let z = load(row + channel, quad);
                let sample = first_sample + 4u * quad;
                let l0 = loss_at(sample, channel, z.x);
                let l1 = loss_at(sample + 1u, channel, z.y);
                let l2 = loss_at(sample + 2u, channel, z.z);
                let l3 = loss_at(sample + 3u, channel, z.w);
                sum += (l0.x + l1.x) + (l2.x + l3.x);
                dl_dz = vec4<f32>(l0.y, l1.y, l2.y, l3.y);
            }
            keep(row + channel, quad, dl_dz);
        }
    }
    return sum;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let first_block = index * params.blocks_per_group;
    let end = min(first_block + params.blocks_per_group, (params.n_samples + BLOCK - 1u) / BLOCK);
    begin(thread);
    var loss_sum = 0.0;
    for (var block = first_block; block < end; block++) {
        load_positions(block * BLOCK, thread);
        workgroupBarrier();
        forward(thread);
        loss_sum += loss_of_block(block * BLOCK, thread);
        workgroupBarrier();
        backward(Share(index * params.n_params, block == first_block), thread);
        workgroupBarrier();
    }
    finish(Share(index * params.n_params, true), thread);
    // Four channels of BLOCK / 4 vectors: at most BLOCK threads have a share.
    loss_sum = reduce(thread, BLOCK, loss_sum);
    if thread == 0u {
        loss_partials[index] = loss_sum;
    }
}
