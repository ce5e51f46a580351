// partials = gradient of the frequencies for each slice of the samples: with t = B c, dl_dB = 2 pi (cos(2 pi t)
// dl_dsine - sin(2 pi t) dl_dcosine) c.

const TWO_PI: f32 = 6.2831855;

struct FourierGradientsParams {
    n_rows: u32,
    n_frequencies: u32, // m
    slice_rows: u32,
}

@group(0) @binding(0) var<uniform> params: FourierGradientsParams;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;    // B: (m, 2)
@group(0) @binding(2) var<storage, read> coords: array<f32>;         // (n, 2)
@group(0) @binding(3) var<storage, read> dl_dfeatures: array<Stored>;   // (n, 2m): of m sines, of m cosines
@group(0) @binding(4) var<storage, read_write> partials: array<f32>; // (slices, 2m)

// A workgroup takes THREADS frequencies in x and a slice in y.
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let m = params.n_frequencies;
    let j = group.x * THREADS + thread;
    if j >= m {
        return;
    }
    let b = vec2<f32>(frequencies[2u * j], frequencies[2u * j + 1u]);
    let first = group.y * params.slice_rows;
    let end = min(first + params.slice_rows, params.n_rows);
    var sum = vec2<f32>(0.0, 0.0);
    for (var row = first; row < end; row++) {
        let c = vec2<f32>(coords[2u * row], coords[2u * row + 1u]);
        let turns = c.x * b.x + c.y * b.y;
        let at = row * 2u * m + j;
        sum += (cos_turns(turns) * f32(dl_dfeatures[at]) - sin_turns(turns) * f32(dl_dfeatures[at + m])) * c;
    }
    let at = 2u * (group.y * m + j);
    partials[at] = TWO_PI * sum.x;
    partials[at + 1u] = TWO_PI * sum.y;
}
