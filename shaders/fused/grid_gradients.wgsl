// Adds the gradients of features slice.. on, n of them, to the entries of the grid.
const HAS_ENCODING_GRADIENTS: bool = true;

fn encoding_gradients(slice: u32, n: u32, thread: u32) {
    let n_features = params.n_features;
    let unit = 1.0 / params.gradient_scale;
    let total = n / n_features * BLOCK;
    for (var base = 0u; base < total; base += GROUP) {
        let i = base + thread;
        if i < total {
            let sample = i % BLOCK;
            let quad = sample / 4u;
            let lane = sample % 4u;
            let row = i / BLOCK * n_features;
            let level = constants[(slice + row) / n_features];
            let position = vec2<f32>(positions[quad][lane], positions[QUADS + quad][lane]);
            let cell = locate(level, params.smoothstep, position);
            for (var f = 0u; f < n_features; f++) {
                let at = cell.entries * n_features + f;
                let terms = cell.weights * (unit * load(params.feature_row + row + f, quad)[lane]);
                add_fixed_point(at.x, terms.x);
                add_fixed_point(at.y, terms.y);
                add_fixed_point(at.z, terms.z);
                add_fixed_point(at.w, terms.w);
            }
        }
    }
    workgroupBarrier();
}
