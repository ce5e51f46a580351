// A training step's forward and backward pass. Each workgroup processes its blocks of samples one after the other;
// `reduce_partials.wgsl` and `reduce_loss.wgsl` sum the gradients and losses of all workgroups in a fixed order.

@group(0) @binding(7) var<storage, read_write> loss_partials: array<f32>; // (groups)

// Targets of four samples and their weights.
struct Targets {
    values: vec4<f32>,
    weights: vec4<f32>,
}

// w l(p, t) / N and S dl_dz, as in `loss.wgsl`, for a channel with the weight `scale`.
fn loss_at(z: f32, t: f32, scale: f32) -> vec2<f32> {
    let p = output_activation(z);
    return scale * vec2<f32>(loss(p, t), params.gradient_scale * (loss_derivative(p, t) * output_derivative(z)));
}

// Overwrites z of the last layer with dl_dz, and returns this thread's share of the loss. Both are 0 beyond the last
// sample.
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
                let wanted = four_targets(sample, channel);
                let t = wanted.values;
                let scale = params.channel_weights[channel] * params.scale * wanted.weights;
                let l0 = loss_at(z.x, t.x, scale.x);
                let l1 = loss_at(z.y, t.y, scale.y);
                let l2 = loss_at(z.z, t.z, scale.z);
                let l3 = loss_at(z.w, t.w, scale.w);
                let are_there = vec4<u32>(sample, sample + 1u, sample + 2u, sample + 3u) < vec4<u32>(params.n_samples);
                let losses = select(vec4<f32>(), vec4<f32>(l0.x, l1.x, l2.x, l3.x), are_there);
                sum += (losses.x + losses.y) + (losses.z + losses.w);
                dl_dz = select(vec4<f32>(), vec4<f32>(l0.y, l1.y, l2.y, l3.y), are_there);
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
