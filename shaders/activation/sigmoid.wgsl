// The clamp keeps exp finite; beyond it the result is 0 or 1 to less than the smallest f32.
fn activation(z: f32) -> f32 {
    return 1.0 / (1.0 + exp(clamp(-z, -87.0, 87.0)));
}

fn activation_derivative(z: f32) -> f32 {
    let p = activation(z);
    return p * (1.0 - p);
}
