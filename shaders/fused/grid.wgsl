// features = those of each level of the hash grid, as in `encode_grid.wgsl`; constants: levels.
// A thread interpolates a level for four samples.

fn level_at(index: u32) -> vec4<u32> {
    let at = 4u * index;
    return vec4<u32>(constants[at], constants[at + 1u], constants[at + 2u], constants[at + 3u]);
}

fn interpolated(cell: Cell, feature: u32) -> f32 {
    let at = cell.entries * params.n_features + feature;
    return cell.weights.x * weights[at.x] + cell.weights.y * weights[at.y]
        + cell.weights.z * weights[at.z] + cell.weights.w * weights[at.w];
}

// Puts features first.. of the block into their rows, `n` of them and zeros up to a multiple of four.
// Both are whole levels.
fn encode(first: u32, n: u32, thread: u32) {
    let n_features = params.n_features;
    for (var i = thread; i < n / n_features * QUADS; i += GROUP) {
        let quad = i % QUADS;
        let row = i / QUADS * n_features;
        let level = level_at((first + row) / n_features);
        let x = positions[quad];
        let y = positions[QUADS + quad];
        let c0 = locate(level, params.smoothstep, vec2<f32>(x.x, y.x));
        let c1 = locate(level, params.smoothstep, vec2<f32>(x.y, y.y));
        let c2 = locate(level, params.smoothstep, vec2<f32>(x.z, y.z));
        let c3 = locate(level, params.smoothstep, vec2<f32>(x.w, y.w));
        for (var f = 0u; f < n_features; f++) {
            let features =
                vec4<f32>(interpolated(c0, f), interpolated(c1, f), interpolated(c2, f), interpolated(c3, f));
            keep(params.feature_row + row + f, quad, features);
        }
    }
    for (var i = n * QUADS + thread; i < (n + 3u) / 4u * 4u * QUADS; i += GROUP) {
        keep(params.feature_row + i / QUADS, i % QUADS, vec4<f32>());
    }
}
