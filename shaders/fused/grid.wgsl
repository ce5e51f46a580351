// features = those of each level of the hash grid, as in `encode_grid.wgsl`; constants: levels.
// A thread interpolates a level for four samples.

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
            let level = constants[(first + row) / n_features];
            let x = positions[quad];
            let y = positions[QUADS + quad];
            let cell0 = locate(level, params.smoothstep, vec2<f32>(x.x, y.x));
            let cell1 = locate(level, params.smoothstep, vec2<f32>(x.y, y.y));
            let cell2 = locate(level, params.smoothstep, vec2<f32>(x.z, y.z));
            let cell3 = locate(level, params.smoothstep, vec2<f32>(x.w, y.w));
            for (var f = 0u; f < n_features; f += 2u) {
                let v0 = interpolated(cell0, n_features, f);
                let v1 = interpolated(cell1, n_features, f);
                let v2 = interpolated(cell2, n_features, f);
                let v3 = interpolated(cell3, n_features, f);
                let to = params.feature_row + row + f;
                keep(to, quad, vec4<f32>(v0.x, v1.x, v2.x, v3.x));
                if f + 1u < n_features {
                    keep(to + 1u, quad, vec4<f32>(v0.y, v1.y, v2.y, v3.y));
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
