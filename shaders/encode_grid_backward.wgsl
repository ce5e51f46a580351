// sums += the gradient of each vertex's features, from those of the features of positions.
// Many positions share a vertex. Sums are 64-bit fixed-point numbers in units of 2^-52, as two
// words: integer additions come out the same in any order, so that a run repeats to the bit.

@group(0) @binding(0) var<uniform> params: GridParams;
@group(0) @binding(1) var<storage, read> levels: array<vec4<u32>>;     // (L): see vertex_entry
@group(0) @binding(2) var<storage, read> coords: array<f32>;           // (n, 2)
@group(0) @binding(3) var<storage, read> dl_dfeatures: array<Stored>;     // (n, L F)
@group(0) @binding(4) var<storage, read_write> sums: array<atomic<u32>>; // (entries, F, 2): low, high

// Larger terms count as this much; only a run that diverges has them.
const LARGEST: f32 = 1024.0;

fn add(at: u32, value: f32) {
    let magnitude = min(abs(value), LARGEST) * 1048576.0;        // 2^20
    let whole = floor(magnitude);
    var high = u32(whole);
    var low = u32((magnitude - whole) * 4294967296.0);           // 2^32; the product is exact
    if value < 0.0 {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    if low != 0u {
        let old = atomicAdd(&sums[2u * at], low);
        high += select(0u, 1u, old + low < old);
    }
    if high != 0u {
        atomicAdd(&sums[2u * at + 1u], high);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_rows * params.n_levels {
        return;
    }
    let level = i / params.n_rows;
    let row = i % params.n_rows;
    let cell = locate(levels[level], params.smoothstep, vec2<f32>(coords[2u * row], coords[2u * row + 1u]));
    let n_features = params.n_features;
    let first = cell.entries * n_features;
    let from_features = (row * params.n_levels + level) * n_features;
    for (var f = 0u; f < n_features; f++) {
        let at = first + f;
        let terms = cell.weights * (params.gradient_unit * f32(dl_dfeatures[from_features + f]));
        add(at.x, terms.x);
        add(at.y, terms.y);
        add(at.z, terms.z);
        add(at.w, terms.w);
    }
}
