// ln cosh(p - t), from e = exp(-2 |p - t|), which cannot overflow.
fn tanh_of_distance(e: f32) -> f32 {
    return (1.0 - e) / (1.0 + e);
}

fn loss(p: f32, t: f32) -> f32 {
    let distance = abs(p - t);
    let e = exp(-2.0 * distance);
    let tanh = tanh_of_distance(e);
    let near = -0.5 * ln_1p(-(tanh * tanh));
    let far = distance + ln_1p(e) - 0.6931472;
    return select(near, far, distance > 0.5);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    return tanh_of_distance(exp(-2.0 * abs(p - t))) * sign(p - t);
}
