fn loss(p: f32, t: f32) -> f32 {
    return abs(p - t);
}

// 0 at 0, as in PyTorch.
fn loss_derivative(p: f32, t: f32) -> f32 {
    return sign(p - t);
}
