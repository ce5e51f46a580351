// The backward pass through all layers, and the block's gradients.

@group(0) @binding(6) var<storage, read_write> partials: array<f32>; // (groups, parameters of the network)

// Number of inputs for neighbouring threads in the weight gradient.
const COLUMNS: u32 = 16u;
override ROWS: u32 = GROUP / COLUMNS;

// A block's gradients, added to those of the workgroup's earlier blocks, if any.
struct Share {
    first: u32, // of the workgroup's partials
    is_first_block: bool,
}

fn add(share: Share, at: u32, value: f32) {
    let i = share.first + at - params.first_weight;
    partials[i] = select(partials[i] + value, value, share.is_first_block);
}

fn add_four(share: Share, layer: Layer, output: u32, input: u32, end: u32, values: vec4<f32>) {
    let at = layer.weight + output * layer.input_width + input;
    if input < end { add(share, at, values.x); }
    if input + COLUMNS < end { add(share, at + COLUMNS, values.y); }
    if input + 2u * COLUMNS < end { add(share, at + 2u * COLUMNS, values.z); }
    if input + 3u * COLUMNS < end { add(share, at + 3u * COLUMNS, values.w); }
}

fn dots(g: vec4<f32>, x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(g, x0), dot(g, x1), dot(g, x2), dot(g, x3));
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
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    for (var i = 0u; i < QUADS; i++) {
        let q = (start + i) % QUADS;
        let x0 = vec4<f32>(cells[x_row.x + q]);
        let x1 = vec4<f32>(cells[x_row.y + q]);
        let x2 = vec4<f32>(cells[x_row.z + q]);
        let x3 = vec4<f32>(cells[x_row.w + q]);
        c0 += dots(vec4<f32>(cells[g_row.x + q]), x0, x1, x2, x3);
        c1 += dots(vec4<f32>(cells[g_row.y + q]), x0, x1, x2, x3);
        c2 += dots(vec4<f32>(cells[g_row.z + q]), x0, x1, x2, x3);
        c3 += dots(vec4<f32>(cells[g_row.w + q]), x0, x1, x2, x3);
    }
    for (var i = 0u; i < 4u; i++) {
        let output = o + i * ROWS;
        if output < layer.output_width {
            add_four(share, layer, output, first + k, first + n, c0);
        }
        c0 = c1; c1 = c2; c2 = c3;
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
