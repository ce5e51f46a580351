// The derivative treats the denominator as constant, as in tiny-cuda-nn.
fn loss(p: f32, t: f32) -> f32 {
    return (p - t) * (p - t) / (p * p + 0.01);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    return 2.0 * (p - t) / (p * p + 0.01);
}
