// From e^-|z|, which cannot overflow.
fn output_activation(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(e, 1.0, z > 0.0) / (1.0 + e);
}

fn output_derivative(z: f32) -> f32 {
    let p = output_activation(z);
    return p * (1.0 - p);
}
