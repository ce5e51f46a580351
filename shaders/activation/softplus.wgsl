const ACTIVATION_IS_MAX: bool = false;

fn activation(z: f32) -> f32 {
    return max(z, 0.0) + ln_1p(exp(-abs(z)));
}

fn activation_derivative(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(e, 1.0, z > 0.0) / (1.0 + e);
}
