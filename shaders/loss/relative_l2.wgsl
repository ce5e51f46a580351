// The derivative takes the denominator as constant, as tiny-cuda-nn's.
fn loss(p: f32, t: f32) -> f32 {
    return (p - t) * (p - t) / (p * p + 0.01);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    return 2.0 * (p - t) / (p * p + 0.01);
}
