// Positions that another kernel has computed.

@group(0) @binding(3) var<storage, read> coords: array<vec2<f32>>; // (n)

// Of samples beyond the last, those of the last.
fn load_positions(first_sample: u32, thread: u32) {
    let last = params.n_samples - 1u;
    for (var base = 0u; base < QUADS; base += GROUP) {
        let i = base + thread;
        if i < QUADS {
            let at = first_sample + 4u * i;
            let p0 = coords[min(at, last)];
            let p1 = coords[min(at + 1u, last)];
            let p2 = coords[min(at + 2u, last)];
            let p3 = coords[min(at + 3u, last)];
            positions[i] = vec4<f32>(p0.x, p1.x, p2.x, p3.x);
            positions[QUADS + i] = vec4<f32>(p0.y, p1.y, p2.y, p3.y);
        }
    }
}
