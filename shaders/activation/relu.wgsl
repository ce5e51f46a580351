const ACTIVATION_IS_MAX: bool = true; // with 0, of which neither argument nor result is rounded

fn activation(z: f32) -> f32 {
    return max(z, 0.0);
}

// 0 at 0, as in PyTorch.
fn activation_derivative(z: f32) -> f32 {
    return select(0.0, 1.0, z > 0.0);
}
