const ACTIVATION_IS_MAX: bool = false;
override slope: f32;

fn activation(z: f32) -> f32 {
    return select(slope * z, z, z > 0.0);
}

fn activation_derivative(z: f32) -> f32 {
    return select(slope, 1.0, z > 0.0);
}
