// From exp(-2 |z|), which cannot overflow.
const ACTIVATION_IS_MAX: bool = false;

fn activation(z: f32) -> f32 {
    let e = exp(-2.0 * abs(z));
    let magnitude = (1.0 - e) / (1.0 + e);
    return select(-magnitude, magnitude, z > 0.0);
}

fn activation_derivative(z: f32) -> f32 {
    let value = activation(z);
    return 1.0 - value * value;
}
