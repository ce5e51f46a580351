// dl_dz of a layer from that of the next.

// tile: (output, inputs in fours) from outputs o_base on. Neighbouring inputs are neighbours in memory.
fn load_by_output(layer: Layer, first_quad: u32, n_quads: u32, o_base: u32, depth: u32, thread: u32) {
    let total = depth / 4u * PASS;
    let pitch = pitch_of(n_quads);
    for (var base = 0u; base < total; base += GROUP) {
        let i = base + thread;
        let quad = i % PASS;
        if i < total && quad < n_quads {
            let k = 4u * (first_quad + quad);
            let row = i / PASS * 4u;
            let v0 = weights_of(layer, o_base + row, k);
            let v1 = weights_of(layer, o_base + row + 1u, k);
            let v2 = weights_of(layer, o_base + row + 2u, k);
            let v3 = weights_of(layer, o_base + row + 3u, k);
            let to = row * pitch + quad;
            tile[to] = v0;
            tile[to + pitch] = v1;
            tile[to + 2u * pitch] = v2;
            tile[to + 3u * pitch] = v3;
        }
    }
}

// dl_dx = dl_dz W of inputs 4 first_input_quad.. to rows from `row` on; times f'(z), overwriting z, for a hidden
// layer.
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
            let top = row + 4u * (first + column);
            for (var i = 0u; i < 4u; i++) {
                var dl_dx = sums.r0;
                if is_hidden {
                    dl_dx *= derivatives(load(top + i, quad));
                }
                keep(top + i, quad, dl_dx);
                sums = Sums(sums.r1, sums.r2, sums.r3, sums.r3);
            }
        }
    }
}
