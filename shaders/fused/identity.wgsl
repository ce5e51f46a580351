// features = coords

// Features k of four samples at x and y.
fn features_at(k: u32, x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
    return select(y, x, k == 0u);
}
