// n bins along x and then y, each with its part of a blob around the coordinate; images of the blob are n bins away.
// `model::encoding::one_blob`.

// The integral up to u of the quartic kernel 15/16 (1 - u^2)^2, which is 0 beyond [-1, 1].
fn quartic_cdf(unbounded: f32) -> f32 {
    let u = clamp(unbounded, -1.0, 1.0);
    let s = u * u;
    return 0.5 + u * (0.9375 + s * (-0.625 + s * 0.1875));
}

fn of_image(left: f32) -> f32 {
    return quartic_cdf(left + 1.0) - quartic_cdf(left);
}

fn feature(k: u32, n: u32, c: vec2<f32>) -> f32 {
    let left = f32(k % n) - select(c.y, c.x, k < n) * f32(n);
    return of_image(left - f32(n)) + of_image(left) + of_image(left + f32(n));
}
