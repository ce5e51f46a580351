// The matrix products over a tile of weights, four outputs by four samples per thread, and a layer's forward pass.

const DEPTH: u32 = 16u;        // of a tile
const NARROW_DEPTH: u32 = 64u; // of one that is four results wide
override PASS: u32 = GROUP / QUADS; // results in fours that a workgroup computes at a time

// Four results for each of four samples.
struct Sums {
    r0: vec4<f32>,
    r1: vec4<f32>,
    r2: vec4<f32>,
    r3: vec4<f32>,
}

fn depth_of(n_quads: u32) -> u32 {
    return select(DEPTH, NARROW_DEPTH, n_quads == 1u);
}

// Odd, to avoid bank conflicts when a tile is written.
fn pitch_of(n_quads: u32) -> u32 {
    return n_quads | 1u;
}

// tile: (k, outputs in fours) from inputs k_base on. Neighbours in k are neighbours in memory.
fn load_by_input(layer: Layer, first_quad: u32, n_quads: u32, k_base: u32, thread: u32) {
    let quads_of_depth = depth_of(n_quads) / 4u;
    let n = n_quads * quads_of_depth;
    let pitch = pitch_of(n_quads);
    for (var base = 0u; base < n; base += GROUP) {
        let i = base + thread;
        if i < n {
            let k = 4u * select(i % (DEPTH / 4u), i % (NARROW_DEPTH / 4u), n_quads == 1u);
            let quad = select(i / (DEPTH / 4u), i / (NARROW_DEPTH / 4u), n_quads == 1u);
            let o = 4u * (first_quad + quad);
            let at = k_base + k;
            let block = transposed(
                Block(
                    weights_of(layer, o, at), weights_of(layer, o + 1u, at),
                    weights_of(layer, o + 2u, at), weights_of(layer, o + 3u, at),
                ),
            );
            let to = k * pitch + quad;
            tile[to] = block.v0;
            tile[to + pitch] = block.v1;
            tile[to + 2u * pitch] = block.v2;
            tile[to + 3u * pitch] = block.v3;
        }
    }
}

// sums += tile times `depth` rows of cells from `row` on, for quad `column` of the tile and quad `quad` of samples.
fn multiply(before: Sums, column: u32, pitch: u32, row: u32, quad: u32, depth: u32) -> Sums {
    var sums = before;
    var w = column;
    var x = row * QUADS + quad;
    for (var k = 0u; k < depth; k += 4u) {
        let w0 = tile[w];
        let w1 = tile[w + pitch];
        let w2 = tile[w + 2u * pitch];
        let w3 = tile[w + 3u * pitch];
        let x0 = vec4<f32>(cells[x]);
        let x1 = vec4<f32>(cells[x + QUADS]);
        let x2 = vec4<f32>(cells[x + 2u * QUADS]);
        let x3 = vec4<f32>(cells[x + 3u * QUADS]);
        sums.r0 += w0.x * x0; sums.r1 += w0.y * x0; sums.r2 += w0.z * x0; sums.r3 += w0.w * x0;
        sums.r0 += w1.x * x1; sums.r1 += w1.y * x1; sums.r2 += w1.z * x1; sums.r3 += w1.w * x1;
        sums.r0 += w2.x * x2; sums.r1 += w2.y * x2; sums.r2 += w2.z * x2; sums.r3 += w2.w * x2;
        sums.r0 += w3.x * x3; sums.r1 += w3.y * x3; sums.r2 += w3.z * x3; sums.r3 += w3.w * x3;
        w += 4u * pitch;
        x += 4u * QUADS;
    }
    return sums;
}

// From `output` on; 0 beyond the last.
fn biases(layer: Layer, output: u32) -> vec4<f32> {
    let at = layer.weight + layer.output_width * layer.input_width + min(output, layer.output_width);
    return select(vec4<f32>(), four_weights(at), are_inside(output, layer.output_width, false));
}

fn store_results(layer: Layer, is_hidden: bool, o: u32, quad: u32, z: Sums) {
    let top = layer.row + o;
    var rest = z;
    for (var i = 0u; i < 4u; i++) {
        var values = rest.r0;
        if is_hidden && DERIVATIVE_FROM_OUTPUT == 1u {
            values = activations(values);
        }
        keep(top + i, quad, values);
        rest = Sums(rest.r1, rest.r2, rest.r3, rest.r3);
    }
}

// Writes z = x W^T + b of layer `index` to its rows. Threads are in sync on entry and exit.
fn forward_layer(index: u32, thread: u32) {
    let layer = layer_at(index);
    let slice_width = select(layer.input_width, params.feature_rows, index == 0u);
    if index > 0u && DERIVATIVE_FROM_OUTPUT == 0u {
        fill_values((index - 1u) * params.hidden_rows, thread);
        workgroupBarrier();
    }
    let quad = thread % QUADS;
    let column = thread / QUADS;
    let total = (layer.output_width + 3u) / 4u;
    for (var first = 0u; first < total; first += PASS) {
        let n_quads = min(PASS, total - first);
        let o = 4u * (first + column);
        let b = biases(layer, o);
        var sums = Sums(vec4<f32>(b.x), vec4<f32>(b.y), vec4<f32>(b.z), vec4<f32>(b.w));
        for (var slice = 0u; slice < layer.input_width; slice += slice_width) {
            let n = min(slice_width, layer.input_width - slice);
            var row = params.feature_row;
            if index > 0u {
                row = values_of(index);
            } else if first == 0u || n < layer.input_width {
                encode(slice, n, thread);
                workgroupBarrier();
            }
            let depth = depth_of(n_quads);
            for (var k = 0u; k < n; k += depth) {
                load_by_input(layer, first, n_quads, slice + k, thread);
                workgroupBarrier();
                if column < n_quads {
                    sums = multiply(sums, column, pitch_of(n_quads), row + k, quad, min(depth, n - k));
                }
                workgroupBarrier();
            }
        }
        if column < n_quads {
            store_results(layer, index + 1u < params.n_layers, o, quad, sums);
        }
    }
    workgroupBarrier();
}
