// A layer's forward pass, and dl_dz of a layer from that of the next, by cooperative matrices.

// Writes z of n_rows outputs from o_base on to their rows, or f(z).
fn store_outputs(layer: Layer, is_hidden: bool, o_base: u32, n_rows: u32) {
    for (var first = 0u; first < n_rows; first += PARTS * SIZE) {
        lay_out(result0);
        for (var q = lane; q < SIZE * SIZE / 4u; q += subgroup_size) {
            let place = place_in_matrix(q);
            let row = first + own_row() + place.x;
            if row < n_rows {
                var values = four_at(place) + tile_biases[row];
                if is_hidden && DERIVATIVE_FROM_OUTPUT == 1u {
                    values = activations(values);
                }
                keep(layer.row + o_base + row, (own_column() + place.y) / 4u, values);
            }
        }
        result0 = result1;
        workgroupBarrier();
    }
}

// Writes z = x W^T + b of layer `index` to its rows. Threads are in sync on entry and exit.
fn forward_layer(index: u32, thread: u32) {
    let layer = layer_at(index);
    let slice_width = select(layer.input_width, params.feature_rows, index == 0u);
    if index > 0u && DERIVATIVE_FROM_OUTPUT == 0u {
        fill_values((index - 1u) * params.hidden_rows, thread);
    }
    let total = whole(layer.output_width);
    for (var o = 0u; o < total; o += TILE_ROWS) {
        let n_rows = min(TILE_ROWS, total - o);
        clear_results();
        for (var slice = 0u; slice < layer.input_width; slice += slice_width) {
            let n = min(slice_width, layer.input_width - slice);
            var row = params.feature_row;
            if index > 0u {
                row = values_of(index);
            } else if o == 0u || n < layer.input_width {
                encode(slice, n, thread);
            }
            for (var k = 0u; k < n; k += DEPTH) {
                let depth = min(DEPTH, whole(n - k));
                load_outputs(layer, o, n_rows, slice + k, depth, thread);
                workgroupBarrier();
                multiply(n_rows, row + k, depth);
                workgroupBarrier();
            }
        }
        store_outputs(layer, index + 1u < params.n_layers, o, n_rows);
    }
}

// Writes dl_dx of n_rows inputs to rows from `row` on; times f'(z), overwriting z, for a hidden layer.
fn store_inputs(is_hidden: bool, row: u32, n_rows: u32) {
    for (var first = 0u; first < n_rows; first += PARTS * SIZE) {
        lay_out(result0);
        for (var q = lane; q < SIZE * SIZE / 4u; q += subgroup_size) {
            let place = place_in_matrix(q);
            let i = first + own_row() + place.x;
            let quad = (own_column() + place.y) / 4u;
            if i < n_rows {
                var dl_dx = four_at(place);
                if is_hidden {
                    dl_dx *= derivatives(load(row + i, quad));
                }
                keep(row + i, quad, dl_dx);
            }
        }
        result0 = result1;
        workgroupBarrier();
    }
}

// dl_dx = dl_dz W of n inputs from first_input on, to rows from `row` on.
fn backward_input(layer: Layer, is_hidden: bool, row: u32, first_input: u32, n: u32, thread: u32) {
    let total = whole(n);
    for (var first = 0u; first < total; first += TILE_ROWS) {
        let n_rows = min(TILE_ROWS, total - first);
        clear_results();
        for (var k = 0u; k < layer.output_width; k += DEPTH) {
            let depth = min(DEPTH, whole(layer.output_width - k));
            load_inputs(layer, first_input + first, n_rows, k, depth, thread);
            workgroupBarrier();
            multiply(n_rows, layer.row + k, depth);
            workgroupBarrier();
        }
        store_inputs(is_hidden, row + first, n_rows);
    }
}
