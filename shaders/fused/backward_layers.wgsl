// dl_dz of each layer from that of the one after it, and what the layers' gradients are taken of.

// tile: (output, inputs in fours) from outputs o_base on. Neighbouring inputs are neighbours in memory.
fn load_by_output(layer: Layer, first_quad: u32, n_quads: u32, o_base: u32, depth: u32, thread: u32) {
    for (var i = thread; i < depth * PASS; i += GROUP) {
        let quad = i % PASS;
        let k = 4u * (first_quad + quad);
        let o = o_base + i / PASS;
        if quad < n_quads {
            tile[i / PASS * pitch_of(n_quads) + quad] = vec4<f32>(
                weight(layer, o, k), weight(layer, o, k + 1u), weight(layer, o, k + 2u), weight(layer, o, k + 3u),
            );
        }
    }
}

// dl_dx = dl_dz W of inputs 4 first_input_quad.. into rows from `row` on: times f'(z), in place of z, for a hidden
// layer's.
fn backward_input(layer: Layer, is_hidden: bool, row: u32, first_input: u32, n: u32, thread: u32) {
    let quad = thread % QUADS;
    let column = thread / QUADS;
    let total = (n + 3u) / 4u;
    for (var first = 0u; first < total; first += PASS) {
        let n_quads = min(PASS, total - first);
        var sums = Sums(vec4<f32>(), vec4<f32>(), vec4<f32>(), vec4<f32>());
        for (var o = 0u; o < layer.output_width; o += DEPTH) {
            let depth = (min(DEPTH, layer.output_width - o) + 3u) / 4u * 4u;
            load_by_output(layer, first_input / 4u + first, n_quads, o, depth, thread);
            workgroupBarrier();
            if column < n_quads {
                sums = multiply(sums, column, pitch_of(n_quads), layer.row + o, quad, depth);
            }
            workgroupBarrier();
        }
        if column < n_quads {
            let to = row + 4u * (first + column);
            if is_hidden {
                sums.r0 *= derivatives(load(to, quad));
                sums.r1 *= derivatives(load(to + 1u, quad));
                sums.r2 *= derivatives(load(to + 2u, quad));
                sums.r3 *= derivatives(load(to + 3u, quad));
            }
            keep(to, quad, sums.r0);
            keep(to + 1u, quad, sums.r1);
            keep(to + 2u, quad, sums.r2);
            keep(to + 3u, quad, sums.r3);
        }
    }
}

fn backward_hidden(share: Share, index: u32, thread: u32) {
    let layer = layer_at(index);
    if KEEPS_VALUES == 0u {
        fill_values((index - 1u) * params.hidden_rows, thread);
        workgroupBarrier();
    }
    gradients(share, layer, values_of(index), 0u, layer.input_width, thread);
    bias_gradients(share, layer, thread);
    workgroupBarrier();
    backward_input(layer, true, (index - 1u) * params.hidden_rows, 0u, layer.input_width, thread);
    workgroupBarrier();
}

fn backward_features(share: Share, thread: u32) {
    let layer = layer_at(0u);
    bias_gradients(share, layer, thread);
    for (var slice = 0u; slice < layer.input_width; slice += params.feature_rows) {
        let n = min(params.feature_rows, layer.input_width - slice);
        if params.features_kept == 0u {
            encode(slice, n, thread);
            workgroupBarrier();
        }
        gradients(share, layer, params.feature_row, slice, n, thread);
        workgroupBarrier();
        encoding_gradients(layer, slice, n, thread);
    }
}

fn backward(share: Share, thread: u32) {
    for (var index = params.n_layers - 1u; index > 0u; index--) {
        backward_hidden(share, index, thread);
    }
    backward_features(share, thread);
}
