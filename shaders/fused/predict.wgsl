// Colours of positions: the forward pass and the output activation.

@group(0) @binding(4) var<storage, read_write> colours: array<f32>; // (n, channels)

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let channels = params.output_width;
    let row = layer_at(params.n_layers - 1u).row;
    let first_block = index * params.blocks_per_group;
    let end = min(first_block + params.blocks_per_group, (params.n_samples + BLOCK - 1u) / BLOCK);
    for (var block = first_block; block < end; block++) {
        load_positions(block * BLOCK, thread);
        workgroupBarrier();
        forward(thread);
        for (var base = 0u; base < BLOCK * channels; base += GROUP) {
            let i = base + thread;
            if i < BLOCK * channels {
                let sample = i / channels;
                let at = block * BLOCK * channels + i;
                if at < params.n_samples * channels {
                    colours[at] = output_activation(load(row + i % channels, sample / 4u)[sample % 4u]);
                }
            }
        }
        workgroupBarrier();
    }
}
