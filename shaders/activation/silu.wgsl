const ACTIVATION_IS_MAX: bool = false;

fn sigmoid(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(e, 1.0, z > 0.0) / (1.0 + e);
}

fn activation(z: f32) -> f32 {
    return z * sigmoid(z);
}

fn activation_derivative(z: f32) -> f32 {
    let p = sigmoid(z);
    return p + z * p * (1.0 - p);
}
