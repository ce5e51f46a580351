// The cells of positions in a level of the hash grid, Mueller et al. 2022. The integer arithmetic is that of
// `model::encoding::grid`.

struct Cell {
    entries: vec4<u32>, // of vertices (x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1), over all levels
    weights: vec4<f32>, // interpolation weight of each
}

// level: resolution, first entry, entries, whether hashed
fn vertex_entry(level: vec4<u32>, x: u32, y: u32) -> u32 {
    if level.w != 0u {
        return level.y + ((x ^ (y * 2654435761u)) & (level.z - 1u));
    }
    return level.y + y * (level.x + 2u) + x;
}

fn locate(level: vec4<u32>, smoothstep: u32, position: vec2<f32>) -> Cell {
    let n = f32(level.x);
    let p = clamp(position * n + 0.5, vec2<f32>(0.0), vec2<f32>(n + 1.0));
    let at = min(vec2<u32>(p), vec2<u32>(level.x));
    var t = p - vec2<f32>(at);
    if smoothstep != 0u {
        t = t * t * (3.0 - 2.0 * t);
    }
    let s = 1.0 - t;
    return Cell(
        vec4<u32>(
            vertex_entry(level, at.x, at.y),
            vertex_entry(level, at.x + 1u, at.y),
            vertex_entry(level, at.x, at.y + 1u),
            vertex_entry(level, at.x + 1u, at.y + 1u),
        ),
        vec4<f32>(s.x * s.y, t.x * s.y, s.x * t.y, t.x * t.y),
    );
}
