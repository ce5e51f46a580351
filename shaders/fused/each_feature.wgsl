// Encodings that compute each feature separately.

// Writes features first.. of the block to their rows, `n` of them and zeros up to a multiple of four.
fn encode(first: u32, n: u32, thread: u32) {
    let total = (n + 3u) / 4u * 4u * QUADS;
    for (var base = 0u; base < total; base += GROUP) {
        let i = base + thread;
        if i < total {
            let row = i / QUADS;
            let quad = i % QUADS;
            var features = vec4<f32>();
            if row < n {
                features = features_at(first + row, positions[quad], positions[QUADS + quad]);
            }
            keep(params.feature_row + row, quad, features);
        }
    }
}
