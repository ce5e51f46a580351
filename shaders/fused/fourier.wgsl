// features = [sin(2 pi B c), cos(2 pi B c)] as in `encode_fourier.wgsl`; constants: B.

// Features k of four samples at x and y.
fn features_at(k: u32, x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
    let m = params.n_units;
    let j = k % m;
    let two = constants[j / 2u];
    let b = bitcast<vec2<f32>>(select(two.xy, two.zw, j % 2u == 1u));
    let turns = x * b.x + y * b.y;
    if k < m {
        return vec4<f32>(sin_turns(turns.x), sin_turns(turns.y), sin_turns(turns.z), sin_turns(turns.w));
    }
    return vec4<f32>(cos_turns(turns.x), cos_turns(turns.y), cos_turns(turns.z), cos_turns(turns.w));
}
