// features = those of x, then those of y, with the axis_feature joined in before.

// Features k of four samples at x and y.
fn features_at(k: u32, x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
    let n = params.n_units;
    let c = select(y, x, k < n);
    let j = k % n;
    return vec4<f32>(
        axis_feature(c.x, j, n), axis_feature(c.y, j, n), axis_feature(c.z, j, n), axis_feature(c.w, j, n),
    );
}
