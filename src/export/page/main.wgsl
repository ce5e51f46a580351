//PROGRAM//
// 0: the position of pixel (0, 0), and of a pixel beside it, in uv or cells
// 1: zoomed in too far for floats: the cell that positions are relative to, the side of a cell, and whether so
// 2: points averaged for a pixel along each side; the height in pixels
@group(0) @binding(1) var<uniform> view: array<vec4f, 3>;

@vertex
fn corners(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
    return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn pixel(@builtin(position) p: vec4f) -> @location(0) vec4f {
    let deep = view[1].w > 0.5;
    let v = view[0].xy + p.xy * view[0].zw;
    let cell = floor(v);
    let n = view[2].x;
    var sum = vec3f(0.0);
    for (var y = 0.0; y < n; y += 1.0) {
        for (var x = 0.0; x < n; x += 1.0) {
            let corner = vec2f(x, y);
            var uv = v + ((corner + 0.5) / n - 0.5) * view[0].zw;
            var weight = 1.0 / (n * n);
            if deep {
                uv = (view[1].xy + cell + corner) * view[1].z;
                let t = mix(1.0 - (v - cell), v - cell, corner);
                weight = t.x * t.y;
            }
            sum += weight * afterimage_shown(uv);
        }
    }
    let at = select(v, (view[1].xy + v) * view[1].z, deep);
    let inside = all(at == clamp(at, vec2f(0.0), vec2f(1.0)));
    return vec4f(select(vec3f(0.06), sum, inside), 1.0);
}
