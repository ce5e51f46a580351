// The backward pass through all layers, and the block's gradients.

@group(0) @binding(6) var<storage, read_write> partials: array<f32>; // (groups, parameters of the network)

// A block's gradients, added to those of the workgroup's earlier blocks, if any.
struct Share {
    first: u32, // of the workgroup's partials
    is_first_block: bool,
}

fn add(share: Share, at: u32, value: f32) {
    let i = share.first + at - params.first_weight;
    partials[i] = select(partials[i] + value, value, share.is_first_block);
}

// The layers from last to first, their inputs in slices. Each function is called from one place only: drivers inline
// every call, and compile the code as often.
fn backward(share: Share, thread: u32) {
    for (var index = params.n_layers; index > 0u; index--) {
        let layer = layer_at(index - 1u);
        let is_hidden = index > 1u;
        let x_row = (index - 2u) * params.hidden_rows;
        if is_hidden && DERIVATIVE_FROM_OUTPUT == 0u {
            fill_values(x_row, thread);
            workgroupBarrier();
        }
        bias_gradients(share, layer, thread);
        let slice_width = select(params.feature_rows, layer.input_width, is_hidden);
        for (var slice = 0u; slice < layer.input_width; slice += slice_width) {
            let n = min(slice_width, layer.input_width - slice);
            if !is_hidden && params.features_kept == 0u {
                encode(slice, n, thread);
                workgroupBarrier();
            }
            let values = select(params.feature_row, values_of(index - 1u), is_hidden);
            gradients(share, layer, values, slice, n, thread);
            workgroupBarrier();
            if is_hidden || HAS_ENCODING_GRADIENTS {
                backward_input(layer, is_hidden, select(params.feature_row, x_row, is_hidden), slice, n, thread);
                workgroupBarrier();
            }
            if !is_hidden {
                encoding_gradients(slice, n, thread);
            }
        }
    }
}
