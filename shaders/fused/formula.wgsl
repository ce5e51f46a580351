// features = those of the formula whose `feature` is joined in before.

// Features k of four samples at x and y.
fn features_at(k: u32, x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
    let n = params.n_units;
    return vec4<f32>(
        feature(k, n, vec2<f32>(x.x, y.x)), feature(k, n, vec2<f32>(x.y, y.y)),
        feature(k, n, vec2<f32>(x.z, y.z)), feature(k, n, vec2<f32>(x.w, y.w)),
    );
}
