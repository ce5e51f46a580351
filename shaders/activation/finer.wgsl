// sin(w0 (|z| + 1) z), Liu et al. 2024, equation 5.
const ACTIVATION_IS_MAX: bool = false;
override w0: f32;
override turns_per_unit: f32; // w0 / 2 pi, rounded once on the host

fn activation(z: f32) -> f32 {
    return sin_turns((abs(z) + 1.0) * z * turns_per_unit);
}

fn activation_derivative(z: f32) -> f32 {
    let growth = abs(z) + 1.0;
    return w0 * (growth + abs(z)) * cos_turns(growth * z * turns_per_unit);
}
