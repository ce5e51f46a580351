// The derivative treats the denominator as constant, as in tiny-cuda-nn.
fn denominator(p: f32, t: f32) -> f32 {
    return 0.5 * (abs(p) + abs(t)) + 0.01;
}

fn loss(p: f32, t: f32) -> f32 {
    return abs(p - t) / denominator(p, t);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    return sign(p - t) / denominator(p, t);
}
