// 0.5 z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))), Hendrycks and Gimpel 2016.
const ACTIVATION_IS_MAX: bool = false;

fn sigmoid(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(e, 1.0, z > 0.0) / (1.0 + e);
}

fn activation(z: f32) -> f32 {
    return z * sigmoid(1.5957691 * z * (1.0 + 0.044715 * z * z));
}

fn activation_derivative(z: f32) -> f32 {
    let p = sigmoid(1.5957691 * z * (1.0 + 0.044715 * z * z));
    let du = 1.5957691 * (1.0 + 0.134145 * z * z);
    return p + z * p * (1.0 - p) * du;
}
