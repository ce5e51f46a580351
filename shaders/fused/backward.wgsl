// The gradients of a block's weights, four by four per thread.

// Number of inputs for neighbouring threads in the weight gradient.
const COLUMNS: u32 = 16u;
override ROWS: u32 = GROUP / COLUMNS;

// Four gradients of an output for inputs COLUMNS apart, as they are after the workgroup's earlier blocks. Those beyond
// the last input or output repeat the last.
fn four_before(share: Share, layer: Layer, output: u32, input: u32, end: u32) -> vec4<f32> {
    let row = share.first + layer.weight - params.first_weight
        + min(output, layer.output_width - 1u) * layer.input_width;
    let last = end - 1u;
    return vec4<f32>(
        partials[row + min(input, last)], partials[row + min(input + COLUMNS, last)],
        partials[row + min(input + 2u * COLUMNS, last)], partials[row + min(input + 3u * COLUMNS, last)],
    );
}

fn keep_four(share: Share, layer: Layer, output: u32, input: u32, end: u32, values: vec4<f32>) {
    let at = share.first + layer.weight - params.first_weight + output * layer.input_width + input;
    if input < end { partials[at] = values.x; }
    if input + COLUMNS < end { partials[at + COLUMNS] = values.y; }
    if input + 2u * COLUMNS < end { partials[at + 2u * COLUMNS] = values.z; }
    if input + 3u * COLUMNS < end { partials[at + 3u * COLUMNS] = values.w; }
}

// sums + [g . x0, g . x1, g . x2, g . x3], each as one chain of multiply-adds.
fn plus_dots(before: vec4<f32>, g: vec4<f32>, x: Block) -> vec4<f32> {
    var sums = before;
    sums += g.x * vec4<f32>(x.v0.x, x.v1.x, x.v2.x, x.v3.x);
    sums += g.y * vec4<f32>(x.v0.y, x.v1.y, x.v2.y, x.v3.y);
    sums += g.z * vec4<f32>(x.v0.z, x.v1.z, x.v2.z, x.v3.z);
    sums += g.w * vec4<f32>(x.v0.w, x.v1.w, x.v2.w, x.v3.w);
    return sums;
}

// First index of a thread in a row, such that neighbours read from different banks.
fn first_quad_of(thread: u32) -> u32 {
    return (thread * min(QUADS, 8u) / 8u) % QUADS;
}

// First vector of a row, clamped to the last of `n`; surplus results are never stored.
fn row_start(row: u32, index: u32, n: u32) -> u32 {
    return (row + min(index, n - 1u)) * QUADS;
}

// Four by four of the weights' gradients: of output o and input k, and those ROWS and COLUMNS on.
fn sixteen_weight_gradients(share: Share, layer: Layer, row: u32, first: u32, n: u32, o: u32, k: u32, start: u32) {
    let g_row = vec4<u32>(
        row_start(layer.row, o, layer.output_width), row_start(layer.row, o + ROWS, layer.output_width),
        row_start(layer.row, o + 2u * ROWS, layer.output_width),
        row_start(layer.row, o + 3u * ROWS, layer.output_width),
    );
    let x_row = vec4<u32>(
        row_start(row, k, n), row_start(row, k + COLUMNS, n),
        row_start(row, k + 2u * COLUMNS, n), row_start(row, k + 3u * COLUMNS, n),
    );
    // Loaded before the sums, which take as long as the loads do.
    let end = first + n;
    var before = Block();
    if !share.is_first_block {
        before = Block(
            four_before(share, layer, o, first + k, end), four_before(share, layer, o + ROWS, first + k, end),
            four_before(share, layer, o + 2u * ROWS, first + k, end),
            four_before(share, layer, o + 3u * ROWS, first + k, end),
        );
    }
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    for (var i = 0u; i < QUADS; i++) {
        let q = (start + i) % QUADS;
        let x = Block(
            vec4<f32>(cells[x_row.x + q]), vec4<f32>(cells[x_row.y + q]),
            vec4<f32>(cells[x_row.z + q]), vec4<f32>(cells[x_row.w + q]),
        );
        c0 = plus_dots(c0, vec4<f32>(cells[g_row.x + q]), x);
        c1 = plus_dots(c1, vec4<f32>(cells[g_row.y + q]), x);
        c2 = plus_dots(c2, vec4<f32>(cells[g_row.z + q]), x);
        c3 = plus_dots(c3, vec4<f32>(cells[g_row.w + q]), x);
    }
    for (var i = 0u; i < 4u; i++) {
        let output = o + i * ROWS;
        if output < layer.output_width {
            let sums = select(c0 + before.v0, c0, share.is_first_block);
            keep_four(share, layer, output, first + k, end, sums);
        }
        c0 = c1; c1 = c2; c2 = c3;
        before = Block(before.v1, before.v2, before.v3, before.v3);
    }
}

// dl_dw = dl_dz^T x for inputs first.. first + n, in rows from `row` on: four by four per thread.
fn weight_gradients(share: Share, layer: Layer, row: u32, first: u32, n: u32, thread: u32) {
    let start = first_quad_of(thread);
    for (var o_base = 0u; o_base < layer.output_width; o_base += 4u * ROWS) {
        let o = o_base + thread / COLUMNS;
        for (var k_base = 0u; k_base < n; k_base += 4u * COLUMNS) {
            let k = k_base + thread % COLUMNS;
            if o < layer.output_width && k < n {
                sixteen_weight_gradients(share, layer, row, first, n, o, k, start);
            }
        }
    }
}

// The same for at most four outputs: one weight per thread.
fn narrow_weight_gradients(share: Share, layer: Layer, row: u32, first: u32, n: u32, thread: u32) {
    let start = first_quad_of(thread);
    let total = (n + 63u) / 64u * 256u;
    for (var base = 0u; base < total; base += GROUP) {
        let i = base + thread;
        let k = i / 256u * 64u + i % 64u;
        let o = i / 64u % 4u;
        if i < total && k < n && o < layer.output_width {
            var sum = vec4<f32>();
            for (var j = 0u; j < QUADS; j++) {
                let q = (start + j) % QUADS;
                sum += load(layer.row + o, q) * load(row + k, q);
            }
            add(share, layer.weight + o * layer.input_width + first + k, dot(sum, vec4<f32>(1.0)));
        }
    }
}

// dl_db = sums of dl_dz
fn bias_gradients(share: Share, layer: Layer, thread: u32) {
    let start = first_quad_of(thread);
    for (var base = 0u; base < layer.output_width; base += GROUP) {
        let o = base + thread;
        if o < layer.output_width {
            var sum = vec4<f32>();
            for (var j = 0u; j < QUADS; j++) {
                sum += load(layer.row + o, (start + j) % QUADS);
            }
            add(share, layer.weight + layer.output_width * layer.input_width + o, dot(sum, vec4<f32>(1.0)));
        }
    }
}

fn gradients(share: Share, layer: Layer, row: u32, first: u32, n: u32, thread: u32) {
    if layer.output_width <= 4u {
        narrow_weight_gradients(share, layer, row, first, n, thread);
    } else {
        weight_gradients(share, layer, row, first, n, thread);
    }
}

// Sums reuse the memory of the weight tiles.
fn partial_sum(i: u32) -> f32 {
    return tile[i].x;
}

fn keep_partial_sum(i: u32, sum: f32) {
    tile[i].x = sum;
}

// Each block's gradients are in memory already.
fn begin(thread: u32) {}

fn finish(share: Share, thread: u32) {}
