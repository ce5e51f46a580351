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

// Writes features first.. of the block to their rows, `n` of them and zeros up to a multiple of four. Both are whole
// levels.
fn encode(first: u32, n: u32, thread: u32) {
    let n_features = params.n_features;
    let total = n / n_features * QUADS;
    for (var base = 0u; base < total; base += GROUP) {
        let i = base + thread;
        if i < total {
            let quad = i % QUADS;
            let row = i / QUADS * n_features;
            let level = level_at((first + row) / n_features);
            for (var lane = 0u; lane < 4u; lane++) {
                let position = vec2<f32>(positions[quad][lane], positions[QUADS + quad][lane]);
                let cell = locate(level, params.smoothstep, position);
                for (var f = 0u; f < n_features; f++) {
                    // After four lanes each is in place.
                    let before = load(params.feature_row + row + f, quad);
                    keep(params.feature_row + row + f, quad, vec4<f32>(before.yzw, interpolated(cell, f)));
                }
            }
        }
    }
    let end = (n + 3u) / 4u * 4u * QUADS;
    for (var base = n * QUADS; base < end; base += GROUP) {
        let i = base + thread;
        if i < end {
            keep(params.feature_row + i / QUADS, i % QUADS, vec4<f32>());
        }
    }
}
