// The forward pass through all layers, of which `forward_layer` is supplied.

// f(z) of the layer whose rows begin at `row`.
fn fill_values(row: u32, thread: u32) {
    let n = params.hidden_rows * QUADS;
    for (var base = 0u; base < n; base += GROUP) {
        let i = base + thread;
        if i < n {
            keep(params.value_row + i / QUADS, i % QUADS, activations(load(row + i / QUADS, i % QUADS)));
        }
    }
}

// Row of the input of layer `index`, not the first.
fn values_of(index: u32) -> u32 {
    return select(params.value_row, (index - 1u) * params.hidden_rows, DERIVATIVE_FROM_OUTPUT == 1u);
}

fn forward(thread: u32) {
    for (var index = 0u; index < params.n_layers; index++) {
        forward_layer(index, thread);
    }
}
