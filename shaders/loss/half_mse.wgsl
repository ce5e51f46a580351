fn loss(p: f32, t: f32) -> f32 {
    return 0.5 * (p - t) * (p - t);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    return p - t;
}
